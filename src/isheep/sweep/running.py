"""Run a sweep: its jobs one after the other, or several seeds side by side in processes of their own.

A run that ends in an error of its own (a filter that keeps nothing, a model that writes no more lists) is a result: it
is written down and the other runs go on. Anything else, Ctrl-C too, ends the sweep; what was done stays done.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from isheep.errors import IsheepError
from isheep.runs import DEFAULT_STORE, register
from isheep.step import Event
from isheep.store import Store
from isheep.sweep.definition import Job, LoadedSweep
from isheep.sweep.record import Entry, SweepRecord, open_sweep, write_sweep
from isheep.walk import run
from isheep.worker import MALLOC


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
            lambda event: tell(JobEvent("step", job.arm, job.seed, event)),
            job.match,
        )
    except IsheepError as error:
        register(job.plan, store, job.run)
        tell(JobEvent("failed", job.arm, job.seed, text=error.message))
        return Entry(job.arm, job.seed, job.run, error.message)
    tell(JobEvent("done", job.arm, job.seed))
    return Entry(job.arm, job.seed, job.run)


def _side_by_side(
    by_seed: Sequence[Sequence[Job]],
    store: Store,
    workers: int,
    tell: Listener,
    note: Callable[[Sequence[Entry]], None],
) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        events = manager.Queue()
        old = {name: os.environ.get(name) for name in (*MALLOC, "OMP_NUM_THREADS")}
        # The children read these as they start. One thread each, or they wait for one another's cores.
        os.environ.update({**MALLOC, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")})
        try:
            with ProcessPoolExecutor(min(workers, len(by_seed)), mp_context=context) as pool:
                waiting = [pool.submit(_work, jobs, str(store.root), events) for jobs in by_seed]
                try:
                    _listen(waiting, events, tell, note)
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    for child in multiprocessing.active_children():
                        child.terminate()
                    raise
        finally:
            for name, value in old.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _listen(
    waiting: Sequence[Future[list[Entry]]],
    events: Any,
    tell: Listener,
    note: Callable[[Sequence[Entry]], None],
) -> None:
    """Pass on events until every seed is done; raise what a child raised as soon as it does."""
    left = list(waiting)
    while left:
        try:
            tell(events.get(timeout=0.5))
        except queue.Empty:
            for future in [f for f in left if f.done()]:
                note(future.result())
                left.remove(future)


def _work(jobs: Sequence[Job], root: str, events: Any) -> list[Entry]:
    """All runs of one seed, in a child process."""
    return [_do(job, Store(root), events.put) for job in jobs]
