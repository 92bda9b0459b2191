"""The card of exported data: what it is, how it was filtered, what is known of its licences, how to load it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean, median
from typing import Any

import yaml

from isheep.export.card import PAPER, base_name, bullets, code, front, origin, table
from isheep.export.formats import Format
from isheep.export.licences import Licence, common
from isheep.export.rows import Conversation, Preferred
from isheep.report.markdown import safe
from isheep.report.numbers import count, number
from isheep.report.tables import meaning
from isheep.runs import Run

#: The hub's names for how large a dataset is, and below which number of rows each ends.
_SIZES = (
    ("n<1K", 10**3),
    ("1K<n<10K", 10**4),
    ("10K<n<100K", 10**5),
    ("100K<n<1M", 10**6),
    ("1M<n<10M", 10**7),
)


def data_card(
    run: Run,
    name: str,
    format: Format,
    rows: Sequence[Conversation],
    preferred: Sequence[Preferred],
    configs: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    licences: Sequence[Licence],
    keys: Mapping[str, str],
    kept_only: bool,
) -> str:
    """README.md, whole."""
    size = len(rows)
    told = {
        "pretty_name": f"{run.name}: self-aligned instruction data",
        "license": common(licences),
        "task_categories": ["text-generation"],
        "tags": ["isheep", "self-alignment", "synthetic", "instruction-tuning"],
        "size_categories": [next((label for label, end in _SIZES if size < end), "n>10M")],
        "configs": list(configs),
    }
    parts = (
        front(told),
        _opening(run, rows, preferred, kept_only),
        _loading(name, format, configs),
        _statistics(rows),
        _funnel(rows, summary),
        _limits(run, summary),
        origin(run, licences, keys),
    )
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _opening(
    run: Run, rows: Sequence[Conversation], preferred: Sequence[Preferred], kept_only: bool
) -> Iterator[str]:
    base = safe(base_name(run))
    what = "kept for training" if kept_only else "every one that was answered, kept or not"
    yield f"# {safe(run.name)}"
    yield ""
    yield (
        f"{count(len(rows))} conversations ({what}) that the base language model {base} wrote, answered and judged by "
        f"itself, in the loop of {PAPER} as isheep runs it. No stronger model and no person wrote or marked any of "
        "them; a few seed tasks were shown as examples, and are not in here."
    )
    yield ""
    if preferred:
        yield (
            f"Beside them, {count(len(preferred))} preferences: two of the model's own answers to one request, of "
            "which it scored one higher."
        )
        yield ""


def _loading(name: str, format: Format, configs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One block for each tool."""
    first = configs[0]["data_files"][0]["path"]
    kind = "parquet" if format.suffix == ".parquet" else "json"
    names = ", ".join(f"`{config['config_name']}`" for config in configs)
    yield "## How to load it"
    yield ""
    yield from code(
        "python", 'from datasets import load_dataset\n\ndata = load_dataset("FOLDER_OR_REPO", split="train")'
    )
    if len(configs) > 1:
        yield f"Configurations: {names}; the first is what you get if you name none."
        yield ""
    yield (
        f"LLaMA-Factory: `dataset_info.json` beside this file has the entry; set `dataset_dir` to this folder and "
        f"`dataset: {safe(name)}`. axolotl:"
    )
    yield ""
    entry = {"path": "FOLDER", "ds_type": kind, "data_files": [first], **format.axolotl}
    yield from code("yaml", yaml.safe_dump({"datasets": [entry]}, sort_keys=False))


def _statistics(rows: Sequence[Conversation]) -> Iterator[str]:
    yield "## Figures"
    yield ""
    columns = (
        "iteration", "conversations", "with several turns", "words asked, median", "words answered, median",
        "mean", "quality, mean", "following, mean",
    )  # fmt: skip
    made = []
    for t in sorted({row.iteration for row in rows}):
        here = [row for row in rows if row.iteration == t]
        asked = [len(row.turns[-2].split()) for row in here]
        said = [len(row.pair.response.split()) for row in here]
        made.append(
            (
                t,
                count(len(here)),
                count(sum(len(row.turns) > 2 for row in here)),
                number(median(asked), 1),
                number(median(said), 1),
                number(mean(said), 1),
                _mean([row.decision.quality for row in here]),
                _mean([row.decision.following for row in here]),
            )
        )
    yield from table(columns, made)
    yield "Scores are the model's own, from 1 to 10. Words are those of the last turn."
    yield ""


def _mean(scores: Sequence[float | None]) -> str:
    known = [score for score in scores if score is not None]
    return number(mean(known) if known else None)


def _funnel(rows: Sequence[Conversation], summary: Mapping[str, Any]) -> Iterator[str]:
    """From what was written to what was kept, and why the rest was dropped."""
    there = {row.iteration for row in rows}
    entries = [entry for entry in summary["iterations"] if entry["iteration"] in there]
    yield "## How it was filtered"
    yield ""
    yield from table(
        ("iteration", "requests written", "new ones", "answers", "kept"),
        [
            (
                e["iteration"],
                *(count(e[name]) for name in ("candidates", "instructions", "responses", "kept")),
            )
            for e in entries
        ],
    )
    reasons = sorted({reason for e in entries for reason in e["dropped"]})
    if reasons:
        dropped = [(r, meaning(r), *(count(e["dropped"].get(r, 0)) for e in entries)) for r in reasons]
        yield from table(
            ("dropped because", "which means", *(f"iteration {e['iteration']}" for e in entries)), dropped
        )


def _limits(run: Run, summary: Mapping[str, Any]) -> Iterator[str]:
    found = summary["contamination"]
    said = [
        "Everything here was written by a language model and marked by the same model: answers may be wrong, unsafe or "
        "biased, and a high score is its own opinion.",
        *(
            f"{entry['train']['pairs']} of these pairs, drawn at random, were trained on in iteration "
            f"{entry['iteration'] - 1}."
            for entry in summary["iterations"]
            if run.recipe.train.max_samples is not None and entry["train"]
        ),
    ]
    if run.recipe.filter.verifier != "none":
        said.append(
            f"Which answers were kept was not the model's own judgement alone: filter.verifier is "
            f"{run.recipe.filter.verifier}."
        )
    if found:
        flagged = sum(sum(e["flagged"].values()) for e in found["iterations"])
        then = "were dropped" if found["drop"] else "may be in here"
        said.append(
            f"{count(flagged)} generated texts share {found['n']} words in a row, or the whole of a shorter prompt, "
            f"with a test question of the run; they {then}."
        )
    yield "## Limits"
    yield ""
    yield from bullets([*said, *summary["warnings"]])
