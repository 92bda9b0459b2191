"""Walk the plan: step after step, from the store where it is done, by hand where it is not."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from isheep.backends import ENGINES
from isheep.backends.base import Runtime
from isheep.engines import Engines
from isheep.errors import MissingExtraError
from isheep.events import Event, Listener
from isheep.plan import Plan, Step, make_plan
from isheep.preflight import preflight
from isheep.recipe import Loaded
from isheep.recipe_sections import RuntimeSettings, TrackersSettings
from isheep.report import write_report
from isheep.report.headlines import SCORING, headline_values
from isheep.runs import DEFAULT_STORE, Run, RunStep, plan_digest, register, stops
from isheep.stages import STAGE_BY_NAME
from isheep.step import do_step
from isheep.store import Artifact, Store
from isheep.store.disk import in_words
from isheep.trackers import Tracking, missing, open_tracker, unready
from isheep.worker import Worker


def run(
    recipe: Loaded,
    store: Store | Path | str = DEFAULT_STORE,
    name: str | None = None,
    tell: Listener = lambda event: None,
    match: Plan | None = None,
) -> Run:
    """Do all of a recipe that the store does not have yet, write the report, and return the run.

    `name`: the run's name; by default the recipe's name, its seed and six digits of its keys, so that other settings
    make another run and the same settings go on with this one. `match`: see make_plan. Raises IsheepError; what was
    done stays done.
    """
    store = store if isinstance(store, Store) else Store(store)
    store.check()
    plan = make_plan(recipe, match)
    runtime = runtime_of(recipe.recipe.runtime, store)
    preflight(plan.steps, store, runtime, [*_refused(recipe.recipe.trackers)])
    made = register(plan, store, name)
    with Tracking(made, recipe.recipe.trackers, plan_digest(plan), open_tracker, tell) as tracking:
        _walk(plan, made, Hands(recipe.recipe.runtime, store, runtime, tell), tracking)
        with in_words(f"cannot write the report of {made.name}"):
            write_report(made)
        tracking.report()
    return made


def _walk(plan: Plan, made: Run, hands: Hands, tracking: Tracking) -> None:
    """Every step, as far as a review lets it come."""
    try:
        with hands:
            for step in plan.steps:
                artifact = hands.do(step)
                tracking.log(RunStep(step.name, step.stage, step.iteration, step.key), artifact)
                if step.stage == "review" and stops(artifact):
                    break
    except Exception:  # not on Ctrl-C: who stops a run does not want to wait for its report
        with contextlib.suppress(Exception):
            write_report(made)  # also of a run that stopped: its funnel says why
        raise


def _refused(settings: TrackersSettings) -> Iterator[str]:
    """What is in the way of the trackers. Raises MissingExtraError where that is their packages."""
    absent = [name for name in settings.use if list(missing((name,)))]
    if absent:
        raise MissingExtraError("\n  ".join(missing(absent)), f"pip install 'isheep[{','.join(absent)}]'")
    yield from unready(settings.use)


class Hands:
    """Does steps, here or in a process of their own; a loaded engine stays for as long as it serves the next step."""

    def __init__(self, settings: RuntimeSettings, store: Store, runtime: Runtime, tell: Listener) -> None:
        self._apart = needs_own_process(settings)
        self._store, self._runtime, self._listener = store, runtime, tell
        self._engines = Engines()
        self._worker = Worker(store, runtime, self._tell)
        #: The step at hand, and the last one that was done by the worker.
        self._step: Step | None = None
        self._last: Step | None = None

    def __enter__(self) -> Hands:
        return self

    def __exit__(self, *exc: object) -> None:
        self._worker.close()
        self._engines.close()

    def do(self, step: Step) -> Artifact:
        """One step, in a process of its own where it loads a model and the settings ask for that; kept where the store
        is."""
        self._step = step
        self._store.listen(
            lambda text: self._tell(Event("note", step.name, text=text, iteration=step.iteration))
        )
        return self._store.keep(self._do(step))

    def _tell(self, event: Event) -> None:
        """Pass an event on; that a test is over, with what it came to."""
        step = self._step
        if step is not None and step.stage in SCORING and event.kind in ("done", "cached"):
            found = self._store.find(step.stage, step.key)
            event = replace(event, scores=headline_values(found)) if found else event
        self._listener(event)

    def _do(self, step: Step) -> Artifact:
        if not (self._apart and loads(step)):
            return do_step(step, self._store, self._runtime, self._tell, self._engines)
        if self._last is None or not same_engine(self._last, step):
            self._worker.close()  # memory is truly free only when its process is gone
        self._last = step
        return self._worker.do(step)


def loads(step: Step) -> bool:
    """Whether a step loads a model on this machine."""
    needs = STAGE_BY_NAME[step.stage].needs
    if needs == "judge":
        return step.judge is not None and step.judge.spec is not None
    return needs not in ("", "questions")


def same_engine(one: Step, other: Step) -> bool:
    """Whether the engine that did one step serves the other: the same model, or another adapter where it swaps them."""
    if any(STAGE_BY_NAME[step.stage].needs not in ("engine", "hidden") for step in (one, other)):
        return False
    swaps = one.adapter == other.adapter or "adapters" in ENGINES[one.backend].can
    return (one.backend, one.model) == (other.backend, other.model) and swaps


def runtime_of(settings: RuntimeSettings, store: Store) -> Runtime:
    """How to run, with the place where judges' answers are kept."""
    return Runtime(
        settings.batch_size,
        settings.device,
        settings.threads,
        cache=store.root / "cache",
        concurrency=settings.concurrency,
        workers=settings.workers,
        ray=settings.ray,
        tensor_parallel=settings.tensor_parallel,
        gpu_memory=settings.gpu_memory,
        device_map=settings.device_map,
        launch=settings.launch,
        allow_code_execution=settings.allow_code_execution,
    )


def needs_own_process(runtime: RuntimeSettings) -> bool:
    """Whether steps with a model run in processes of their own: on a GPU, so that its memory is truly given back."""
    if runtime.isolation != "auto":
        return runtime.isolation == "process"
    if runtime.device != "auto":
        return runtime.device.startswith("cuda")
    return (
        any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/kfd"))
        and os.environ.get("CUDA_VISIBLE_DEVICES") != ""
    )


__all__ = ["Event", "run"]
