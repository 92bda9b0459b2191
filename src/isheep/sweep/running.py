"""Run a sweep: its jobs one after the other, or several seeds side by side in processes of their own.

A run that ends in an error of its own (a filter that keeps nothing, a model that writes no more lists or does not fit
into memory) is a result: it is written down and the other runs go on. Anything else, Ctrl-C too, ends the sweep; what
was done stays done.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from isheep.child import MALLOC
from isheep.errors import BackendError, RecipeError, StoreError, YieldError
from isheep.events import Event, Seldom
from isheep.runs import DEFAULT_STORE
from isheep.store import Store
from isheep.sweep.definition import Job, LoadedSweep
from isheep.sweep.record import Entry, SweepRecord, open_sweep, write_sweep
from isheep.walk import run


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What happens in one run of a sweep."""

    kind: Literal["start", "step", "done", "failed"]
    arm: str
    seed: int
    step: Event | None = None
    text: str = ""


Listener = Callable[[JobEvent], None]


def run_sweep(
    loaded: LoadedSweep,
    store: Store | Path | str = DEFAULT_STORE,
    workers: int = 1,
    tell: Listener = lambda event: None,
) -> SweepRecord:
    """Do every run of a sweep that is not done yet. `workers`: seeds done at the same time, a process each.

    Raises what is not a run's own failure. Run it again after an interruption: it goes on from where it stopped.
    """
    store = store if isinstance(store, Store) else Store(store)
    sweep = loaded.sweep
    entries: dict[str, Entry] = {}

    def note(made: Sequence[Entry]) -> None:
        entries.update((entry.run, entry) for entry in made)
        write_sweep(store, sweep.name, sweep.model_dump(mode="json"), list(entries.values()))

    by_seed = [[job for job in loaded.jobs if job.seed == seed] for seed in sweep.seeds]
    if workers == 1:
        for jobs in by_seed:
            for job in jobs:
                note([_do(job, store, tell)])
    else:
        _side_by_side(by_seed, store, workers, tell, note)
    return open_sweep(sweep.name, store)


def _do(job: Job, store: Store, tell: Listener) -> Entry:
    """One run, and how it ended."""
    tell(JobEvent("start", job.arm, job.seed))
    try:
        run(
            job.loaded,
            store,
            job.run,
            Seldom(lambda event: tell(JobEvent("step", job.arm, job.seed, event))),
            job.match,
        )
    except (YieldError, BackendError, RecipeError, StoreError) as error:
        why = _unmatched(job, store) if isinstance(error, StoreError) else error.message
        if why is None:
            raise
        tell(JobEvent("failed", job.arm, job.seed, text=why))
        return Entry(job.arm, job.seed, job.run, why)
    tell(JobEvent("done", job.arm, job.seed))
    return Entry(job.arm, job.seed, job.run)


def _unmatched(job: Job, store: Store) -> str | None:
    """What a run cannot be matched to, since the arm it is matched to did not get there; None when there is no such."""
    for step in job.match.of("filter") if job.match else ():
        if store.find(step.stage, step.key) is None:
            return f"{job.loaded.recipe.filter.match}, whose counts are to be matched, did not get to {step.name}"
    return None


def _side_by_side(
    by_seed: Sequence[Sequence[Job]],
    store: Store,
    workers: int,
    tell: Listener,
    note: Callable[[Sequence[Entry]], None],
) -> None:
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    others = multiprocessing.active_children()
    # The children read these as they start. One thread each, or they wait for one another's cores.
    old = dict(os.environ)
    os.environ.update({**MALLOC, "OMP_NUM_THREADS": "1", **old})
    try:
        with ProcessPoolExecutor(min(workers, len(by_seed)), context, _begin, (events,)) as pool:
            try:
                with _unheard_ctrl_c():
                    waiting = [pool.submit(_work, n, jobs, store.address) for n, jobs in enumerate(by_seed)]
                _listen(waiting, events, tell, note)
            except BaseException as error:
                pool.shutdown(wait=False, cancel_futures=True)
                mine = [child for child in multiprocessing.active_children() if child not in others]
                for child in mine:
                    child.terminate()
                for child in mine:
                    child.join()
                if isinstance(error, BrokenProcessPool):
                    raise BackendError(
                        "a process of the sweep was killed, as the system does when memory runs out",
                        "use fewer --workers; run the same command again to go on from where it stopped",
                    ) from error
                raise
    finally:
        for name in (*MALLOC, "OMP_NUM_THREADS"):
            os.environ.pop(name, None) if name not in old else os.environ.update({name: old[name]})


@contextlib.contextmanager
def _unheard_ctrl_c() -> Iterator[None]:
    """Children started here never hear Ctrl-C, which a terminal sends to all: only the parent does, and ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _listen(
    waiting: Sequence[Future[list[Entry]]],
    events: Any,
    tell: Listener,
    note: Callable[[Sequence[Entry]], None],
) -> None:
    """Pass on events until every seed is done; raise what a child raised as soon as it does."""
    left = dict(enumerate(waiting))
    while left:
        with contextlib.suppress(queue.Empty):
            heard = events.get(timeout=0.5)
            if isinstance(heard, int):  # the last a seed says
                note(left.pop(heard).result())
            else:
                tell(heard)
        for future in left.values():
            if future.done() and future.exception():
                future.result()


# ---------------------------------------------------------------- in a child

_said: Any = None


def _begin(events: Any) -> None:
    """A child starts: it tells its parent by this queue, and ends when the parent is gone."""
    global _said
    _said = events
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(number: int, jobs: Sequence[Job], address: str) -> list[Entry]:
    """All runs of one seed, the `number`th of the sweep."""
    try:
        return [_do(job, Store(address), _said.put) for job in jobs]
    finally:
        _said.put(number)
