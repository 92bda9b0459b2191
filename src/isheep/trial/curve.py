"""The threshold curve: how right the kept answers are at every threshold, against a random filter of the same size.

Knows: cases. A random filter keeps as many answers, drawn without looking at scores: what it keeps is as right as all
of them on average, and by chance somewhat more or less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from isheep.stats import clustered_mean
from isheep.trial.cases import PORTION, Array, Cell, Columns, Statistic, estimate, whole

#: Thresholds shown at most: beyond that, about evenly spaced in what they keep.
POINTS = 25
#: Random filters behind the area's range.
FILTERS = 1000
#: A share of fewer kept answers than this says nothing.
LEAST_KEPT = 10


def curve(c: Columns, gained: Cell | None, seed: int) -> dict[str, Any]:
    """`base` (share right of all), `points` from the lowest threshold to the highest, and `area`.

    A point keeps the scores of at least `threshold`: `kept`, `share` (of all), `precision` (share right) with its
    interval, `gain` over all answers, and `random_low` to `random_high`, where 95 % of random filters of that size lie.
    `area`: the mean gain over all sizes, ties broken at random (`gained`, here with its interval), with the range
    of random filters; `best` is what scores that know the truth would reach.
    """
    base = float(c.right.mean())
    levels = np.unique(c.score)
    if len(levels) > POINTS:
        levels = np.unique(np.quantile(c.score, np.linspace(0, 1, POINTS), method="lower"))
    points = [_point(c, float(level), base) for level in levels]
    low, high = _random_areas(c, seed)
    best = -base * math.log(base) if base else 0.0
    whole_area = {**gained, "random_low": low, "random_high": high, "best": best} if gained else None
    return {"base": base, "points": points, "area": whole_area}


def _point(c: Columns, threshold: float, base: float) -> dict[str, Any]:
    passed = np.flatnonzero(c.score >= threshold)
    found = clustered_mean(c.right[passed].tolist(), [c.clusters[i] for i in passed])
    return {
        "threshold": threshold,
        "kept": found.n,
        "share": found.n / len(c),
        "precision": found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "gain": found.value - base,
        **random_range(len(c), int(c.right.sum()), found.n),
    }


def random_range(total: int, right: int, kept: int) -> dict[str, float]:
    """`random_low` and `random_high`: 95 % of draws of `kept` out of `total` answers, `right` of them right, have a
    share right between these (hypergeometric)."""
    first, last = max(0, kept - (total - right)), min(kept, right)
    logs = np.array([_ways(right, k) + _ways(total - right, kept - k) for k in range(first, last + 1)])
    chances = np.exp(logs - logs.max())
    reached = np.cumsum(chances / chances.sum())
    low, high = np.searchsorted(reached, [0.025, 0.975])
    return {"random_low": (first + int(low)) / kept, "random_high": (first + int(high)) / kept}


def _ways(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def area(score: Array, right: Array) -> Statistic:
    """Mean over all sizes of what the best by score gain over all answers, equal scores in random order. `right` may
    have a row for each of several truths; the weights then have one row.

    The size is taken as continuous: within a group of equal scores the hits grow evenly, which gives the integral of
    hits over size in closed form.
    """
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))

    def of(w: Array) -> Array:
        w = w[:, order]
        size = np.add.reduceat(w, starts, axis=1)
        hits = np.add.reduceat(w * right[..., order], starts, axis=1)
        end = np.cumsum(size, axis=1)
        before, hits_before = end - size, np.cumsum(hits, axis=1) - hits
        with np.errstate(invalid="ignore", divide="ignore"):
            slope = np.where(size > 0, hits / size, 0.0)
            grown = np.where(before > 0, (hits_before - slope * before) * np.log(end / before), 0.0)
        total = end[:, -1]
        made: Array = (slope * size + grown).sum(axis=1) / total - hits.sum(axis=1) / total
        return made

    return of


def _random_areas(c: Columns, seed: int) -> tuple[float, float]:
    """Where 95 % of the areas lie when the same scores are dealt out at random."""
    rng, one, found = np.random.default_rng(seed), np.ones((1, len(c))), []
    rows = max(1, PORTION // len(c))
    for start in range(0, FILTERS, rows):
        dealt = rng.permuted(np.tile(c.right, (min(rows, FILTERS - start), 1)), axis=1)
        found.append(area(c.score, dealt)(one))
    low, high = np.percentile(np.concatenate(found), [2.5, 97.5])
    return float(low), float(high)


def at_filter(kept: Array, right: Array, clusters: Sequence[str], seed: int) -> dict[str, Any] | None:
    """What a filter's own decisions gained: `kept`, `precision`, `gain` over all answers with its interval, and the
    range of random filters of the same size. None where it keeps fewer than LEAST_KEPT, or everything."""
    count = int(kept.sum())
    if count < LEAST_KEPT or count == len(kept):
        return None

    def gain(w: Array) -> Array:
        with np.errstate(invalid="ignore"):
            made: Array = (w * kept) @ right / (w @ kept) - (w @ right) / w.sum(axis=1)
        return made

    found = estimate(gain, clusters, seed)
    if found is None:
        return None
    precision = whole(lambda w: (w * kept) @ right / (w @ kept), len(kept))
    chance = random_range(len(kept), int(right.sum()), count)
    return {"kept": count, "precision": precision, "base": float(right.mean()), "gain": found, **chance}
