"""The page's part on contamination: what was flagged, what it did to the scores, and what this cannot show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from isheep.report.contamination import WHERE
from isheep.report.evaluations import Row
from isheep.report.figures import Figure
from isheep.report.markup import Html, el
from isheep.report.numbers import NONE, count, metric_text
from isheep.report.tables import Table

Entry = Mapping[str, Any]
CANNOT = (
    "This compares the seeds and what the models wrote with the benchmarks. It cannot show what the base model read in "
    "its own pre-training: its score on a benchmark may rest on that, and so may those of every model made from it."
)


def contamination_section(summary: Entry) -> Iterator[Html | Figure | Table]:
    """What was flagged, in words and tables; what this cannot show. Nothing where nothing was looked for."""
    found = summary.get("contamination")
    if not found:
        return
    flagged = sum(sum(e["flagged"].values()) for e in found["iterations"])
    what = f"{found['n']} words in a row, or all of a shorter prompt"
    asked = sum(found["questions"].values())
    head = (
        f"{count(flagged)} of the texts share {what}, with one of the {count(asked)} questions of the benchmarks."
        if flagged
        else f"None of the texts shares {what}, with any of the {count(asked)} questions of the benchmarks."
    )
    fate = (
        "Flagged pairs were dropped before training."
        if found["drop"]
        else "Flagged pairs were not dropped for that (contamination.drop); the very prompts of a test always are."
    )
    yield el("p", f"{head} {fate if flagged else ''} {CANNOT}", cls="lead")
    yield from contamination_tables(summary)


def contamination_tables(summary: Entry) -> list[Table]:
    """What was checked and flagged by iteration; the scores on clean and on flagged questions."""
    found = summary.get("contamination")
    if not found:
        return []
    rows = [
        (
            f"iteration {e['iteration']}",
            *(f"{count(e['flagged'][where])} of {count(e['checked'][where])}" for where in WHERE),
            ", ".join(f"{task} {n}" for task, n in sorted(e["tasks"].items())) or NONE,
        )
        for e in found["iterations"]
    ]
    tables = [
        Table(
            "Texts that share words with a benchmark, and the questions concerned",
            ("iteration", *(f"{name} flagged" for name in WHERE.values()), "questions"),
            tuple(rows),
        )
    ]
    if found["scores"]:
        tables.append(
            Table(
                "Scores on clean and on flagged questions, with 95 % intervals",
                ("model", "test", "clean", "items", "flagged", "items "),
                tuple(
                    (f"M{s['iteration']}", f"{s['task']}: {s['metric'].replace('_', ' ')}",
                     *_cell(s["metric"], s["clean"]), *_cell(s["metric"], s["flagged"]))
                    for s in found["scores"]
                ),
            )
        )  # fmt: skip
    return tables


def _cell(metric: str, row: Row | None) -> tuple[str, str]:
    if row is None or row["value"] is None:
        return NONE, "0"
    value, low, high = (metric_text(metric, row[name]) for name in ("value", "ci_low", "ci_high"))
    return f"{value} ({low} to {high})", count(row["n"])
