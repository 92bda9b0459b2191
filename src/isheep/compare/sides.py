"""What stands side by side of runs besides their scores: where their recipes differ, and their funnels.

Knows: runs and their summaries. Does not know: the statistics of a comparison.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from isheep.report.figures import Figure, funnel_figures
from isheep.report.numbers import NONE
from isheep.report.summary import summarize
from isheep.report.tables import Table
from isheep.runs import Run

#: What names a run and does not change what it does.
_NAMES = frozenset({"name", "description"})


def recipe_table(shown: Mapping[str, Run]) -> Table | None:
    """A line for each setting that is not the same in all; None where there is none, or but one recipe."""
    flat = {arm: dict(_settings(run.recipe.model_dump(mode="json"))) for arm, run in shown.items()}
    names = dict.fromkeys(name for settings in flat.values() for name in settings)
    rows = []
    for name in names:
        cells = [settings.get(name, NONE) for settings in flat.values()]
        if name not in _NAMES and len(set(cells)) > 1:
            rows.append((name, *cells))
    if not rows:
        return None
    return Table("What the recipes differ in", ("setting", *flat), tuple(rows), numeric=False)


def _settings(plain: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every setting by its dotted path, as JSON."""
    if isinstance(plain, dict) and plain:
        for name, value in plain.items():
            yield from _settings(value, f"{path}.{name}" if path else name)
    else:
        yield path, json.dumps(plain, ensure_ascii=False)


def funnels(shown: Mapping[str, Run]) -> Iterator[Figure]:
    """By arm and iteration: from what the model wrote to what is trained on."""
    for number, (arm, run) in enumerate(shown.items()):
        for figure in funnel_figures(summarize(run, deep=False)):
            plot = replace(
                figure.plot, name=f"{figure.plot.name}-{number}", title=f"{arm}: {figure.plot.title}"
            )
            yield Figure(f"{arm}: {figure.title}", plot, figure.note)
