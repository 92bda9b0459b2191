"""The scores of every model of a run and their changes against the base model, with the family of tests corrected.

Knows: which metric of a task is its headline. The arithmetic is in evaluations.py and, for judged chat, in `chat`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from isheep.benchmarks import BENCHMARKS
from isheep.report.evaluations import Row, correct, family_of, gain_rows, score_rows
from isheep.report.items import items_of
from isheep.runs import Run

#: Headline metrics of what is no fixed benchmark, the first that a task has.
HEADLINES = ("accuracy_greedy", "accuracy_sampled", "prompt_level_strict_acc", "preference", "grade")


def scored(run: Run) -> dict[int, dict[str, list[Row]]]:
    """Model -> its `scores` and its `gain` over the base model. Holm's correction covers the recipe's family over all
    models of the run."""
    items = items_of(run)
    made = {
        t: {"scores": score_rows(found), "gain": gain_rows(found, items.get(0, ())) if t else []}
        for t, found in items.items()
    }
    rows = [row for entry in made.values() for row in entry["gain"]]
    correct(family_of(rows, run.recipe.report.family, headlines(rows)))
    return made


def headlines(rows: Iterable[Row]) -> dict[str, str]:
    """Task -> its headline metric, of those that `rows` have."""
    metrics: dict[str, list[str]] = {}
    for row in rows:
        metrics.setdefault(row["task"], []).append(row["metric"])
    found = {task: headline(task, names) for task, names in metrics.items()}
    return {task: name for task, name in found.items() if name is not None}


def headline(task: str, metrics: Sequence[str]) -> str | None:
    """The metric a task is known by, if it has it."""
    known = (BENCHMARKS[task].headline,) if task in BENCHMARKS else HEADLINES
    return next((name for name in known if name in metrics), None)
