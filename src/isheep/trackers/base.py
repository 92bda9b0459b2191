"""What a tracker is: the one protocol all of them follow, and what is handed to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

#: The axis of everything that is known once for an iteration.
ITERATION = "iteration"


@dataclass(frozen=True, slots=True)
class About:
    """The run a tracker is told of."""

    #: How it is called there, and an id that stays the same when it is resumed.
    name: str
    id: str
    project: str
    #: The run's own folder, and the store's.
    folder: Path
    store: Path
    #: Its recipe, without addresses.
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Points:
    """Values by name at one place of an axis."""

    values: Mapping[str, float]
    at: int
    axis: str = ITERATION


class Tracker(Protocol):
    """Where figures go. May raise anything: the run then goes on without it."""

    def start(self, about: About) -> None:
        """Begin, or go on with what was logged under this id."""

    def metrics(self, points: Sequence[Points]) -> None:
        """Log all figures of one finished step. When this returns, they are out of this process's hands."""

    def artifact(self, path: Path) -> None:
        """Log a file, replacing what was logged under its name."""

    def finish(self) -> None:
        """The run is over, or interrupted; nothing more comes from this process."""
