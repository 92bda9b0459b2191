"""What the steps of a plan take on given GPUs: time and memory of each, how the work is spread, and what does not fit.

Brings together what a plan asks for (`estimate`) and what devices can do (`capacity`). All times are estimates, made
before anything runs and without looking for a GPU; docs/capacity.md shows how far they are off.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from isheep.backends import ENGINES
from isheep.capacity.fit import (
    Room,
    Serving,
    Task,
    Training,
    Work,
    servings,
    trainings,
)
from isheep.capacity.gpus import find_gpu
from isheep.capacity.memory import largest, weights
from isheep.capacity.notes import serving_notes, training_notes
from isheep.capacity.shape import SHAPES, Shape, like, shape_of
from isheep.capacity.speed import start
from isheep.errors import RecipeError
from isheep.estimate import TYPICAL, Lengths, estimate
from isheep.plan import Plan, Step
from isheep.recipe import Recipe
from isheep.stages import STAGES

#: Above this many parameters the trainer recomputes activations (backends/trl_run.py has the same number).
RECOMPUTE_ABOVE = 1_000_000_000
#: Preferring one answer over another asks the reference model too: one forward pass besides the three.
PREFER_MORE = 4 / 3

_NEEDS = {stage.name: stage.needs for stage in STAGES}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one step. `seconds` None: it does not fit, or somebody else's server does the work."""

    seconds: float | None = 0.0
    #: What most of the time goes into.
    limit: str = ""
    #: Bytes on each GPU; 0: it uses none.
    memory: float = 0.0
    fits: bool = True


@dataclass(frozen=True, slots=True)
class Capacity:
    """A plan on devices."""

    room: Room
    model: str
    shape: Shape
    #: By kind of engine ("vllm"; "hf", which also reads hidden states for it).
    serving: Mapping[str, Serving]
    training: Training | None
    #: Step name -> cost.
    costs: Mapping[str, Cost]
    #: What a person should read below the table.
    notes: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether every step does."""
        return all(cost.fits for cost in self.costs.values())

    def row(self, step: str) -> dict[str, Any]:
        """What a step's line of the table says: "seconds" (null: not known here), "limit", "memory", "fits"."""
        return asdict(self.costs[step])

    def summary(self, steps: Sequence[str]) -> dict[str, Any]:
        """These steps together. `unknown`: those a server does, in its own time."""
        costs = {name: self.costs[name] for name in steps}
        fits = all(cost.fits for cost in costs.values())
        return {
            "gpu": self.room.gpu.name,
            "devices": self.room.devices,
            "model": self.model,
            "parameters": self.shape.parameters,
            "exact": self.shape.exact,
            "files": weights(self.shape, "16bit"),
            "fits": fits,
            "seconds": sum(cost.seconds or 0.0 for cost in costs.values()) if fits else None,
            "memory": max((cost.memory for cost in costs.values()), default=0.0),
            "unknown": [name for name, cost in costs.items() if cost.fits and cost.seconds is None],
            "serving": {
                kind: {"workers": way.engine.workers, "gpus_each": way.engine.gpus, "fits": way.fits}
                for kind, way in self.serving.items()
            },
            "training": None
            if self.training is None
            else {"how": self.training.config, **_parts(self.training)},
            "notes": list(self.notes),
        }


def _parts(training: Training) -> dict[str, Any]:
    return {"gpus": training.devices, "fits": training.fits, "parts": dict(training.parts)}


@dataclass
class _Planned:
    """Settings of a recipe, as the arithmetic names them."""

    recipe: Recipe
    room: Room
    shape: Shape
    weights: str = field(init=False)

    def __post_init__(self) -> None:
        model = self.recipe.model
        self.weights = model.load_in or ("32bit" if model.dtype == "float32" else "16bit")

    def engine(self, step: Step) -> str:
        """Who does a step: "hf", "vllm", "train"; empty: nobody here."""
        backend, judge = self.recipe.backend, self.recipe.judge
        needs = _NEEDS[step.stage]
        if needs == "train":
            return "train" if backend.trainer == "trl" else ""
        if needs == "judge" and (
            judge.kind != "engine" or judge.model not in ("base", self.recipe.model.base)
        ):
            return ""  # another model, or a server
        if needs == "examiner" and backend.examiner != "auto":
            return {"lm_eval": "hf", "lm_eval_vllm": "vllm"}.get(backend.examiner, "")
        if not needs or backend.engine not in ("hf", "vllm", "openai"):
            return ""
        if needs == "hidden":
            return "hf"
        return "" if backend.engine == "openai" else backend.engine

    def task(self) -> Task:
        """The training it asks for; of fine-tuning and preferring, the one that needs more memory at once."""
        train, prefer, lora = self.recipe.train, self.recipe.prefer, self.recipe.train.lora
        batch, cutoff = train.batch_size, train.cutoff
        if self.recipe.preferences.samples and 2 * prefer.batch_size * prefer.cutoff > batch * cutoff:
            batch, cutoff = 2 * prefer.batch_size, prefer.cutoff
        adapter = self.shape.adapter(lora.rank, lora.target_modules)
        recompute = self.shape.parameters > RECOMPUTE_ABOVE
        return Task(adapter, batch, cutoff, recompute, train.accumulation)

    def serving(self, kind: str, asked: Sequence[Work]) -> Serving:
        """The fastest way that fits; where none does, the one that spreads the model most."""
        runtime, batch = self.recipe.runtime, self.recipe.runtime.batch_size
        longest = self.recipe.model.context or 0
        fixed = runtime.tensor_parallel if kind == "vllm" and runtime.tensor_parallel > 1 else 0
        ways = list(servings(self.shape, self.room, kind, self.weights, fixed, longest))
        if not ways:
            raise RecipeError(
                f"runtime.tensor_parallel: {fixed} GPUs cannot share {self.shape.heads} heads evenly, or are not there",
                "a power of two that is no more than --devices",
            )

        def spent(way: Serving) -> float:
            return sum(way.seconds(self.shape, self.room, work, batch).total for work in asked)

        return min((way for way in ways if way.fits), key=spent, default=ways[-1])

    def training(self, asked: Sequence[Work]) -> Training:
        """The fastest way that fits; where none does, the one that needs least of a GPU."""
        ways = list(trainings(self.shape, self.room, self.weights, self.task()))

        def spent(way: Training) -> float:
            return sum(way.seconds(self.shape, self.room.gpu, self.task(), work).total for work in asked)

        fitting = [way for way in ways if way.fits]
        return min(fitting, key=spent) if fitting else min(ways, key=lambda way: sum(way.parts.values()))


def capacity(
    plan: Plan,
    gpu: str,
    devices: int,
    parameters: float | None = None,
    lengths: Lengths = TYPICAL,
    done: Collection[str] = (),
) -> Capacity:
    """What the plan takes on `devices` GPUs of that name, without the steps that are `done`.

    `parameters`: of a model whose shape is not known. Raises RecipeError for an unknown GPU, and for a model of unknown
    size without `parameters`.
    """
    recipe = plan.recipe
    room = Room(find_gpu(gpu), devices, recipe.runtime.gpu_memory)
    shape = like(parameters) if parameters else shape_of(recipe.model.base)
    if shape is None:
        raise RecipeError(
            f"how large {recipe.model.base!r} is cannot be known without downloading it",
            "--params 7e9 says it; a local folder is read; known by name: " + ", ".join(SHAPES),
        )
    planned = _Planned(recipe, room, shape)
    guessed = estimate(plan, lengths)
    todo = [step for step in plan.steps if step.name not in done]
    asked: dict[str, dict[str, Work]] = {}
    for step in todo:
        guess = guessed[step.name]
        asked.setdefault(planned.engine(step), {})[step.name] = Work(
            guess.requests, guess.read, guess.written
        )
    elsewhere, train = asked.pop("", {}), asked.pop("train", {})
    serving = {kind: planned.serving(kind, list(work.values())) for kind, work in asked.items()}
    training = planned.training(list(train.values())) if train else None
    costs = dict.fromkeys(done, Cost())
    last: tuple[Step, str] | None = None
    for step in todo:
        kind = planned.engine(step)
        if step.name in elsewhere:
            costs[step.name] = _elsewhere(step)
            continue
        if training is not None and step.name in train:
            costs[step.name] = _train_cost(planned, training, step, train[step.name])
        else:
            kept = last is not None and last[1] == kind and _stays(kind, last[0], step)
            costs[step.name] = _serve_cost(planned, serving[kind], asked[kind][step.name], kept)
        last = step, kind
    longest = recipe.model.context or 0
    notes = [*serving_notes(shape, room, planned.weights, longest, serving)]
    if training is not None:
        notes += training_notes(shape, room, planned.weights, planned.task(), training)
    return Capacity(room, recipe.model.base, shape, serving, training, costs, tuple(notes))


def _stays(kind: str, one: Step, other: Step) -> bool:
    """Whether the engine that did one step is there for the next: the same model, or it swaps adapters."""
    if any(_NEEDS[step.stage] not in ("engine", "hidden") for step in (one, other)):
        return False
    return one.adapter == other.adapter or "adapters" in ENGINES[kind].can


def _elsewhere(step: Step) -> Cost:
    """A step that loads no model here takes no time to speak of; but a server's time is not known."""
    served = step.backend == "openai" and _NEEDS[step.stage] in ("engine", "examiner")
    return Cost(None if served or (step.judge is not None and _NEEDS[step.stage] == "judge") else 0.0)


def _serve_cost(planned: _Planned, serving: Serving, work: Work, kept: bool) -> Cost:
    """`kept`: the engine is there already."""
    shape, room = planned.shape, planned.room
    if not work.requests:
        return Cost()
    if not serving.fits:
        return Cost(None, largest(serving.least), sum(serving.least.values()), False)
    batch = planned.recipe.runtime.batch_size
    spent = serving.seconds(shape, room, work, batch)
    if not kept:
        spent += start(shape, serving.engine)
    parts = serving.parts(shape, work, serving.texts(shape, room, work, batch))
    return Cost(spent.total, spent.limit, sum(parts.values()))


def _train_cost(planned: _Planned, training: Training, step: Step, work: Work) -> Cost:
    memory = sum(training.parts.values())
    if not training.fits:
        return Cost(None, largest(training.parts), memory, False)
    if step.stage == "prefer":
        work = Work(round(PREFER_MORE * work.requests), round(PREFER_MORE * work.read))
    spent = training.seconds(planned.shape, planned.room.gpu, planned.task(), work)
    return Cost(spent.total, spent.limit, memory)
