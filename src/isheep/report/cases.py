"""Case studies: the pairs of an iteration that lie in the four corners of quality x following, and the nearest to each.

Nobody picks: a corner's pairs are those nearest to where both scores are at the end it stands for, and equals follow
the hash of their ids. High and low are as this judge means them: at or above its median score of the iteration, and
below, as judges differ in how much of the scale they use.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from isheep.records import Decision
from isheep.report.samples import pair_record
from isheep.report.summary import pairs_of, truth_of
from isheep.runs import Run

#: Corner -> (quality is high, following is high).
CORNERS: dict[str, tuple[bool, bool]] = {
    "best": (True, True),
    "good_but_off": (True, False),
    "poor_but_faithful": (False, True),
    "worst": (False, False),
}
SCALES = ("quality", "following")


def cases(run: Run, t: int, k: int = 3) -> list[dict[str, Any]]:
    """The four corners of iteration `t` in the order of CORNERS; [] when no answer has a score on both scales.

    Each has `corner`; `quality` and `following` ("high" or "low"); `lines`, the least score by scale that is high (None
    where all scores are equal, so that none is high or low); `found`, how many pairs lie there; and `pairs`, up to `k`
    of them as in samples.py, with `kept`.
    """
    decided = run.artifacts("filter").get(t)
    if decided is None:
        return []
    decisions = [d for d in decided.read(Decision) if d.quality is not None and d.following is not None]
    pairs = {pair.id: pair for pair in pairs_of(run, t)}
    decisions = [d for d in decisions if d.id in pairs]
    if not decisions:
        return []
    truth = truth_of(run.recipe.report.truth)

    def shown(d: Decision) -> dict[str, Any]:
        pair = pairs[d.id]
        right = truth(pair.instruction, pair.input, pair.response) if truth else None
        return {**pair_record(pair, d, right), "kept": d.kept}

    lines = {scale: high_from([_score(d, scale) for d in decisions]) for scale in SCALES}
    made = []
    for corner, ends in CORNERS.items():
        inside = in_corner(decisions, ends, lines)
        made.append(
            {
                "corner": corner,
                **{scale: "high" if high else "low" for scale, high in zip(SCALES, ends, strict=True)},
                "lines": lines,
                "found": len(inside),
                "pairs": [shown(d) for d in nearest(decisions, inside, ends)[:k]],
            }
        )
    return made


def _score(decision: Decision, scale: str) -> float:
    return float(getattr(decision, scale))


def high_from(scores: Sequence[float]) -> float | None:
    """The least of the scores that is high: the first at or above the median that is not the lowest of all; None when
    all are equal."""
    lowest, middle = min(scores), median(scores)
    return min((s for s in scores if s >= middle and s > lowest), default=None)


def in_corner(
    decisions: Sequence[Decision], ends: tuple[bool, bool], lines: dict[str, float | None]
) -> list[Decision]:
    """Those on the given side of both lines; none where a line is missing."""
    found = list(decisions)
    for scale, high in zip(SCALES, ends, strict=True):
        line = lines[scale]
        found = [d for d in found if line is not None and (_score(d, scale) >= line) is high]
    return found


def nearest(
    decisions: Sequence[Decision], inside: Sequence[Decision], ends: tuple[bool, bool]
) -> list[Decision]:
    """Those inside, the nearest to the corner first. On each scale the distance is a share of the range its scores
    span, so that neither scale counts for more; equals are ordered by the hash of their ids."""
    spans = {scale: [_score(d, scale) for d in decisions] for scale in SCALES}

    def distance(d: Decision) -> float:
        away = []
        for scale, high in zip(SCALES, ends, strict=True):
            low, top = min(spans[scale]), max(spans[scale])
            away.append(abs(_score(d, scale) - (top if high else low)) / (top - low))
        return round(math.hypot(*away), 9)

    return sorted(
        inside, key=lambda d: (distance(d), hashlib.sha256(d.id.encode("utf-8", "surrogatepass")).digest())
    )
