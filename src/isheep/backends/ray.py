"""Several engines of one kind at work at once, each in a worker process of Ray; to the stages they are one engine.

The engine inside says which items run together (`batches`), and each batch is done whole by one worker: so the results
are those of one worker, whoever does what, and whoever is lost in the middle.

The workers are plain actors that stay for as long as this engine does. Ray Data's `map_batches` would be the usual way,
but it makes its actors anew at every call, and an engine is called many times: a dozen times in one step of
instructions alone. Each call would load the model again (docs/workers.md has the measurement). Retrying what a lost
worker had is the only thing it would have done for us.

Knows: how work is divided. Does not know: Ray's actors (ray_pool.py), clusters (ray_cluster.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from isheep.backends.base import (
    Choice,
    Embedding,
    Items,
    ModelSpec,
    Passage,
    Query,
    Request,
    Runtime,
)
from isheep.backends.ray_cluster import gpus_here, joined, shortage
from isheep.backends.ray_pool import Job, Pool
from isheep.backends.ray_worker import cores
from isheep.errors import BackendError
from isheep.records import Completion, Likelihood
from isheep.text.prompts import Layout


class RayEngine:
    """`engine`: the kind of engine in every worker. What is not divided is asked of any one of them."""

    def __init__(self, model: ModelSpec, runtime: Runtime, engine: str = "hf") -> None:
        self._parcel = runtime.batch_size
        with ExitStack() as stack:
            session = stack.enter_context(joined(runtime))
            self._pool = Pool(engine, _anywhere(model), runtime, session)
            stack.callback(self._pool.close)
            facts = self._pool.start()
            self._stack = stack.pop_all()
        self.parameters: int | None = facts[0].parameters
        self.context = facts[0].context
        names = Counter(fact.device_name for fact in facts)
        self.device_name = " + ".join(f"{count} x {name}" for name, count in names.items())

    def layout(self, name: str) -> Layout:
        layout: Layout = self._ask("layout", name)
        return layout

    def count(self, texts: Sequence[str]) -> list[int]:
        counts: list[int] = self._ask("count", texts)
        return counts

    def turn_to(self, model: ModelSpec) -> bool:
        return self._pool.turn(_anywhere(model))

    def batches(self, items: Items) -> list[list[int]]:
        batches: list[list[int]] = self._ask("batches", items)
        return batches

    def generate(self, requests: Sequence[Request], skip: Collection[str] = ()) -> Iterator[Completion]:
        yield from self._divide("generate", requests, (), skip)

    def score(self, queries: Sequence[Query], skip: Collection[str] = ()) -> Iterator[Choice]:
        yield from self._divide("score", queries, (), skip)

    def likelihood(self, passages: Sequence[Passage], skip: Collection[str] = ()) -> Iterator[Likelihood]:
        yield from self._divide("likelihood", passages, (), skip)

    def embed(
        self, passages: Sequence[Passage], pooling: Literal["mean", "last"], skip: Collection[str] = ()
    ) -> Iterator[Embedding]:
        for one in self._divide("embed", passages, (pooling,), skip):
            yield replace(
                one, values=one.values.copy()
            )  # what Ray hands out cannot be written to, and pins memory

    def close(self) -> None:
        """End the workers, and Ray where it was started for them."""
        self._stack.close()

    def _ask(self, method: str, *given: Any) -> Any:
        return next(self._pool.run([Job("ask", (method, *given))]))

    def _divide(
        self, method: str, items: Items, given: Sequence[Any], skip: Collection[str]
    ) -> Iterator[Any]:
        """What the engines yield for all items whose ids are not skipped."""
        if all(item.id in skip for item in items):
            return
        left = [batch for batch in self.batches(items) if any(items[n].id not in skip for n in batch)]
        jobs = []
        # Engines plan short ones first. Long ones first ends more evenly: the last batches of all workers are short.
        for parcel in _parcels(left[::-1], self._parcel):
            parts = [[items[n] for n in batch] for batch in parcel]
            known = {item.id for part in parts for item in part if item.id in skip}
            jobs.append(Job("work", (method, parts, given, known), sum(map(len, parts))))
        for results in self._pool.run(jobs):
            yield from results


def _parcels(batches: Sequence[list[int]], size: int) -> Iterator[list[list[int]]]:
    """Batches in their order, handed over together where they are small: `size` items or more at once."""
    parcel: list[list[int]] = []
    for batch in batches:
        parcel.append(batch)
        if sum(map(len, parcel)) >= size:
            yield parcel
            parcel = []
    if parcel:
        yield parcel


def _anywhere(model: ModelSpec) -> ModelSpec:
    """The model with its folders as absolute paths: a worker has a working directory of its own."""
    base = str(Path(model.base).absolute()) if Path(model.base).is_dir() else model.base
    adapter = str(Path(model.adapter).absolute()) if model.adapter else None
    return replace(model, base=base, adapter=adapter, name=model.name or model.base)


def obstacles(model: ModelSpec, runtime: Runtime, needs: Collection[str]) -> list[str]:
    """What stands in the way of `runtime.workers`, in sentences. A cluster is asked; Ray is not started for it."""
    if not runtime.ray:
        return [f"{what}; {hint}" for what, hint in shortage(runtime, cores(), gpus_here())]
    try:
        with joined(runtime) as session:
            return [f"{what}; {hint}" for what, hint in shortage(runtime, session.cpus, session.gpus)]
    except BackendError as error:
        return [f"{error.message}; {error.hint}"]
