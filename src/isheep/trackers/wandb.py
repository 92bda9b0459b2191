"""Weights & Biases. WANDB_MODE=offline keeps all in the run's folder until `wandb sync`; the key is WANDB_API_KEY."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import wandb

from isheep.trackers.base import About, Points


def has_key() -> bool:
    """Whether anybody is logged in here, by the environment or a file of wandb's own."""
    return bool(wandb.api.api_key)


class WandB:
    def start(self, about: About) -> None:
        self._axes: dict[str, str] = {}
        self._run = wandb.init(
            project=about.project,
            name=about.name,
            id=about.id,
            resume="allow",
            dir=str(about.folder),
            config=dict(about.config),
            reinit="create_new",
            # What a run prints, its code and its machine are not asked for.
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                save_code=False,
                x_disable_stats=True,
                x_save_requirements=False,
                init_timeout=30,
            ),
        )

    def metrics(self, points: Sequence[Points]) -> None:
        for point in points:
            for name in point.values:
                if self._axes.get(name) != point.axis:
                    self._axes[name] = point.axis
                    self._run.define_metric(name, step_metric=point.axis)
            self._run.log({**point.values, point.axis: point.at})

    def artifact(self, path: Path) -> None:
        self._run.save(str(path), base_path=str(path.parent), policy="now")

    def finish(self) -> None:
        self._run.finish()
