"""What a check of the rigor page is handed, and what it answers with: shared by all of them, and by nobody else.

Knows: a run and its summary. Does not know: any question (rigor_origin.py, rigor_numbers.py, rigor_grounds.py and
rigor_rivals.py ask them).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from isheep.files import shipped
from isheep.report.numbers import points
from isheep.report.scored import headlines
from isheep.report.siblings import Sibling, Sweep, siblings, sweeps_of
from isheep.runs import Run, RunStep
from isheep.store import Artifact

#: yes: this run supplies it. part: not all of it, or only under a condition. no: it is missing.
State = Literal["yes", "part", "no"]
Entry = Mapping[str, Any]
#: The command that does the run again from the recipe beside the report.
AGAIN = "isheep run recipe.yaml"


@dataclass(frozen=True)
class Check:
    """One row of the checklist. `supply` says what would supply what is missing; commands and settings stand between
    backticks. `more` is plain data a figure is drawn from."""

    id: str
    question: str
    state: State
    answer: str
    supply: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self, area: str) -> dict[str, Any]:
        """The row of summary["rigor"]."""
        supply = "" if self.state == "yes" else self.supply
        return {
            "id": self.id, "area": area, "question": self.question, "state": self.state, "answer": self.answer,
            "supply": supply, **self.more,
        }  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """The run that is asked, and what several checks look at."""

    run: Run
    summary: Entry

    @cached_property
    def done(self) -> list[tuple[RunStep, Artifact]]:
        """The finished steps, in the order of the run."""
        return [(step, made) for step in self.run.due if (made := self.run.artifact(step)) is not None]

    @property
    def entries(self) -> Sequence[Entry]:
        return list(self.summary["iterations"])

    @property
    def trains(self) -> bool:
        """Whether the recipe makes any model at all; else it only tests the base."""
        return len(self.entries) > 1

    @cached_property
    def heads(self) -> dict[str, str]:
        """Task -> its headline metric."""
        return headlines(row for e in self.entries for row in e["scores"])

    @cached_property
    def claimed(self) -> int | None:
        """The model the run is about: its result where that was tested, else the last that was; None for the base."""
        tested = [e["iteration"] for e in self.entries if e["gain"]]
        result = (self.summary["result"] or {}).get("iteration")
        return result if result in tested else max(tested, default=None)

    @cached_property
    def headline_gains(self) -> list[Entry]:
        """What the claimed model changed over the base, by task; those whose pairing was refused are left out."""
        rows = self.entries[self.claimed]["gain"] if self.claimed else []
        return [r for r in rows if self.heads.get(r["task"]) == r["metric"] and r["value"] is not None]

    @cached_property
    def alike(self) -> list[Sibling]:
        """The runs of this store that differ in seed or base model alone, this one among them."""
        return siblings(self.run)

    @property
    def seeds(self) -> dict[int, Sibling]:
        """Seed -> a complete run of this very recipe."""
        return {s.seed: s for s in self.alike if s.complete and s.base == self.run.recipe.model.base}

    @cached_property
    def sweeps(self) -> list[Sweep]:
        """The sweeps of this store that this run is an arm of."""
        return sweeps_of(self.run)

    @property
    def has_model(self) -> bool:
        """Whether a model was at work, and no stand-in."""
        return self.run.recipe.backend.engine != "fake"

    def sweep(self, on_lamb: str, on_others: str, *settings: str) -> str:
        """The command of the shipped sweep for this base model: `on_lamb` takes minutes, others need to be told the
        model and the tests."""
        if not self.has_model:
            return "`isheep sweep fake`, which shows the shape of one without a model"
        if self.run.recipe.model.base == "lamb":
            return f"`isheep sweep {on_lamb}`"
        given = [f"model.base={self.run.recipe.model.base}", "evaluate.tasks=[./questions.jsonl]", *settings]
        return f"`isheep sweep {on_others} {' '.join(f'--set {shlex.quote(text)}' for text in given)}`"

    @property
    def own_sweep(self) -> str:
        """The sweep this run is an arm of, as `isheep sweep` takes it: a shipped name, else a file of the user's."""
        names = [sweep.name for sweep in self.sweeps]
        return next((name for name in names if name in shipped("recipes/sweeps", ".yaml")), "SWEEP.yaml")

    @property
    def name(self) -> str:
        """The run's name as a word of a command."""
        return shlex.quote(self.run.name)

    def tests(self) -> str:
        """What would give this run scores of its models."""
        if not self.summary["complete"]:
            return f"Finish the run: `{AGAIN}`."
        return (
            f"`isheep eval {self.name} --tasks ./questions.jsonl` puts questions of your own to every model of this "
            "run; `evaluate.tasks` in the recipe also keeps them out of training."
        )


def listed(words: Sequence[object], most: int = 6) -> str:
    """ "a, b and c"; of many the first, and how many more there are."""
    shown = [str(word) for word in words]
    if len(shown) > most:
        return f"{', '.join(shown[: most - 1])} and {len(shown) - most + 1} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def plural(count: int, word: str) -> str:
    """ "1 run", "2 runs"."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def in_points(value: float) -> str:
    """0.0512 -> "5.1 points", without a sign."""
    return f"{points(abs(value)).lstrip('+')} points"


def metric_name(row: Entry) -> str:
    """ "lamb, accuracy greedy"."""
    return f"{row['task']}, {row['metric'].replace('_', ' ')}"
