"""Every scored item of a run, from all its evaluations, with the run, seed and model it belongs to.

Knows: which steps score. Does not know: what is made of the items (evaluations.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from isheep.records import Answer, Item, Task
from isheep.runs import Run
from isheep.text.prompts import request

#: Stages whose records are scored items as they stand; `evaluate` writes answers, which are turned into items here.
SCORING = ("benchmarks", "ifeval", "judged")
#: What graded the answers of `evaluate`, with the version of its rule.
EXACT_MATCH = "isheep.exact_match 1"


def items_of(run: Run) -> dict[int, list[Item]]:
    """Model (0 is the base) -> its scored items, in the order of the run's steps. Where several of them scored one task
    (`isheep eval` asked more of it), the last one's count."""
    hashes = _hashes(run)
    found: dict[int, dict[str, list[Item]]] = {}
    for step in run.due:
        artifact = run.artifact(step) if step.stage in ("evaluate", *SCORING) else None
        if artifact is None:
            continue
        items = (
            from_answers(artifact.read(Answer), hashes) if step.stage == "evaluate" else artifact.read(Item)
        )
        by_task: dict[str, list[Item]] = {}
        for item in items:
            made = replace(item, arm=run.name, seed=run.recipe.seed, iteration=step.iteration)
            by_task.setdefault(item.task, []).append(made)
        found.setdefault(step.iteration, {}).update(by_task)
    return {t: [item for items in tasks.values() for item in items] for t, tasks in sorted(found.items())}


def from_answers(answers: Iterable[Answer], hashes: Mapping[str, str]) -> list[Item]:
    """Exact-match answers as items: whether each is right, and whether the model ended it by itself.

    `hashes`: item -> digest of what was asked.
    """
    return [
        Item(
            f"{a.task}/{a.item}/{metric}/{a.layout}/{a.decoding}", a.task, a.item, "", a.item, metric, float(value),
            hashes.get(a.item, ""), len(a.response), EXACT_MATCH, a.group, a.layout, a.decoding,
        )
        for a in answers
        for metric, value in (("accuracy", a.correct), ("ended", a.ended))
    ]  # fmt: skip


def _hashes(run: Run) -> dict[str, str]:
    """Test item -> sha256 of its request."""
    tests = [run.artifact(step) for step in run.steps if step.name.startswith("tests.")]
    return {
        task.id: hashlib.sha256(request(task.instruction, task.input).encode()).hexdigest()
        for artifact in tests
        if artifact is not None
        for task in artifact.read(Task)
    }
