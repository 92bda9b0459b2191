"""Which of a run's records are exported: conversations and preferences, by iteration.

Iteration t of data is what M_t wrote, and what M_{t+1} was trained on. Knows: the run and its records. Does not know:
any file format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from isheep.errors import ExportError
from isheep.records import Decision, Pair, Preference
from isheep.report.summary import pairs_of
from isheep.runs import Run
from isheep.text.prompts import request


@dataclass(frozen=True, slots=True)
class Conversation:
    """One row: everything that was said, up to one answer."""

    pair: Pair
    iteration: int
    decision: Decision

    @property
    def turns(self) -> tuple[str, ...]:
        """Request, answer, request, answer ..., the last answer included."""
        asked = request(self.pair.instruction, self.pair.input)
        return (*self.pair.history, asked, self.pair.response)


@dataclass(frozen=True, slots=True)
class Preferred:
    """One preference that was trained on."""

    record: Preference
    iteration: int


def iterations_of(run: Run, asked: int | None) -> list[int]:
    """The iterations to export: the one asked for, or all that are filtered. Raises ExportError, naming them."""
    there = sorted(run.artifacts("filter"))
    if not there:
        raise ExportError(
            f"{run.name} has not filtered any pairs yet",
            "run its recipe again: it goes on from where it stopped",
        )
    if asked is None:
        return there
    if asked not in there:
        known = ", ".join(map(str, there))
        raise ExportError(
            f"{run.name} has no data of iteration {asked}", f"--iteration is one of {known}, or all"
        )
    return [asked]


def conversations(run: Run, iterations: Sequence[int], kept_only: bool) -> list[Conversation]:
    """What was kept, one row for each conversation: its last kept turn holds those before it. Or, with `kept_only`
    False, every pair in a row of its own, as each turn has its own decision."""
    found = []
    for t in iterations:
        decided = {d.id: d for d in run.artifacts("filter")[t].read(Decision)}
        pairs = [p for p in pairs_of(run, t) if p.id in decided and (decided[p.id].kept or not kept_only)]
        goes_on = {p.parent for p in pairs} if kept_only else set()
        found += [Conversation(p, t, decided[p.id]) for p in pairs if p.id not in goes_on]
    return found


def preferences(run: Run, iterations: Sequence[int]) -> list[Preferred]:
    """The preferences trained on; none where the recipe has no such step."""
    return list(_preferences(run, iterations))


def _preferences(run: Run, iterations: Sequence[int]) -> Iterator[Preferred]:
    done = run.named("preferences")
    for t in iterations:
        if t in done:
            for record in done[t].read(Preference):
                if record.reason is None:
                    yield Preferred(record, t)
