"""One record's whole lineage: what the model was shown, what it wrote, what was made of it, and what became of it.

Knows: how the records of one run point to one another. Pure reading: nothing is changed, no model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from isheep.errors import StoreError
from isheep.look.ids import answering_steps, having, writing_steps
from isheep.look.nearness import Near, near_instruction, near_pair
from isheep.look.prompts import Prompt, answer_prompt, followup_prompt, judge_prompt, list_prompt
from isheep.look.training import models_trained_on
from isheep.records import (
    FOLLOWS,
    Completion,
    Decision,
    Instruction,
    Leak,
    Likelihood,
    Pair,
    Preference,
    Task,
    Verdict,
)
from isheep.report.tables import meaning
from isheep.runs import Run
from isheep.store import Artifact


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a record: "kept", "dropped" or "waiting", which stage said so, why, and who was trained on it.

    `meaning` is the reason in words. `models`: t of each M_t that was trained on it.
    """

    status: str
    stage: str
    reason: str | None = None
    meaning: str = ""
    models: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and what the judge was shown."""

    verdict: Verdict
    prompt: Prompt
    reading: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything the run knows of one record. What is None or empty was not made, or not yet."""

    id: str
    iteration: int
    fate: Fate
    #: The seed tasks that were shown, in the order shown, and those the run no longer has.
    shots: tuple[Task, ...]
    missing: tuple[str, ...]
    prompt: Prompt
    completion: Completion | None
    instruction: Instruction
    near: Near | None
    answer_prompt: Prompt | None
    pair: Pair | None
    judged: tuple[Judged, ...]
    decision: Decision | None
    likelihood: Likelihood | None
    leaks: tuple[Leak, ...]
    preference: Preference | None
    #: The pair this one goes on from, the records that go on from this one, and other answers to the same task.
    parent: str | None
    follow: tuple[str, ...]
    siblings: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return asdict(self)


def lineage(run: Run, id: str) -> Lineage:
    """The lineage of one record by its whole id (`find_id` finds it). Raises StoreError when there is none."""
    iteration, wrote, task = _task(run, id)
    answered, pairs = _answers(run, iteration, task.id)
    pair = next((p for p in pairs if p.id == id), pairs[0] if len(pairs) == 1 else None)
    shown = _seeds(run, wrote, task)
    missing = tuple(seed for seed in task.shots if seed not in shown)
    shots = tuple(shown[seed] for seed in task.shots if seed in shown)
    filtered = run.artifacts("filter").get(iteration)
    decision = _one(filtered, Decision, pair.id) if pair else None
    near = None
    if task.reason == "near_duplicate":
        near = near_instruction(run, wrote, task)
    elif pair and filtered and decision and decision.reason == "near_duplicate":
        near = near_pair(run, filtered, pair)
    return Lineage(
        pair.id if pair else task.id,
        iteration,
        _fate(run, task, pair, decision, filtered),
        shots,
        missing,
        followup_prompt(run, wrote, task) if task.history else list_prompt(wrote, shots, missing),
        _one(wrote, Completion, task.source),
        task,
        near,
        answer_prompt(run, answered, pair) if answered and pair else None,
        pair,
        tuple(_judged(run, iteration, pair)) if pair else (),
        decision,
        _one(run.artifacts("likelihood").get(iteration), Likelihood, pair.id) if pair else None,
        tuple(_leaks(run, iteration, task, pair)),
        _one(run.artifacts("preferences").get(iteration), Preference, task.id),
        task.id.removesuffix(FOLLOWS) if task.history else None,
        _follow(run, pair),
        tuple(p.id for p in pairs if pair is None or p.id != pair.id),
    )


def _task(run: Run, id: str) -> tuple[int, Artifact, Instruction]:
    """The task of a record, and the step that wrote it. An answer that is one of several is named "<task>/<n>"."""
    for wanted in dict.fromkeys((id, id.rpartition("/")[0])):
        for iteration, artifact in writing_steps(run):
            for found in having(artifact, Instruction, wanted):
                return iteration, artifact, found
    raise StoreError(f"{run.name} has no record {id!r}", "`isheep browse` lists what there is")


def _answers(run: Run, iteration: int, task: str) -> tuple[Artifact | None, list[Pair]]:
    """All answers to a task, and the step that gave them."""
    for of, artifact in answering_steps(run):
        found = having(artifact, Pair, task, begins=True) if of == iteration else []
        if mine := [p for p in found if p.id == task or p.id.rpartition("/")[0] == task]:
            return artifact, mine
    return None, []


def _seeds(run: Run, wrote: Artifact, task: Instruction) -> dict[str, Task]:
    """The seed tasks that were shown, by id."""
    found: dict[str, Task] = {}
    for key in wrote.manifest["inputs"].get("seeds", ()):
        seeds = run.store.find("seeds", key)
        if seeds is not None:
            for shot in task.shots:
                found.update((seed.id, seed) for seed in having(seeds, Task, shot))
    return found


def _one(artifact: Artifact | None, cls: Any, id: str) -> Any:
    """The record of this type and id, if the step is done and has it."""
    return next(iter(having(artifact, cls, id)), None) if artifact is not None else None


def _judged(run: Run, iteration: int, pair: Pair) -> Iterator[Judged]:
    made = run.artifacts("assessment").get(iteration)
    if made is not None:
        for verdict in having(made, Verdict, f"{pair.id}/", begins=True):
            if verdict.pair == pair.id:
                prompt = judge_prompt(run, made, pair, verdict.scale)
                yield Judged(verdict, prompt, str(made.manifest["settings"]["reading"]))


def _leaks(run: Run, iteration: int, task: Instruction, pair: Pair | None) -> Iterator[Leak]:
    made = run.artifacts("contamination").get(iteration)
    if made is not None:
        yield from having(made, Leak, f"instruction/{task.id}/", begins=True)
        if pair is not None:
            yield from having(made, Leak, f"response/{pair.id}/", begins=True)


def _follow(run: Run, pair: Pair | None) -> tuple[str, ...]:
    if pair is None:
        return ()
    after = pair.id + FOLLOWS
    return tuple(i.id for _, made in writing_steps(run) for i in having(made, Instruction, after))


def _fate(
    run: Run, task: Instruction, pair: Pair | None, decision: Decision | None, filtered: Artifact | None
) -> Fate:
    if task.reason is not None:
        stage = "followups" if task.history else "instructions"
        return Fate("dropped", stage, task.reason, meaning(f"{stage}/{task.reason}"))
    if pair is None:
        return Fate("waiting", "responses")
    if decision is None or filtered is None:
        return Fate("waiting", "filter")
    if not decision.kept:
        return Fate("dropped", "filter", decision.reason, meaning(f"filter/{decision.reason}"))
    return Fate("kept", "filter", models=models_trained_on(run, pair.id, filtered.key))
