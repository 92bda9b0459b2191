"""The headline scores of one finished test, as plain means: for whoever watches a run.

Intervals and changes come with the report (scored.py).
"""

from __future__ import annotations

from isheep.records import Answer, Item
from isheep.report.evaluations import cells, in_best_layout
from isheep.report.items import SCORING as ITEM_STAGES
from isheep.report.items import from_answers
from isheep.report.scored import MEANS, headlines
from isheep.store import Artifact

#: Stages that score a model.
SCORING = ("evaluate", *ITEM_STAGES)


def headline_values(test: Artifact) -> dict[str, float]:
    """ "task/metric" of each task's headline -> its mean; of a test in several layouts, in the best."""
    items = from_answers(test.read(Answer), {}) if test.has(Answer) else test.read(Item)
    means: dict[tuple[str, str], float] = {}
    for cell, members in cells(in_best_layout(items)).items():
        values = [item.value for item in members if item.value is not None]
        if values:
            means[cell.task, MEANS.get(cell.name, cell.name)] = sum(values) / len(values)
    heads = headlines({"task": task, "metric": metric} for task, metric in means)
    return {f"{task}/{metric}": means[task, metric] for task, metric in heads.items()}
