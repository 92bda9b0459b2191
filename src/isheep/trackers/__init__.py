"""Experiment trackers by name: what a run logs, and where. docs/trackers.md names every metric.

A tracker's library is imported only when a recipe names it. Knows: which module holds which tracker, and which extra
installs what it needs.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterator, Sequence
from typing import cast

from isheep.errors import MissingExtraError
from isheep.recipe_sections import TRACKERS
from isheep.trackers.base import About, Points, Tracker
from isheep.trackers.tracking import Tracking

__all__ = ["About", "Points", "Tracker", "Tracking", "missing", "open_tracker", "unready"]


def open_tracker(name: str) -> Tracker:
    """A tracker by name, not started yet. Raises MissingExtraError."""
    if found := list(missing((name,))):
        raise MissingExtraError(found[0], f"pip install 'isheep[{name}]'")
    module = importlib.import_module(f"isheep.trackers.{name}")
    return cast(Tracker, getattr(module, TRACKERS[name])())


def missing(names: Sequence[str]) -> Iterator[str]:
    """A sentence for every tracker whose package is not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            yield f"the tracker {name!r} needs the package {name!r}, which is not installed"


def unready(names: Sequence[str]) -> Iterator[str]:
    """What else would keep a tracker from logging, as far as it can be known without asking anybody."""
    if "wandb" in names and os.environ.get("WANDB_MODE", "online") == "online":
        from isheep.trackers.wandb import has_key

        if not has_key():
            yield "trackers.use: wandb knows no API key; run `wandb login`, or set WANDB_MODE=offline"
