"""Does a score of 0.8 come true eight times in ten? Knows: scores and yes-or-no outcomes; not who gave the scores."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Steps:
    """A rising step function: `heights[i]` from `starts[i]` on; below the first start its height still holds."""

    starts: tuple[float, ...]
    heights: tuple[float, ...]

    def __call__(self, x: float) -> float:
        return self.heights[max(0, bisect_right(self.starts, x) - 1)]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well a score, once turned into a chance on one half, told the outcomes of the other half.

    `brier_base_rate` is the Brier score of always saying the first half's share: what one knows without the score.
    """

    ece: float
    brier: float
    brier_base_rate: float
    #: Mean chance said, share that came true, and how many, for each tenth of the scale that holds any.
    bins: tuple[tuple[float, float, int], ...]


def isotonic(x: Sequence[float], y: Sequence[float]) -> Steps:
    """The rising step function of `x` nearest to `y` by least squares, by pooling adjacent violators (Ayer et al.
    1955). Equal `x` share one height. Raises ValueError for no points, lists that differ in length, or
    what is no finite number."""
    if not x or len(x) != len(y):
        raise ValueError("there must be at least one point, with as many x as y")
    if not all(map(math.isfinite, (*x, *y))):
        raise ValueError("a point is no finite number: leave missing items out, and say how many")
    at: dict[float, list[float]] = {}
    for start, height in zip(x, y, strict=True):
        at.setdefault(start, []).append(height)
    pools: list[tuple[float, float, int]] = []  # start, mean, weight
    for start in sorted(at):
        mean, weight = fmean(at[start]), len(at[start])
        while pools and pools[-1][1] >= mean:
            start, before, count = pools.pop()
            mean = (before * count + mean * weight) / (count + weight)
            weight += count
        pools.append((start, mean, weight))
    return Steps(tuple(start for start, _, _ in pools), tuple(mean for _, mean, _ in pools))


def brier(probabilities: Sequence[float], outcomes: Sequence[bool]) -> float:
    """Mean squared distance between what was said (0..1) and what came true (Brier 1950); 0 is best, always saying
    0.5 gives 0.25. Raises ValueError as `reliability` does."""
    _check(probabilities, outcomes)
    return fmean((p - o) ** 2 for p, o in zip(probabilities, outcomes, strict=True))


def reliability(
    probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = 10
) -> tuple[tuple[float, float, int], ...]:
    """Mean probability, share that came true, and number of items, for each of `bins` equal parts of 0..1 that holds
    any; a part owns its lower edge. Raises ValueError for no items, for lists that differ in length, or for a
    probability outside 0..1."""
    _check(probabilities, outcomes)
    held: dict[int, list[tuple[float, bool]]] = {}
    for probability, outcome in zip(probabilities, outcomes, strict=True):
        held.setdefault(min(bins - 1, int(probability * bins)), []).append((probability, outcome))
    return tuple(
        (fmean(p for p, _ in held[part]), fmean(o for _, o in held[part]), len(held[part]))
        for part in sorted(held)
    )


def ece(probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error: over the parts of `reliability`, the mean distance between what was said and what
    came true, weighted by items. Chance alone makes it positive: about 0.10 for 100 items, 0.033 for 1,000."""
    return sum(n * abs(said - true) for said, true, n in reliability(probabilities, outcomes, bins)) / len(
        outcomes
    )


def calibrated(
    scores: Sequence[float], outcomes: Sequence[bool], seed: int, clusters: Sequence[str] | None = None
) -> Calibration:
    """`isotonic` from scores to chances on one half drawn by `seed`, measured on the other half.

    Whole clusters are drawn (default: every item its own). Raises ValueError for fewer than two clusters, or for lists
    that differ in length.
    """
    names = [str(i) for i in range(len(scores))] if clusters is None else clusters
    if len(outcomes) != len(scores) or len(names) != len(scores):
        raise ValueError("scores, outcomes and clusters must be of equal length")
    order = list(dict.fromkeys(names))
    if len(order) < 2:
        raise ValueError("calibration needs two halves: at least two clusters")
    random.Random(seed).shuffle(order)
    first = set(order[: len(order) // 2])
    fitted = [(s, o) for s, o, name in zip(scores, outcomes, names, strict=True) if name in first]
    measured = [(s, o) for s, o, name in zip(scores, outcomes, names, strict=True) if name not in first]
    chance = isotonic([s for s, _ in fitted], [o for _, o in fitted])
    said, true = [chance(s) for s, _ in measured], [o for _, o in measured]
    base = fmean(o for _, o in fitted)
    return Calibration(
        ece(said, true), brier(said, true), brier([base] * len(true), true), reliability(said, true)
    )


def _check(probabilities: Sequence[float], outcomes: Sequence[bool]) -> None:
    if not probabilities or len(probabilities) != len(outcomes):
        raise ValueError("there must be at least one probability, with an outcome for each")
    if not all(0 <= p <= 1 for p in probabilities):
        raise ValueError("a probability lies outside 0 to 1")
