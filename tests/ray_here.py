"""A Ray of the tests' own, with as many CPUs as they like, and ways to hurt its workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from isheep.backends.base import Runtime
from isheep.backends.ray import RayEngine


@contextmanager
def ray_here(cpus: int = 16) -> Iterator[None]:
    """Engines opened meanwhile use this Ray, and leave it running. Started the product's own way."""
    from isheep.backends import ray_cluster

    with mock.patch.object(ray_cluster, "cores", return_value=cpus), ray_cluster.joined(Runtime()):
        yield


def hands(engine: Any) -> list[Any]:
    """The actors of an engine's pool."""
    assert isinstance(engine, RayEngine)
    return [hand.actor for hand in engine._pool._hands]


def pid(actor: Any) -> int:
    """The process of an actor, waiting for it to have time for an answer."""
    import ray

    return int(ray.get(actor.__ray_call__.remote(lambda self: os.getpid())))


def kill(process: int) -> None:
    """As the system does when memory runs out."""
    os.kill(process, signal.SIGKILL)
