"""From a finished step to the figures that are logged of it, under names that stay the same.

Drawn from published artifacts alone, so it does not matter who made them, or when. docs/trackers.md lists the names.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from isheep.records import Answer, Decision, Instruction, Item, Measure, ModelRef, Outcome, Pair, Preference
from isheep.report.evaluations import in_other_layout
from isheep.report.headlines import SCORING
from isheep.report.scored import scored
from isheep.runs import Run, RunStep
from isheep.store import Artifact
from isheep.trackers.base import Points

#: Steps that test the judge with the stages of the loop: their pairs are no part of the funnel.
_ASIDE = ("exam", "probe")


def points(run: Run, step: RunStep, artifact: Artifact) -> list[Points]:
    """All figures of one step."""
    label = label_of(step)
    values = {**_cost(label, artifact)}
    if step.stage in SCORING:
        values |= _scores(run, step, artifact)
    if not label.startswith(_ASIDE):
        values |= _funnel(label, artifact)
    if artifact.has(Measure):
        values |= {f"{label}/{m.id}": m.value for m in artifact.read(Measure) if m.value is not None}
    if artifact.has(Outcome):
        values[f"{label}/stop"] = float(any(outcome.stop for outcome in artifact.read(Outcome)))
    found = [Points({k: float(v) for k, v in values.items() if math.isfinite(v)}, step.iteration)]
    return [*found, *(_losses(label, step, artifact) if artifact.has(ModelRef) else ())]


def label_of(step: RunStep) -> str:
    """A step's name without its iteration: "responses", "turn2.responses", "tests.lamb"."""
    return step.name.removesuffix(f".{step.iteration}")


def _cost(label: str, artifact: Artifact) -> dict[str, float]:
    usage = artifact.manifest["usage"]
    names = {"read": "prompt_tokens", "written": "tokens", "trained": "trained_tokens"}
    spent = {f"tokens/{label}/{word}": usage[name] for word, name in names.items() if usage[name]}
    return {f"seconds/{label}": artifact.manifest["seconds"], **spent}


def _scores(run: Run, step: RunStep, artifact: Artifact) -> dict[str, float]:
    """`eval/TASK/DECODING` of exact match, `eval/TASK/METRIC` of everything else, as the report has them."""
    records: list[Any] = [*artifact.stream(Answer if artifact.has(Answer) else Item)]
    tasks = {record.task for record in records}
    entry = scored(run).get(step.iteration, {})
    values: dict[str, float] = {}
    for kind, suffix in (("scores", ""), ("gain", "/gain")):
        for row in entry.get(kind, ()):
            if row["task"] not in tasks or row["value"] is None or (not suffix and in_other_layout(row)):
                continue
            name = f"eval/{row['task']}/{row['metric'].removeprefix('accuracy_')}{suffix}"
            bounds = {f"{name}/{end}": row[end] for end in ("ci_low", "ci_high") if row[end] is not None}
            values |= {name: row["value"], **bounds}
    return values


def _funnel(label: str, artifact: Artifact) -> dict[str, float]:
    """How many records a step wrote; of one that sifts, how many are kept, and the rest by reason."""
    sifted = next((cls for cls in (Instruction, Decision, Preference) if artifact.has(cls)), None)
    if sifted is None:
        return {f"funnel/{label}/written": len(artifact.read(Pair))} if artifact.has(Pair) else {}
    reasons = Counter(getattr(record, "reason", None) for record in artifact.stream(sifted))
    found = {f"funnel/{label}/written": float(reasons.total()), f"funnel/{label}/kept": float(reasons[None])}
    return {**found, **{f"dropped/{label}/{why}": n for why, n in reasons.items() if why is not None}}


def _losses(label: str, step: RunStep, artifact: Artifact) -> Iterator[Points]:
    """The loss of each training step, under a name of its own for each iteration."""
    head = f"{label}/{step.iteration}"
    lines = artifact.path("losses.jsonl").read_text(encoding="utf-8").splitlines()
    for entry in map(json.loads, filter(None, lines)):
        if math.isfinite(entry["loss"]):
            yield Points({f"{head}/loss": entry["loss"]}, entry["step"], f"{head}/step")
