"""`isheep export data`: the pairs of a run as a folder that other tools load.

Knows: which files make up a folder. Does not know: what stands in a row (formats.py) or in the card (data_card.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isheep.errors import ExportError
from isheep.export.aside import check_free, write_mark, written
from isheep.export.card import mark
from isheep.export.data_card import data_card
from isheep.export.formats import FORMATS, Format, Row, with_decision, without_history, write_rows
from isheep.export.licences import licences
from isheep.export.rows import Conversation, Preferred, conversations, iterations_of, preferences
from isheep.report import summarize
from isheep.report.origin import RECIPE_FILE, recipe_yaml
from isheep.runs import Run

__all__ = ["FORMATS", "export_data"]

#: A file of the folder, and what it holds.
Files = dict[str, list[Row]]


def export_data(
    run: Run,
    format: str,
    out: Path,
    iteration: int | None = None,
    kept_only: bool = True,
    force: bool = False,
) -> Path:
    """Write the kept pairs (or all) of one iteration (or all) to the folder `out`; the folder.

    Every format is a folder that `datasets.load_dataset` opens: rows, a card with where they come from, LLaMA-Factory's
    dataset_info.json, the recipe. Raises ExportError when `out` is taken or there is nothing to export.
    """
    if format not in FORMATS:
        raise ExportError(f"there is no format {format!r}", f"formats: {', '.join(FORMATS)}")
    check_free(out, force)
    iterations = iterations_of(run, iteration)
    rows = conversations(run, iterations, kept_only)
    preferred = preferences(run, iterations)
    if not rows:
        raise ExportError(f"{run.name} kept no pair", "see why with `isheep show`")
    by_iteration = format == "hub"
    chosen = FORMATS[format]
    files, configs = _files(chosen, rows, preferred, kept_only, by_iteration)
    keys = {
        f"{stage}.{t}": run.artifacts(stage)[t].key for stage in ("responses", "filter") for t in iterations
    }
    card = data_card(
        run, run.name, chosen, rows, preferred, configs, summarize(run, deep=False), licences(run), keys, kept_only
    )  # fmt: skip
    with written(out, force) as folder:
        for name, content in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            write_rows(folder / name, content)
        _write_json(folder / "dataset_info.json", _factory(run.name, chosen, configs))
        (folder / "README.md").write_text(card, encoding="utf-8")
        (folder / RECIPE_FILE).write_text(recipe_yaml(run), encoding="utf-8")
        counts = {name: len(content) for name, content in files.items()}
        told = mark(run, "dataset", keys, format=format, kept_only=kept_only, rows=counts)
        write_mark(folder, told)
    return out


def _files(
    format: Format,
    rows: Sequence[Conversation],
    preferred: Sequence[Preferred],
    kept_only: bool,
    by_iteration: bool,
) -> tuple[Files, list[dict[str, Any]]]:
    """What to write, and the configurations the card declares: everything first, then what can be had apart."""
    made: Files = {}
    configs = []
    if by_iteration:
        names = {t: f"data/iteration-{t:03d}.parquet" for t in sorted({row.iteration for row in rows})}
        for t, name in names.items():
            made[name] = [format.row(row) for row in rows if row.iteration == t]
        configs.append(_config("default", "data/iteration-*.parquet", default=True))
        configs += [_config(f"iteration_{t}", name) for t, name in names.items()]
    else:
        name = f"train{format.suffix}"
        made[name] = _rows(format, rows, kept_only)
        configs.append(_config("default", name, default=True))
    if preferred:
        name = f"{'preferences/train' if by_iteration else 'preferences'}{format.suffix}"
        made[name] = [format.preferred(row) for row in preferred]
        configs.append(_config("preferences", name))
    return made, configs


def _rows(format: Format, rows: Sequence[Conversation], kept_only: bool) -> list[Row]:
    made = [format.row(row) for row in rows]
    if not kept_only:
        made = [row if "kept" in row else with_decision(row, of) for row, of in zip(made, rows, strict=True)]
    return without_history(made)


def _config(name: str, path: str, default: bool = False) -> dict[str, Any]:
    """A configuration of the hub; the test of which split a file is of is left to nobody."""
    made: dict[str, Any] = {"config_name": name, "data_files": [{"split": "train", "path": path}]}
    return {**made, "default": True} if default else made


def _factory(name: str, format: Format, configs: Sequence[Mapping[str, Any]]) -> Row:
    """LLaMA-Factory's dataset_info.json. What it takes for a dataset is one file, or all files of a folder."""
    made: Row = {}
    for config in configs:
        path, _, last = config["data_files"][0]["path"].rpartition("/")
        file = {"file_name": path if "*" in last else f"{path}/{last}".lstrip("/")}
        if config["config_name"] == "preferences":
            if format.factory_preferred:
                made[f"{name}-preferences"] = {**file, **format.factory_preferred}
        else:
            of = "" if config["config_name"] == "default" else f"-{config['config_name']}"
            made[f"{name}{of}"] = {**file, **format.factory}
    return made


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
