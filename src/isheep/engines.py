"""One loaded engine, kept from step to step for as long as it serves the next one.

Knows: when an engine can stay. Does not know: steps, or who closes what else.
"""

from __future__ import annotations

from isheep.backends import open_engine
from isheep.backends.base import Engine, ModelSpec, Runtime


class Engines:
    """Holds at most one engine of this process: two models at once may not fit into a device's memory."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._kind = ""
        self._runtime: Runtime | None = None

    def open(self, kind: str, model: ModelSpec, runtime: Runtime) -> Engine:
        """An engine that serves `model`: the one at hand where it can turn to it, else a new one in its place."""
        kept = self._engine
        if kept is not None and (kind, runtime) == (self._kind, self._runtime) and kept.turn_to(model):
            return kept
        self.close()
        self._engine = open_engine(kind, model, runtime)
        self._kind, self._runtime = kind, runtime
        return self._engine

    def close(self) -> None:
        """Give the engine's memory back; the next `open` loads anew."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()
