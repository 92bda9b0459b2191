"""Before the first step: what of a run will fail, as far as it can be known by asking packages, devices and servers.

Knows: what each step will ask of its backend. Does not know: how a backend finds out (their `obstacles`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from isheep.backends import obstacles
from isheep.backends.base import ModelSpec, Runtime
from isheep.errors import BackendError
from isheep.stages import STAGE_BY_NAME
from isheep.stages.assessment import AssessmentSettings
from isheep.stages.tuning import OptimiserSettings
from isheep.steps import Step
from isheep.store import Store

#: What a stage needs -> the kind of backend that is asked.
_ASKED = {
    "engine": "engine",
    "hidden": "engine",
    "train": "trainer",
    "examiner": "examiner",
    "questions": "examiner",
}


def preflight(steps: Iterable[Step], store: Store, runtime: Runtime, trackers: Sequence[str] = ()) -> None:
    """Raise BackendError with everything that stands in the way of the steps that are still to do, and of the recipe's
    trackers."""
    asked: dict[tuple[str, str, ModelSpec], set[str]] = {}
    for step in steps:
        what = _ASKED.get(STAGE_BY_NAME[step.stage].needs)
        if what and step.model and store.find(step.stage, step.key) is None:
            needs = asked.setdefault((what, step.backend, replace(step.model, adapter=None)), set())
            needs |= _needs(step)
    found = [
        sentence for (what, kind, model), needs in asked.items()
        for sentence in obstacles(what, kind, model, runtime, needs)
    ]  # fmt: skip
    found += trackers
    if found:
        lines = list(dict.fromkeys(found))
        raise BackendError(
            "this run cannot work here:\n  " + "\n  ".join(lines),
            "nothing was done yet; `isheep doctor` shows more",
        )


def _needs(step: Step) -> set[str]:
    """What a step will ask of its backend, in the words of `obstacles`."""
    stage = STAGE_BY_NAME[step.stage]
    if isinstance(step.settings, OptimiserSettings):
        return {"train", f"accumulation {step.settings.accumulation}"}
    if stage.needs == "hidden":
        need = "hidden"
    elif isinstance(step.settings, AssessmentSettings) and step.settings.reading == "expected":
        need = "score"
    else:
        need = "likelihood" if stage.name == "likelihood" else "generate"
    return {need, "adapter"} if step.adapter else {need}
