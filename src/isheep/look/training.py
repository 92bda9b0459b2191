"""Which pairs which model was trained on.

Knows: what the stage `train` is given, and how it draws when it takes only some. Does not know: how it trains.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isheep.records import Decision
from isheep.runs import Run
from isheep.stages.stage import Context
from isheep.stages.train import TrainSettings
from isheep.store import Artifact


def trainings(run: Run) -> Iterator[tuple[int, Artifact]]:
    """(t, the step that made M_t) for every model that is there."""
    for step in run.due:
        artifact = run.artifact(step) if step.stage == "train" else None
        if artifact is not None:
            yield step.iteration + 1, artifact


def trained_on(run: Run, training: Artifact) -> set[str]:
    """Ids of the pairs that a step trained on."""
    filters = {step.key: step for step in run.steps if step.stage == "filter"}
    kept: set[str] = set()
    for key in training.manifest["inputs"].get("filter", ()):
        decided = run.artifact(filters[key]) if key in filters else None
        kept.update(d.id for d in (decided.stream(Decision) if decided else ()) if d.kept)
    settings = TrainSettings.model_validate(training.manifest["settings"])
    if settings.max_samples is None or len(kept) <= settings.max_samples:
        return kept
    drawing = Context(settings, training.key, 0, {}, lambda cls: [], Path())  # the step's own seeded numbers
    return set(sorted(sorted(kept), key=drawing.seed)[: settings.max_samples])


def models_trained_on(run: Run, id: str, filter_key: str) -> tuple[int, ...]:
    """t of every model M_t that was trained on this kept pair."""
    found = []
    for model, training in trainings(run):
        if filter_key in training.manifest["inputs"].get("filter", ()):
            some = training.manifest["settings"]["max_samples"] is not None
            if not some or id in trained_on(run, training):
                found.append(model)
    return tuple(found)
