"""TensorBoard: event files in the run's own folder. It keeps no files: the report lies beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tensorboard.summary import Writer

from isheep.trackers.base import About, Points

#: Below the run's folder; `tensorboard --logdir STORE/runs` finds those of all runs.
FOLDER = "tensorboard"


class TensorBoard:
    def start(self, about: About) -> None:
        self._writer = Writer(str(about.folder / FOLDER / about.id))

    def metrics(self, points: Sequence[Points]) -> None:
        for point in points:
            for name, value in point.values.items():
                self._writer.add_scalar(name, value, point.at)
        self._writer.flush()

    def artifact(self, path: Path) -> None:
        """Nothing: TensorBoard keeps no files."""

    def finish(self) -> None:
        self._writer.close()
