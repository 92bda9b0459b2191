"""What a plan is made of: steps, each named by the digest of all that can change its result.

Knows: what belongs to the identity of a step. Does not know: which steps there are, and in what order (plan.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isheep.backends.base import ModelSpec
from isheep.backends.outside import JudgeSpec
from isheep.recipe import Recipe
from isheep.stages.evaluate import EvaluateSettings
from isheep.stages.stage import Settings
from isheep.store.key import file_digest

#: Settings that only choose a step's inputs or model: these enter its key themselves. So `judge: base` and
#: `judge: current` share the whole first iteration, where both are the base model.
WIRING = frozenset({"author", "drop", "judge", "start", "turns"})
#: Of `evaluate`, whose tests are inputs; to other stages such settings mean something else.
WIRING_OF_TESTS = frozenset({"tasks", "also"})


@dataclass(frozen=True, slots=True)
class StepRef:
    """Names an artifact: its stage and key."""

    stage: str
    key: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run: a stage, its settings and inputs, and the key that names its result."""

    name: str
    stage: str
    iteration: int
    key: str
    settings: Settings
    inputs: Mapping[str, tuple[StepRef, ...]]
    files: Mapping[str, Path] = field(default_factory=dict)
    #: The base model to load, for stages that need one; its adapter is the `adapter` artifact's, if any.
    model: ModelSpec | None = None
    adapter: StepRef | None = None
    layout: str = "auto"
    backend: str = ""
    #: Who judges, for the one stage that asks an outside judge; the server's address is no part of the key.
    judge: JudgeSpec | None = None

    @property
    def ref(self) -> StepRef:
        return StepRef(self.stage, self.key)


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole row, in the order it runs."""

    recipe: Recipe
    steps: tuple[Step, ...]

    def of(self, stage: str) -> tuple[Step, ...]:
        """The steps of one stage, by iteration."""
        return tuple(step for step in self.steps if step.stage == stage)


def distinct(settings: Settings, files: Mapping[str, Path]) -> dict[str, Any]:
    """Settings as they enter a key: a file stands by its digest, so moving it changes nothing."""
    wiring = WIRING | WIRING_OF_TESTS if isinstance(settings, EvaluateSettings) else WIRING
    plain = settings.model_dump(mode="json", exclude=set(wiring))
    if isinstance(plain.get("match"), str):  # the name of an arm, whose filter step is an input
        plain["match"] = "arm"
    return {**plain, **{name: file_digest(path) for name, path in files.items()}}
