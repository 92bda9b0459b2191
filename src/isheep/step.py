"""Do one step: claim its key, open what its stage asks for, journal what it yields, publish.

Knows: store, stages, backends' door. Does not know: the order of steps (walk.py), how progress is shown (view.py).
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from isheep.backends import open_examiner, open_judge, open_trainer
from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.energy import Meter
from isheep.backends.outside import Judge
from isheep.engines import Engines
from isheep.errors import StoreError
from isheep.events import Event, Listener, Teller
from isheep.plan import Step, StepRef
from isheep.records import Likelihood, ModelRef
from isheep.stages import STAGE_BY_NAME
from isheep.stages.stage import Context
from isheep.store import Artifact, Claim, Store, provenance

#: Records written at once where no model works for them: a kill loses at most so many, and they cost next to nothing.
CHEAP = 1000

__all__ = ["CHEAP", "Event", "Listener", "adapter_folder", "do_step", "fetch", "usage"]


def do_step(
    step: Step, store: Store, runtime: Runtime, tell: Listener, engines: Engines | None = None
) -> Artifact:
    """The artifact of a step: as found, or made now. An interruption leaves a journal that the next goes on from.

    `engines`: whoever does several steps hands in the engine that the last one left open, and closes it at the end.
    """
    if engines is None:
        with contextlib.closing(Engines()) as own:
            return do_step(step, store, runtime, tell, own)
    found = store.find(step.stage, step.key)
    if found is not None:
        tell(_cached(step, found))
        return found
    teller = Teller(tell, step.name, step.iteration)
    with store.claim(step.stage, step.key, on_wait=lambda text: teller.say("wait", text)) as claim:
        if isinstance(claim, Artifact):
            tell(_cached(step, claim))
            return claim
        teller.say("start")
        started, clock = provenance.now(), time.monotonic()
        resumed = len(claim.journal) > 0
        for cls in claim.journal.types():
            teller.count(claim.journal.read(cls))
        with _few_collections(), _Bench(step, store, runtime, claim, teller, engines) as bench:
            _work(bench.context(), step, claim, teller)
            bench.hear_out()
            device, parameters, joules, spent = bench.device, bench.parameters, bench.joules(), bench.spent()
        seconds = round(time.monotonic() - clock, 3)
        manifest = {
            "name": step.name,
            "iteration": step.iteration,
            "settings": step.settings.model_dump(mode="json"),
            "inputs": {role: [ref.key for ref in refs] for role, refs in step.inputs.items()},
            "model": _model(step),
            "usage": usage(claim),
            "notes": bench.notes,
            "started": started,
            "seconds": seconds,
            "parameters": parameters,
            "joules": joules,
            **({"judge": spent} if spent else {}),
            "resumed": resumed,
            "device": device,
            "provenance": provenance.collect(),
        }
        artifact = claim.publish(manifest, STAGE_BY_NAME[step.stage].writes)
        teller.say("done", seconds=seconds)
        return artifact


def _cached(step: Step, found: Artifact) -> Event:
    usage = found.manifest["usage"]
    return Event(
        "cached", step.name, iteration=step.iteration, tokens=usage["tokens"] or usage["trained_tokens"]
    )


def _work(ctx: Context[Any], step: Step, claim: Claim, teller: Teller) -> None:
    stage = STAGE_BY_NAME[step.stage]
    records = stage.run(ctx)
    while batch := list(islice(records, 1 if stage.needs else CHEAP)):
        if isinstance(batch[0], ModelRef):
            claim.sync()  # the adapter must be on the disk before the record that promises it
        claim.journal.extend(batch)
        teller.count(batch)


@contextlib.contextmanager
def _few_collections() -> Iterator[None]:
    """Look for circles of garbage less often: a step makes records by the million, which never stand in one, and
    looking through them all again and again takes a tenth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def usage(claim: Claim) -> dict[str, int]:
    """Tokens read, written and trained on, counted from the records themselves (so an interruption loses none)."""
    totals = dict.fromkeys(("prompt_tokens", "tokens", "trained_tokens"), 0)
    for cls in claim.journal.types():
        counts = [(name, name) for name in totals if hasattr(cls, name)]
        if cls is Likelihood:  # its text was read like its prompt
            counts.append(("prompt_tokens", "text_tokens"))
        for name, counted in counts:
            totals[name] += int(sum(map(attrgetter(counted), claim.journal.read(cls))))
    return totals


def _model(step: Step) -> dict[str, Any] | None:
    if step.model is None:
        return None
    return {
        "revision": step.model.revision,
        "dtype": step.model.dtype,
        "layout": step.layout,
        "adapter": step.adapter.key if step.adapter else None,
        "backend": step.backend,
    }


class _Bench:
    """Holds what a running step has open: a model is loaded at first use, and closed at the end; an engine stays."""

    def __init__(
        self, step: Step, store: Store, runtime: Runtime, claim: Claim, teller: Teller, engines: Engines
    ) -> None:
        self.step, self.store, self.runtime, self.claim, self.teller = step, store, runtime, claim, teller
        self.engines = engines
        self.notes: list[str] = []
        self._meter: Meter | None = None
        self._open: Any = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> _Bench:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        self._stack.close()
        if kind is not None:
            self.engines.close()  # it may have stopped in the middle of something

    def context(self) -> Context[Any]:
        step = self.step
        return Context(
            settings=step.settings,
            key=step.key,
            iteration=step.iteration,
            inputs={role: self._reader(refs) for role, refs in step.inputs.items()},
            journal=self.claim.journal.read,
            folder=self.claim.folder,
            files=step.files,
            model=self._spec() if step.model else None,
            layout=step.layout,
            open_engine=self._engine,
            open_trainer=lambda: self._backend(open_trainer),
            open_examiner=lambda: self._backend(open_examiner),
            open_judge=lambda: self._backend(self._judge),
            report=self.teller.report,
            note=self._note,
        )

    def _reader(self, refs: tuple[StepRef, ...]) -> Callable[[type[Any]], Iterator[Any]]:
        def read(cls: type[Any]) -> Iterator[Any]:
            return (r for ref in refs for r in fetch(self.store, ref).stream(cls))

        return read

    def _spec(self) -> ModelSpec:
        assert self.step.model is not None
        if self.step.adapter is None:
            return self.step.model
        return replace(self.step.model, adapter=str(adapter_folder(self.store, self.step.adapter)))

    def _engine(self) -> Any:
        if self._open is None:
            self._open = self.engines.open(self.step.backend, self._spec(), self.runtime)
            self._meter = Meter(self._open.device_name)
        return self._open

    def _backend(self, opener: Callable[[str, Any, Runtime], Any]) -> Any:
        if self._open is None:
            if STAGE_BY_NAME[self.step.stage].needs != "questions":  # else nothing is loaded
                self.engines.close()
            self._open = opener(self.step.backend, self._spec() if self.step.model else None, self.runtime)
            self._stack.callback(self._open.close)
            self._meter = Meter(self._open.device_name)
        return self._open

    def _judge(self, kind: str, model: ModelSpec | None, runtime: Runtime) -> Judge:
        assert self.step.judge is not None
        return open_judge(kind, self.step.judge, runtime, self.step.judge.engine)

    @property
    def device(self) -> str | None:
        """Where the work was done; an examiner knows it only once its own process has loaded the model."""
        return self._open.device_name if self._open else None

    @property
    def parameters(self) -> int | None:
        return self._open.parameters if self._open else None

    def spent(self) -> dict[str, int] | None:
        """What a judge was asked, what came from the cache, and the tokens it counted; None for other steps."""
        return asdict(self._open.spent) if self._open and self.step.judge else None

    def joules(self) -> float | None:
        """Energy the device used for this step; 0 without a model, None where the device does not say."""
        return self._meter.joules() if self._meter else 0.0

    def hear_out(self) -> None:
        """Pass on what the engine found out meanwhile, of a server for one."""
        for text in getattr(self._open, "notes", ()):
            self._note(text)

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self.teller.say("note", text)


def fetch(store: Store, ref: StepRef) -> Artifact:
    """A finished step's artifact. Raises StoreError when it is not there."""
    found = store.find(ref.stage, ref.key)
    if found is None:
        raise StoreError(f"{ref.stage} {ref.key[:12]} is not in the store", "run the recipe again to make it")
    return found


def adapter_folder(store: Store, ref: StepRef) -> Path:
    """The folder of the adapter that a train step made."""
    artifact = fetch(store, ref)
    (model,) = artifact.read(ModelRef)
    return artifact.path(model.adapter)
