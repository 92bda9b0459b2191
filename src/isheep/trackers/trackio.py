"""Trackio: on this machine by default; TRACKIO_SPACE_ID or TRACKIO_SERVER_URL send it elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import trackio

from isheep.trackers.base import About, Points


class Trackio:
    def start(self, about: About) -> None:
        self._name = about.id
        self._run = trackio.init(
            about.project,
            name=about.name if about.name == about.id else f"{about.name} {about.id}",
            config=dict(about.config),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def metrics(self, points: Sequence[Points]) -> None:
        for point in points:
            self._run.log(dict(point.values), step=point.at)

    def artifact(self, path: Path) -> None:
        trackio.log_artifact(str(path), name=f"{self._name}-{path.name}", type="report")

    def finish(self) -> None:
        self._run.finish()
