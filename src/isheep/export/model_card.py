"""The card of an exported model: what it scores and how sure that is, what it cannot, how to ask it, where it is from.

Every figure is the run's summary's, with its interval. Knows: the summary. Does not know: weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isheep.export.card import PAPER, base_name, bullets, code, front, hub_base, origin, table
from isheep.export.licences import UNKNOWN, Licence
from isheep.report.markdown import safe
from isheep.report.numbers import NO_SHARES, count, gain, number, points, share
from isheep.runs import Run
from isheep.text.prompts import Layout

if TYPE_CHECKING:
    from isheep.backends.merging import Merged

Entry = Mapping[str, Any]


def model_card(
    run: Run,
    iteration: int,
    layout: Layout,
    merged: Merged | None,
    summary: Entry,
    licences: Sequence[Licence],
    keys: Mapping[str, str],
    datasets: Sequence[str],
) -> str:
    """README.md, whole."""
    name = f"{run.name}-M{iteration}"
    entry, base = summary["iterations"][iteration], summary["iterations"][0]
    of_base = licences[0]
    hub = hub_base(run)
    told = {
        "base_model": hub,
        "base_model_relation": ("finetune" if merged else "adapter") if hub else None,
        "library_name": "transformers" if merged else "peft",
        "pipeline_tag": "text-generation",
        "license": of_base.name or UNKNOWN,
        "datasets": list(datasets),
        "tags": ["isheep", "self-alignment", *([] if merged else ["lora"])],
        "model-index": _index(name, entry),
    }
    parts = (
        front(told),
        _opening(run, iteration, name, summary),
        _use(layout, merged),
        _scores(iteration, entry, base),
        _limits(run, summary),
        _training(run, entry, merged),
        origin(run, licences, keys),
    )
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _shown(entry: Entry) -> list[Entry]:
    """The scores that stand for the model; the base's in other layouts than its best one do not."""
    return [s for s in entry["scores"] if s["value"] is not None and "@" not in s["metric"]]


def _index(name: str, entry: Entry) -> list[dict[str, Any]] | None:
    """The hub's list of results, with intervals where the hub keeps what a metric was called with."""
    found = [s for s in _shown(entry) if not s["metric"].startswith("ended_")]
    if not found:
        return None
    results = []
    for task in dict.fromkeys(s["task"] for s in found):
        metrics = [
            {
                "type": "accuracy" if s["metric"].startswith("accuracy") else s["metric"],
                "name": s["metric"].replace("_", " "),
                "value": round(s["value"], 4),
                "args": {
                    key: s[key] if isinstance(s[key], int) else round(s[key], 4)
                    for key in ("n", "ci_low", "ci_high")
                    if s.get(key) is not None
                },
                "verified": False,
            }
            for s in found
            if s["task"] == task
        ]
        made = {"name": task, "type": task.replace(" ", "_")}
        results.append({"task": {"type": "text-generation"}, "dataset": made, "metrics": metrics})
    return [{"name": name, "results": results}]


def _opening(run: Run, iteration: int, name: str, summary: Entry) -> Iterator[str]:
    yield f"# {safe(name)}"
    yield ""
    yield (
        f"{safe(base_name(run))}, aligned in {iteration} iteration{'s' * (iteration > 1)} of {PAPER} with nothing but "
        "the model itself and a few seed tasks: it wrote requests, answered them, judged its answers, and was tuned "
        "on those it judged best. No stronger model took part."
    )
    yield ""
    last = summary["verdict"]["last"]
    other = f"Of the run as a whole, which ends with M{last}: " if last not in (None, iteration) else ""
    yield f"{other}{safe(summary['verdict']['headline'])}"
    yield ""
    if not summary["complete"]:
        yield "The run was not finished when this was written."
        yield ""


def _use(layout: Layout, merged: Merged | None) -> Iterator[str]:
    """How to load and ask it: the template is part of the tokenizer."""
    kind = "AutoModelForCausalLM" if merged else "AutoPeftModelForCausalLM"
    yield "## How to use it"
    yield ""
    yield from code(
        "python",
        f"from {'transformers' if merged else 'peft'} import {kind}\n"
        "from transformers import AutoTokenizer\n\n"
        'tokenizer = AutoTokenizer.from_pretrained("FOLDER_OR_REPO")\n'
        f'model = {kind}.from_pretrained("FOLDER_OR_REPO")\n'
        'talk = [{"role": "user", "content": "What is the opposite of hot?"}]\n'
        'asked = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_tensors="pt", '
        "return_dict=True)\n"
        "said = model.generate(**asked, max_new_tokens=64)\n"
        'print(tokenizer.decode(said[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))',
    )
    yield f"Ask it as it was trained, in the layout `{layout.name}`; the chat template lays out just that:"
    yield ""
    yield from code("text", layout.prompt("{request}"))


def _scores(iteration: int, entry: Entry, base: Entry) -> Iterator[str]:
    yield "## Scores"
    yield ""
    shown = _shown(entry)
    if not shown:
        yield "It was not tested, so nobody knows whether it is better than its base model."
        yield ""
        return
    before = {(s["task"], s["metric"]): s for s in _shown(base)}
    gains = {(g["task"], g["metric"]): g for g in entry["gain"] if g["value"] is not None}
    rows = []
    for s in shown:
        cell = (s["task"], s["metric"])
        rows.append(
            (
                s["task"],
                s["metric"].replace("_", " "),
                count(s["n"]),
                _said(before.get(cell)),
                _said(s),
                _gain(gains.get(cell), s["metric"]),
            )
        )
    columns = ("test", "figure", "prompts", "base model", f"M{iteration}", "change, in points")
    yield from table(columns, rows)
    yield (
        "In brackets: 95 % intervals. They cover the choice of the test's prompts, not the training: another seed "
        "gives another model. The base model is scored in the layout that suits it best. The change is paired, prompt "
        "by prompt."
    )
    yield ""


def _said(score: Entry | None) -> str:
    if score is None:
        return "–"
    if score["metric"].startswith(NO_SHARES):
        return number(score["value"])
    return share(score) if score.get("ci_low") is not None else f"{100 * score['value']:.1f} %"


def _gain(found: Entry | None, metric: str) -> str:
    if found is None:
        return "–"
    if metric.startswith(NO_SHARES):
        return f"{found['value']:+.2f}"
    return gain(found) if found.get("ci_low") is not None else points(found["value"])


def _limits(run: Run, summary: Entry) -> Iterator[str]:
    said = [
        "It learned from its own answers only: what the base model gets wrong and believes, this model does too. It "
        "had no training for safety.",
        *summary["warnings"],
    ]
    if base_name(run) == "lamb":
        said.append("lamb lives in a toy world of a few kinds of question; outside it, it knows nothing.")
    yield "## Limits"
    yield ""
    yield from bullets(said)


def _training(run: Run, entry: Entry, merged: Merged | None) -> Iterator[str]:
    train, prefer, lora = entry["train"], entry["prefer"], run.recipe.train.lora
    rows = []
    if train:
        rows = [
            ("pairs of its own", count(train["pairs"])),
            ("optimiser steps", count(train["steps"])),
            ("tokens trained on", count(train["trained_tokens"])),
            ("learning rate", f"{run.recipe.train.learning_rate:g}"),
            ("LoRA", f"rank {lora.rank}, alpha {lora.alpha}, dropout {lora.dropout:g}"),
            ("starts from", run.recipe.train.start),
        ]
    if prefer:
        rows.append(("preferences (DPO)", count(prefer["pairs"])))
    if merged:
        rows.append(
            (
                "merged",
                f"in {merged.dtype}; on {merged.texts} texts the logits differ from base + adapter by "
                f"{merged.error:.1e} of their size (the adapter itself changes them by {merged.effect:.1e})",
            )
        )
    yield "## Training"
    yield ""
    yield from table(("what", "value"), rows)
    yield "The whole recipe is in recipe.yaml; `isheep run recipe.yaml` does it again."
    yield ""
