"""A pool of worker processes that hold the same engine: jobs go in, results come out, whoever dies is replaced.

Knows: Ray's actors, and how they end. Does not know: what an engine does, or how work is divided.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, NoReturn

import ray
from ray import exceptions as trouble

from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.ray_cluster import Session
from isheep.backends.ray_worker import Facts, Place, Worker
from isheep.errors import BackendError, IsheepError

#: Jobs a worker has at once: one to do, and one so that it need not wait for the next.
QUEUE = 2
#: Times a job may lose its worker, and a worker be lost while it loads, before that is no accident any more.
TRIES = 3
#: Seconds the cluster has to find room for a worker and to start its process. Loading the model is not in it.
PLACE_SECONDS = 180.0
#: Seconds a worker has to close its engine before it is ended.
CLOSE_SECONDS = 10.0
#: Seconds between two looks at workers that no room was found for.
_LOOK_SECONDS = 5.0

_SAME = "install the same isheep, with the same extras, on every node (docs/workers.md)"

#: How a worker's end (or that of its node) is told for what it was doing.
_LOST = (
    trouble.RayActorError,
    trouble.WorkerCrashedError,
    trouble.NodeDiedError,
    trouble.ObjectLostError,
    trouble.OutOfMemoryError,
)


@dataclass(slots=True, eq=False)
class Job:
    """A call of a worker's method. `items`: how many it is about, for the error."""

    method: str
    given: Sequence[Any]
    items: int = 1
    tries: int = 0


@dataclass(slots=True, eq=False)
class _Hand:
    """A place in the pool, and the worker that fills it now."""

    actor: Any
    #: Promise of its Place.
    placing: Any
    #: Promise of its Facts while it loads; None when it works.
    opening: Any = None
    since: float = 0.0
    #: Workers on its node.
    beside: int = 1
    facts: Facts | None = None
    #: How often it was lost while loading, in a row.
    failed: int = 0


#: Promise -> who was asked for it, as which worker, and for what; in the order asked.
_UnderWay = dict[Any, tuple[_Hand, Any, Job]]


class Pool:
    """`close` ends all workers."""

    def __init__(self, kind: str, model: ModelSpec, runtime: Runtime, session: Session) -> None:
        self._kind, self._model, self._runtime, self._session = kind, model, runtime, session
        self._actor = ray.remote(Worker).options(**session.share(runtime).options())
        self._hands: list[_Hand] = []
        #: Jobs handed out whose results were not taken yet.
        self._pending = 0

    def start(self) -> list[Facts]:
        """Start all workers and wait until each has loaded its engine."""
        by = time.monotonic() + PLACE_SECONDS
        self._hands = [_Hand(*self._hire()) for _ in range(self._runtime.workers)]
        nodes = [self._settled(hand, by) for hand in self._hands]
        for hand, node in zip(self._hands, nodes, strict=True):
            hand.beside = Counter(nodes)[node]
            self._open(hand)
        while loading := [hand.opening for hand in self._hands if hand.opening is not None]:
            for promise in self._wait(loading):
                self._opened(promise)
        return [hand.facts for hand in self._hands if hand.facts is not None]

    def run(self, jobs: Sequence[Job]) -> Iterator[Any]:
        """The result of every job, as they come. What a job raises is raised here.

        A job whose worker is lost goes to another one; BackendError when it has lost TRIES of them.
        """
        waiting = deque(jobs)
        under_way: _UnderWay = {}
        while waiting or under_way:
            self._hand_out(waiting, under_way)
            loading = [hand.opening for hand in self._hands if hand.opening is not None]
            for promise in self._wait([*under_way, *loading]):
                if promise not in under_way:
                    self._opened(promise)
                    continue
                try:
                    result = ray.get(promise)
                except trouble.RayTaskError as error:
                    _raise(error)
                except _LOST as error:
                    self._recover(under_way[promise][1], waiting, under_way, error)
                    continue
                del under_way[promise]
                self._pending -= 1
                self._hand_out(waiting, under_way)  # before who asked takes the time to look at the result
                yield result

    def turn(self, model: ModelSpec) -> bool:
        """All workers serve `model` from now on; False, and nothing changed, where the engine cannot turn to it."""
        if not next(self.run([Job("ask", ("turn_to", model))])):
            return False
        self._model = model
        for hand in self._hands:
            if hand.opening is not None or not self._turned(hand):
                self._replace(hand)
        return True

    def close(self) -> None:
        """End all workers: with their engines closed, unless they are in the middle of something."""
        idle = [hand for hand in self._hands if hand.facts and hand.opening is None and not self._pending]
        if idle:
            closing = [hand.actor.close.remote() for hand in idle]
            ray.wait(closing, num_returns=len(closing), timeout=CLOSE_SECONDS)
        for hand in self._hands:
            _end(hand.actor)
        self._hands.clear()

    def _hire(self) -> tuple[Any, Any]:
        """A new worker, and the promise of its Place."""
        actor = self._actor.remote()
        return actor, actor.place.remote()

    def _settled(self, hand: _Hand, by: float) -> str:
        """The node on which a worker has found its place, `by` a time on the monotonic clock."""
        while _kept(hand.placing, max(0.0, by - time.monotonic())):
            try:
                return _placed(hand.placing).node
            except _LOST as error:
                self._failed(hand, error)
                hand.actor, hand.placing = self._hire()
        return self._unplaced([other for other in self._hands if not _kept(other.placing)])

    def _failed(self, hand: _Hand, error: Exception) -> None:
        """A worker was lost before it had done anything."""
        hand.failed += 1
        if hand.failed == TRIES:
            self._give_up(f"a worker was lost {TRIES} times before it had loaded the model", error)

    def _open(self, hand: _Hand) -> None:
        hand.opening = hand.actor.open.remote(self._kind, self._model, self._runtime, hand.beside)
        hand.since = time.monotonic()

    def _opened(self, promise: Any) -> None:
        """A worker has loaded its engine, or could not."""
        hand = next((hand for hand in self._hands if hand.opening == promise), None)
        if hand is None:
            return  # replaced meanwhile
        try:
            hand.facts = ray.get(promise)
        except trouble.RayTaskError as error:
            _placed(hand.placing)
            _raise(error)
        except _LOST as error:
            self._failed(hand, error)
            self._replace(hand)
        else:
            _placed(hand.placing)
            hand.opening, hand.failed = None, 0

    def _replace(self, hand: _Hand) -> None:
        """A new worker in the place of one that is lost, or of no use."""
        _end(hand.actor)
        hand.actor, hand.placing = self._hire()
        self._open(hand)

    def _hand_out(self, waiting: deque[Job], under_way: _UnderWay) -> None:
        """Give workers their next jobs, everyone the first before anyone the second."""
        for deep in range(1, QUEUE + 1):
            for hand in self._hands:
                has = sum(actor is hand.actor for _, actor, _ in under_way.values())
                # At the end nobody hoards: a job goes to who is free first.
                if hand.opening is None and has < deep and len(waiting) > (deep - 1) * len(self._hands):
                    job = waiting.popleft()
                    promise = getattr(hand.actor, job.method).remote(*job.given)
                    under_way[promise] = (hand, hand.actor, job)
                    self._pending += 1

    def _recover(self, actor: Any, waiting: deque[Job], under_way: _UnderWay, error: Exception) -> None:
        """A worker is lost: what it had goes back, and another one takes its place."""
        had = {promise: entry for promise, entry in under_way.items() if entry[1] is actor}
        for promise in had:
            del under_way[promise]
        self._pending -= len(had)
        hand, _, first = next(iter(had.values()))
        waiting.extendleft(job for _, _, job in reversed(had.values()))
        first.tries += 1  # what stood behind it had not begun
        if first.tries == TRIES:
            self._give_up(f"{first.items} prompts run together have lost {TRIES} workers", error)
        if hand.actor is actor:
            self._replace(hand)

    def _turned(self, hand: _Hand) -> bool:
        try:
            return bool(ray.get(hand.actor.ask.remote("turn_to", self._model)))
        except _LOST:
            return False

    def _wait(self, promises: Sequence[Any]) -> Sequence[Any]:
        """The promises that are kept, one at least. Raises BackendError when no worker has a place any more."""
        while True:
            kept, _ = ray.wait(list(promises), num_returns=1, timeout=_LOOK_SECONDS)
            if kept:
                return list(kept)
            late = time.monotonic() - PLACE_SECONDS
            homeless = [
                h for h in self._hands if h.opening is not None and h.since < late and not _kept(h.placing)
            ]
            if len(homeless) == len(self._hands):
                self._unplaced(homeless)

    def _unplaced(self, hands: Sequence[_Hand]) -> NoReturn:
        raise BackendError(
            f"Ray has found no room for {len(hands)} of {self._runtime.workers} workers in {PLACE_SECONDS:.0f} seconds",
            "the cluster is large enough, so others use it now: try again later, or set runtime.workers lower",
        )

    def _give_up(self, what: str, error: Exception) -> NoReturn:
        self._session.keep = True
        logs = f"; Ray's logs: {self._session.logs}" if self._session.logs else ""
        raise BackendError(
            f"{what}: {_reason(error)}",
            f"most often memory ran out: try a lower runtime.batch_size or fewer runtime.workers{logs}",
        ) from error


def _placed(promise: Any) -> Place:
    """Where a worker is. Raises BackendError when isheep is not there, or another one; Ray's errors when it is lost."""
    try:
        place: Place = ray.get(promise)
    except (trouble.RayTaskError, trouble.RuntimeEnvSetupError) as error:
        raise _homeless(error) from error
    except trouble.RayActorError as error:
        if not error.actor_init_failed:
            raise
        raise _homeless(error) from error
    here = metadata.version("isheep")
    if place.version != here:
        raise BackendError(f"isheep is {here} here, but {place.version} on a node of the Ray cluster", _SAME)
    return place


def _homeless(error: Exception) -> BackendError:
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return BackendError(f"a worker of Ray cannot start: {lines[-1].strip()}", _SAME)


def _raise(error: trouble.RayTaskError) -> NoReturn:
    """What the engine raised, as it would be raised here."""
    if isinstance(error.cause, IsheepError):
        raise error.cause from None
    raise error.cause from error


def _reason(error: Exception) -> str:
    """Ray's own words about a loss, without its advice."""
    words = " ".join(str(error).split())
    return words.rpartition("exit detail: ")[2].partition(" Some common causes")[0][:300]


def _kept(promise: Any, timeout: float = 0.0) -> bool:
    return bool(ray.wait([promise], timeout=timeout)[0])


def _end(actor: Any) -> None:
    with contextlib.suppress(trouble.RayError):
        ray.kill(actor, no_restart=True)
