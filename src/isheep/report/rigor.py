"""The rigor page: a reviewer's checklist, answered from a run and its summary, with what would supply what is missing.

Knows: which questions are asked, and in which order. Each part of the list has a module of its own (rigor_origin.py,
rigor_numbers.py, rigor_grounds.py, rigor_rivals.py); how it looks is rigor_view.py's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isheep.report import rigor_grounds, rigor_numbers, rigor_origin, rigor_rivals
from isheep.report.rigor_row import Check, Subject
from isheep.runs import Run

#: A check gives None where its question means nothing for a run (nothing was trained, nothing was asked).
Ask = Callable[[Subject], Check | None]

#: The parts of the list, in the order a reviewer goes through it.
AREAS: Mapping[str, Sequence[Ask]] = {
    "Can it be reproduced?": rigor_origin.CHECKS,
    "What do the figures carry?": rigor_numbers.CHECKS,
    "Is the test clean?": rigor_grounds.CHECKS,
    "Compared with what?": rigor_rivals.CHECKS,
    "Who judges?": rigor_grounds.JUDGES,
    "How far does it reach?": rigor_rivals.LIMITS,
}


def rigor(run: Run, summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The checklist of a run: rows with `id`, `area`, `question`, `state` ("yes", "part", "no"), `answer` and `supply`.

    `supply` is empty exactly where the state is "yes"; elsewhere it names commands and settings between backticks. The
    row `compute` also has `models`: what making each tested model took (`iteration`, `flops` or None, `tokens`,
    `seconds`). Questions that mean nothing for the run are left out: one without iterations has no training to ask
    about. `summary`: all of `summarize` but this list.
    """
    subject = Subject(run, summary)
    asked = ((area, ask(subject)) for area, checks in AREAS.items() for ask in checks)
    return [check.as_dict(area) for area, check in asked if check is not None]
