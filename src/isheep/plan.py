"""A plan: the recipe unrolled into a row of steps, each with its key, before anything runs.

Pure apart from reading the outside files' digests. Here one sees Algorithm 1 as it will be run: which model writes,
which judges, where each training starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isheep.backends.base import ModelSpec
from isheep.files import is_folder, model_path
from isheep.recipe import Loaded, Recipe
from isheep.stages import STAGE_BY_NAME
from isheep.stages.seeds import SeedsSettings
from isheep.stages.stage import Settings, outside_files
from isheep.store.key import digest, file_digest


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

    @property
    def ref(self) -> StepRef:
        return StepRef(self.stage, self.key)


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole row, in the order it runs. `files_digest` are digests of the outside files by setting."""

    recipe: Recipe
    steps: tuple[Step, ...]

    def of(self, stage: str) -> tuple[Step, ...]:
        """The steps of one stage, by iteration."""
        return tuple(step for step in self.steps if step.stage == stage)


def make_plan(loaded: Loaded) -> Plan:
    """Unroll a checked recipe. Reads the named outside files once, for their digests; loads no model."""
    return _Planner(loaded).plan()


class _Planner:
    def __init__(self, loaded: Loaded) -> None:
        self.recipe = loaded.recipe
        self.files = loaded.files
        self.steps: list[Step] = []
        model = self.recipe.model
        path = model_path(model.base)
        local = Path(path).expanduser() if is_folder(path) else None
        self.spec = ModelSpec(
            str(local or path),
            model.revision,
            dtype=model.dtype,
            trust_remote_code=model.trust_remote_code,
            name=model.base,
        )
        #: What identifies the base model: its files where they are at hand, else its hub id and revision.
        self.model_key = {
            "base": file_digest(local) if local else model.base,
            "revision": model.revision,
            "dtype": model.dtype,
        }

    def plan(self) -> Plan:
        recipe = self.recipe
        seeds = self._step("seeds", "seeds", 0, recipe.seeds, {})
        tests = tuple(self._tests())
        self._evaluate(0, None, tests)
        current: Step | None = None  # the train step that made M_t; None is the base model
        earlier: list[Step] = []  # instruction steps of earlier iterations
        data: list[tuple[Step, Step]] = []  # (responses, filter) of all iterations so far
        for t in range(recipe.iterations):
            author = current if recipe.instructions.author == "current" else None
            judge = current if recipe.assessment.judge == "current" else None
            wrote = self._step(
                "instructions", "instructions", t, recipe.instructions,
                {"seeds": [seeds], "earlier": earlier}, author,
            )  # fmt: skip
            answered = self._step(
                "responses", "responses", t, recipe.responses, {"instructions": [wrote]}, current
            )
            judged = self._step(
                "assessment", "assessment", t, recipe.assessment, {"responses": [answered]}, judge
            )
            kept = self._step(
                "filter", "filter", t, recipe.filter,
                {"responses": [answered], "assessment": [judged], "tests": tests},
            )  # fmt: skip
            data.append((answered, kept))
            current = self._train(t, current, data)
            self._evaluate(t + 1, current, tests)
            earlier.append(wrote)
        return Plan(recipe, tuple(self.steps))

    def _tests(self) -> Iterable[Step]:
        for i, task in enumerate(self.recipe.evaluate.tasks):
            name = f"evaluate.tasks.{i}"
            prefix = f"{Path(task).stem}:"
            settings = SeedsSettings(file=task, prefix=prefix)
            yield self._step(
                f"tests.{prefix[:-1]}", "seeds", 0, settings, {}, files={"file": self.files[name]}
            )

    def _train(self, t: int, current: Step | None, data: list[tuple[Step, Step]]) -> Step:
        start = self.recipe.train.start
        used = data if start == "total_base" else data[-1:]
        return self._step(
            "train", "train", t, self.recipe.train,
            {"responses": [r for r, _ in used], "filter": [f for _, f in used]},
            current if start == "one_last" else None,
        )  # fmt: skip

    def _evaluate(self, t: int, model: Step | None, tests: tuple[Step, ...]) -> None:
        if tests:
            self._step("evaluate", "evaluate", t, self.recipe.evaluate, {"tests": tests}, model)

    def _step(
        self,
        name: str,
        stage_name: str,
        iteration: int,
        settings: Settings,
        inputs: Mapping[str, Iterable[Step]],
        adapter: Step | None = None,
        files: Mapping[str, Path] | None = None,
    ) -> Step:
        stage = STAGE_BY_NAME[stage_name]
        recipe = self.recipe
        if files is None:
            files = {name: self.files[f"{stage_name}.{name}"] for name, _ in outside_files(type(settings))}
        refs = {role: tuple(step.ref for step in steps) for role, steps in inputs.items()}
        refs = {role: steps for role, steps in refs.items() if steps}
        backend = {"engine": recipe.backend.engine, "train": recipe.backend.trainer}.get(stage.needs, "")
        identity: dict[str, Any] = {
            "stage": stage.name,
            "version": stage.version,
            "settings": _identity(settings, files),
            "iteration": iteration,
            "seed": recipe.seed,
            "inputs": {role: [ref.key for ref in steps] for role, steps in refs.items()},
        }
        if stage.needs:
            adapter_key = adapter.key if adapter else None
            identity["model"] = {**self.model_key, "backend": backend, "adapter": adapter_key}
            if stage.lays_out:
                identity["model"]["layout"] = recipe.model.layout
        step = Step(
            name if stage_name == "seeds" else f"{name}.{iteration}",
            stage.name,
            iteration,
            digest(identity),
            settings,
            refs,
            files,
            self.spec if stage.needs else None,
            adapter.ref if adapter else None,
            recipe.model.layout,
            backend,
        )
        self.steps.append(step)
        return step


#: Settings that only choose a step's inputs or model: these enter its key themselves. So `judge: base` and
#: `judge: current` share the whole first iteration, where both are the base model.
WIRING = frozenset({"author", "judge", "start", "tasks"})


def _identity(settings: Settings, files: Mapping[str, Path]) -> dict[str, Any]:
    """Settings as they enter a key: a file stands by its digest, so moving it changes nothing."""
    plain = settings.model_dump(mode="json", exclude=set(WIRING))
    return {**plain, **{name: file_digest(path) for name, path in files.items()}}
