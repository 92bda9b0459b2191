"""What runs in a worker process of Ray: one engine, and the few calls that reach it.

Knows: an engine. Does not know: other workers, or what Ray is told about this one.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import ray

from isheep.backends import open_engine
from isheep.backends.base import Engine, ModelSpec, Runtime


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker is: Ray's id of the node, and the version of isheep that is installed there."""

    node: str
    version: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What never changes about an opened engine."""

    device_name: str
    parameters: int | None
    context: int


class Worker:
    """An actor of Ray. Calls are done one after the other, in the order they were made."""

    _engine: Engine

    def place(self) -> Place:
        """Answers as soon as the process is there, before anything is loaded."""
        return Place(ray.get_runtime_context().get_node_id(), metadata.version("isheep"))

    def open(self, kind: str, model: ModelSpec, runtime: Runtime, beside: int) -> Facts:
        """Load the model. `beside`: workers on this node, among which its cores are shared out."""
        threads = runtime.threads or max(1, cores() // beside)
        # Ray shows a worker only the GPUs it was given, and they count from 0.
        device = "cuda" if runtime.device.startswith("cuda") else runtime.device
        self._engine = open_engine(kind, model, replace(runtime, workers=1, threads=threads, device=device))
        return Facts(self._engine.device_name, self._engine.parameters, self._engine.context)

    def ask(self, method: str, *given: Any) -> Any:
        """One call of the engine that gives one answer."""
        return getattr(self._engine, method)(*given)

    def work(
        self, method: str, batches: Sequence[Sequence[Any]], given: Sequence[Any], skip: Collection[str]
    ) -> list[Any]:
        """All that the engine's method yields for some batches, each handed over alone."""
        do = getattr(self._engine, method)
        return [result for batch in batches for result in do(batch, *given, skip=skip)]

    def close(self) -> None:
        self._engine.close()


def cores() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
