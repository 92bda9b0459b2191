"""A near-duplicate of what: the comparison that dropped a record, made again.

Knows: the order in which the stages compared. Does not know: anything that was written down; the records hold only
"near_duplicate", so the text it is near to is found again by the same measure (ROUGE-L F1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from isheep.records import Decision, Instruction, Pair, Task, kept_pairs
from isheep.runs import Run
from isheep.stages.instructions import InstructionsSettings, subject
from isheep.store import Artifact
from isheep.text.prompts import request


@dataclass(frozen=True, slots=True)
class Near:
    """The text a dropped record is near to."""

    id: str
    text: str
    score: float
    where: str


def near_instruction(run: Run, made: Artifact, found: Instruction) -> Near | None:
    """What the stage `instructions` compared a task with when it dropped it, and which of it is nearest."""
    settings = InstructionsSettings.model_validate(made.manifest["settings"])
    overlap = settings.overlap
    return _nearest(
        subject(found.instruction, found.input, overlap.on),
        overlap.threshold,
        (
            (id, subject(instruction, input, overlap.on), where)
            for id, instruction, input, where in _before(run, made, settings, found)
        ),
    )


def _before(
    run: Run, made: Artifact, settings: InstructionsSettings, found: Instruction
) -> Iterator[tuple[str, str, str, str]]:
    """(id, instruction, input, where) of what a task was compared with, in the order it was kept."""
    inputs = made.manifest["inputs"]
    if settings.overlap.seeds:
        for task in _inputs(run, inputs, "seeds", Task):
            yield task.id, task.instruction, task.input, "seed task"
    earlier: list[Instruction] = []
    if settings.overlap.across:
        earlier = [i for i in _inputs(run, inputs, "earlier", Instruction) if i.reason is None]
    here = [i for i in made.stream(Instruction) if i.reason is None and i.id < found.id]
    window = settings.overlap.window
    if window is not None and len(here) >= window:  # all but the seeds was forgotten since
        earlier, here = [], here[len(here) - len(here) % window :]
    for i in earlier:
        yield i.id, i.instruction, i.input, "kept in an earlier iteration"
    for i in here:
        yield i.id, i.instruction, i.input, "kept before it in this iteration"


def near_pair(run: Run, filtered: Artifact, pair: Pair) -> Near | None:
    """The pair before it, or of an earlier iteration, that a pair dropped by the filter is nearest to."""
    overlap = filtered.manifest["settings"]["overlap"]
    inputs = filtered.manifest["inputs"]

    def text(p: Pair) -> str:
        return (
            p.response if overlap["on"] == "response" else f"{request(p.instruction, p.input)}\n{p.response}"
        )

    passed = {d.id for d in filtered.stream(Decision) if d.reason != "near_duplicate"}
    earlier = kept_pairs(
        _inputs(run, inputs, "earlier_responses", Pair), _inputs(run, inputs, "earlier", Decision)
    )
    here = (p for p in _inputs(run, inputs, "responses", Pair) if p.id < pair.id and p.id in passed)
    return _nearest(
        text(pair),
        overlap["threshold"],
        (
            *((p.id, text(p), "kept in an earlier iteration") for p in earlier),
            *((p.id, text(p), "stands before it in this iteration") for p in here),
        ),
    )


def _inputs(run: Run, inputs: dict[str, list[str]], role: str, cls: type) -> Iterator:  # type: ignore[type-arg]
    """All records of one type that a step was given in a role."""
    stages = {step.key: step.stage for step in run.steps}
    for key in inputs.get(role, ()):
        artifact = run.store.find(stages[key], key) if key in stages else None
        if artifact is not None:
            yield from artifact.stream(cls)


def _nearest(text: str, threshold: float, others: Iterable[tuple[str, str, str]]) -> Near | None:
    from isheep.text.overlap import OverlapIndex

    index = OverlapIndex(threshold)
    seen: dict[str, tuple[str, str]] = {}
    for id, other, where in others:
        index.add(id, other)
        seen.setdefault(id, (other, where))
    hit = index.nearest(text)
    return Near(hit.id, seen[hit.id][0], hit.score, seen[hit.id][1]) if hit else None
