"""`isheep export model`: one of a run's models as a folder: adapter or merged, tokenizer, card; GGUF and Modelfile too.

Knows: which step made M_N, and what makes up a folder. Does not know: weights (backends/merging.py).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from isheep.backends import save_merged, save_tokenizer
from isheep.backends.base import ModelSpec
from isheep.errors import ExportError
from isheep.export.aside import check_free, write_mark, written
from isheep.export.card import HUB_ID, mark
from isheep.export.gguf import GGUF_FILE, convert, converter
from isheep.export.licences import licences
from isheep.export.model_card import model_card
from isheep.export.ollama import modelfile
from isheep.files import is_folder, model_path
from isheep.records import Decision, ModelRef, kept_pairs
from isheep.report import summarize
from isheep.report.origin import RECIPE_FILE, recipe_yaml
from isheep.report.summary import pairs_of
from isheep.runs import Run
from isheep.store import Artifact
from isheep.text.prompts import Layout

#: Texts on which a merged model is compared with base + adapter.
_COMPARED = 8


def export_model(
    run: Run,
    out: Path,
    iteration: int | None = None,
    *,
    merge: bool = False,
    gguf: bool = False,
    ollama: bool = False,
    llama_cpp: Path | None = None,
    dtype: str = "auto",
    datasets: Sequence[str] = (),
    force: bool = False,
    tell: Callable[[str], None] = lambda text: None,
) -> Path:
    """Write M_N (the run's result if none is named) to the folder `out`; the folder.

    Without `merge` it is the PEFT adapter; `gguf` and `ollama` merge too, as they need whole weights. A merged model is
    compared with base + adapter, and refused where they differ. `datasets`: ids of datasets on the hub for the card.
    Raises ExportError before any work when something is missing.
    """
    check_free(out, force)
    if wrong := [name for name in datasets if not HUB_ID.fullmatch(name)]:
        raise ExportError(f"{wrong[0]!r} is no dataset of the hub", "--dataset is OWNER/NAME")
    command = converter(llama_cpp) if gguf else None
    number, made = _chosen(run, iteration)
    (ref,) = made.read(ModelRef)
    spec = replace(_base(run), adapter=str(made.path(ref.adapter)))
    keys = {str(made.manifest["name"]): made.key}
    merged = None
    with written(out, force) as folder:
        layout = save_tokenizer(spec, ref.layout, folder)
        if merge or gguf or ollama:
            merged = save_merged(spec, _texts(run, number, layout), dtype, folder, tell)
        else:
            _copy_adapter(made.path(ref.adapter), folder, spec)
        card = model_card(
            run, number, layout, merged, summarize(run, deep=False), licences(run), keys, datasets
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
        (folder / RECIPE_FILE).write_text(recipe_yaml(run), encoding="utf-8")
        if command:
            tell("converting to GGUF")
            convert(command, folder)
        if ollama:
            text = modelfile(layout, f"./{GGUF_FILE}" if gguf else ".", _begin(folder))
            (folder / "Modelfile").write_text(text, encoding="utf-8")
        form = "merged" if merged else "adapter"
        write_mark(folder, mark(run, "model", keys, iteration=number, format=form, layout=layout.name))
    return out


def _chosen(run: Run, iteration: int | None) -> tuple[int, Artifact]:
    """Which model, and the step that made it. Raises ExportError with those there are."""
    made = {**run.artifacts("train"), **run.named("prefer")}
    there = {t + 1: artifact for t, artifact in made.items()}
    if not there:
        raise ExportError(f"{run.name} has trained no model yet", "run its recipe again: it goes on")
    known = ", ".join(map(str, sorted(there)))
    if iteration is None:
        found = summarize(run, deep=False)["result"]
        iteration = found["iteration"] if found and found["iteration"] in there else None
        if iteration is None:
            raise ExportError(f"the result of {run.name} is its base model", f"--iteration is one of {known}")
    if iteration not in there:
        reason = "is its base model, which is not tuned" if iteration == 0 else "is not there"
        raise ExportError(f"M{iteration} of {run.name} {reason}", f"--iteration is one of {known}")
    if run.recipe.backend.trainer == "fake":
        raise ExportError(
            f"{run.name} was trained by the stand-in `fake`, which makes no weights",
            "export a run of a recipe with a model: `isheep run lamb`",
        )
    return iteration, there[iteration]


def _base(run: Run) -> ModelSpec:
    """The base model as the recipe names it; a folder by its whole path, so that an adapter finds it from anywhere."""
    model = run.recipe.model
    path = model_path(model.base)
    base = str(Path(path).expanduser().resolve()) if is_folder(path) else path
    return ModelSpec(
        base,
        model.revision,
        trust_remote_code=model.trust_remote_code,
        name=model.base,
        context=model.context,
    )


def _texts(run: Run, number: int, layout: Layout) -> list[tuple[str, str]]:
    """Prompts and answers the model was trained on, to compare logits on."""
    t = number - 1
    kept = kept_pairs(pairs_of(run, t), run.artifacts("filter")[t].read(Decision))[:_COMPARED]
    return [(layout.prompt(p.instruction, p.input, p.history), layout.completion(p.response)) for p in kept]


def _copy_adapter(source: Path, folder: Path, spec: ModelSpec) -> None:
    """The adapter as PEFT reads it, naming a base that can be found."""
    for path in sorted(source.iterdir()):
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"base_model_name_or_path": spec.base, "revision": spec.revision}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _begin(folder: Path) -> str:
    """The begin token's text, as the saved tokenizer names it."""
    told = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("bos_token")
    return told if isinstance(told, str) else str((told or {}).get("content", ""))
