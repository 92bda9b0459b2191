"""Some records of a run to look at: kept, dropped, and tasks refused before they were answered.

Which ones is decided by a hash of their ids: as good as random, and the same every time the report is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from isheep.records import Decision, Instruction, Pair, R
from isheep.report.summary import pairs_of, truth_of
from isheep.runs import Run


def sample_records(run: Run, iteration: int, n: int) -> dict[str, list[dict[str, Any]]]:
    """Up to `n` of each: `kept` and `dropped` pairs, and `refused_instructions` (candidates that were never answered).

    Each is a plain mapping with `id`, `instruction`, `input` and `reason`; a pair also has `response`, `quality`,
    `following`, `ended`, `words`, `history` (what was said before, in a later turn), and `right` (None where nobody
    knows the truth). A step that is not done gives none.
    """
    written, decided = (run.artifacts(stage).get(iteration) for stage in ("instructions", "filter"))
    made: dict[str, list[dict[str, Any]]] = {"kept": [], "dropped": [], "refused_instructions": []}
    if written:
        refused = [i for i in written.read(Instruction) if i.reason is not None]
        made["refused_instructions"] = [_refused(i) for i in draw(refused, n)]
    if decided:
        pairs = {pair.id: pair for pair in pairs_of(run, iteration)}
        decisions = [d for d in decided.read(Decision) if d.id in pairs]
        truth = truth_of(run.recipe.report.truth)
        for group, kept in (("kept", True), ("dropped", False)):
            for d in draw((d for d in decisions if d.kept is kept), n):
                pair = pairs[d.id]
                right = truth(pair.instruction, pair.input, pair.response) if truth else None
                made[group].append(pair_record(pair, d, right))
    return made


def draw(records: Iterable[R], n: int) -> list[R]:
    """The `n` records whose ids have the lowest hashes."""
    return sorted(records, key=lambda r: hashlib.sha256(r.id.encode("utf-8", "surrogatepass")).digest())[:n]


def _refused(task: Instruction) -> dict[str, Any]:
    return {"id": task.id, "instruction": task.instruction, "input": task.input, "reason": task.reason}


def pair_record(pair: Pair, decision: Decision, right: bool | None) -> dict[str, Any]:
    """A pair and its fate, as the page shows it."""
    return {
        "id": pair.id,
        "instruction": pair.instruction,
        "input": pair.input,
        "response": pair.response,
        "history": list(pair.history),
        "reason": decision.reason,
        "quality": decision.quality,
        "following": decision.following,
        "ended": pair.ended,
        "words": len(pair.response.split()),
        "right": right,
    }
