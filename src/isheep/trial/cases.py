"""Cases: one scored answer each, with the truth about it, and the cluster bootstrap that all intervals come from.

Knows: numbers. Does not know: where scores or truths come from. All statistics here take weights, a row for each
resample, so that one pass of numpy gives a statistic's value in thousands of resamples at once: `isheep.stats` has the
same for one statistic at a time, which is too slow for some twenty on every model of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: (weights [resamples, cases]) -> the statistic in each resample [resamples]; NaN where it has none.
Statistic = Callable[[Array], Array]
#: A figure as the report's summary has it: `value`, `n`, `ci_low`, `ci_high`.
Cell = dict[str, Any]

#: Scores run from 1 to 10 (paper).
SCALE = (1.0, 10.0)
#: Resamples behind an interval.
RESAMPLES = 1000
#: Groups of clusters left out in turn for the interval's skewness.
LEFT_OUT = 200
#: Numbers in a portion of resamples: small enough for the processor's cache, which makes it three times faster.
PORTION = 100_000


@dataclass(frozen=True, slots=True)
class Case:
    """One answer. `score` is None when unreadable; `length` is in characters; answers of one `cluster` (to one
    question) are not independent."""

    score: float | None
    right: bool
    length: int
    cluster: str


@dataclass(frozen=True)
class Columns:
    """The readable cases as columns, in the order given."""

    score: Array
    right: Array
    length: Array
    clusters: tuple[str, ...]

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Columns:
        # An expected score is a sum of products: what stands at 10.000000000000002 is a 10.
        read = [(min(max(case.score, SCALE[0]), SCALE[1]), case) for case in cases if case.score is not None]
        return cls(
            np.array([score for score, _ in read], dtype=float),
            np.array([case.right for _, case in read], dtype=float),
            np.array([case.length for _, case in read], dtype=float),
            tuple(case.cluster for _, case in read),
        )

    def __len__(self) -> int:
        return len(self.clusters)


# ---------------------------------------------------------------- resamples


def weights(clusters: Sequence[str], seed: int, count: int = RESAMPLES) -> Iterator[Array]:
    """How often each case stands in each resample, [some, cases] at a time: whole clusters are drawn, with
    replacement, as many as there are."""
    cluster, groups = _numbered(clusters)
    rng = np.random.default_rng(seed)
    step = max(1, PORTION // len(clusters))
    for start in range(0, count, step):
        rows = min(step, count - start)
        drawn = rng.integers(0, groups, (rows, groups)) + groups * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups)
        yield times[:, cluster].astype(float)


def _left_out(clusters: Sequence[str], seed: int) -> Iterator[Array]:
    """The cases without each cluster once; of many clusters, without each of LEFT_OUT random groups of them."""
    cluster, groups = _numbered(clusters)
    group = np.arange(groups) % LEFT_OUT
    if groups > LEFT_OUT:
        np.random.default_rng(seed).shuffle(group)
    of_case = group[cluster]
    step = max(1, PORTION // len(clusters))
    for start in range(0, min(groups, LEFT_OUT), step):
        out = np.arange(start, min(groups, LEFT_OUT, start + step))
        yield (of_case[None, :] != out[:, None]).astype(float)


def _numbered(clusters: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    _, cluster = np.unique(np.array(clusters), return_inverse=True)
    return cluster, int(cluster.max()) + 1


def whole(statistic: Statistic, cases: int) -> float | None:
    """The statistic of the cases as they are; None where it has no value."""
    value = float(statistic(np.ones((1, cases)))[0])
    return value if np.isfinite(value) else None


def estimates(
    statistics: Mapping[str, Statistic], clusters: Sequence[str], seed: int
) -> dict[str, Cell | None]:
    """By name: `value`, `n`, `ci_low`, `ci_high`, the 95 % BCa interval of a bootstrap over clusters, as `stats.bca`
    has it; all statistics see the same resamples.

    None where a statistic has no value in the cases, or in more than a tenth of the resamples. An interval of no
    width means that no resample differed, not that the value is certain.
    """
    values = {name: whole(of, len(clusters)) for name, of in statistics.items()}
    known = {name: of for name, of in statistics.items() if values[name] is not None}
    resampled = _of_each(known, weights(clusters, seed))
    without = _of_each(known, _left_out(clusters, seed))
    made: dict[str, Cell | None] = dict.fromkeys(statistics)
    for name in known:
        there = resampled[name][np.isfinite(resampled[name])]
        value = values[name]
        if value is not None and len(there) >= 0.9 * len(resampled[name]):
            low, high = np.quantile(there, _shares(there, value, without[name]))
            made[name] = {"value": value, "n": len(clusters), "ci_low": float(low), "ci_high": float(high)}
    return made


def estimate(statistic: Statistic, clusters: Sequence[str], seed: int) -> Cell | None:
    """One of `estimates`."""
    return estimates({"": statistic}, clusters, seed)[""]


def _of_each(statistics: Mapping[str, Statistic], portions: Iterator[Array]) -> dict[str, Array]:
    found: dict[str, list[Array]] = {name: [] for name in statistics}
    for drawn in portions:
        for name, of in statistics.items():
            found[name].append(of(drawn))
    return {name: np.concatenate(values) for name, values in found.items()}


def _shares(found: Array, value: float, without: Array) -> tuple[float, float]:
    """Which quantiles of the resamples are the interval's ends (Efron 1987); the plain ones where those of the
    correction are undefined."""
    below = float((found < value).mean() + (found <= value).mean()) / 2
    adds = without.mean() - without
    square = float((adds**2).sum())
    if not 0 < below < 1 or not np.isfinite(square) or square < 1e-24:
        return 0.025, 0.975
    normal = NormalDist()
    bias, pull = normal.inv_cdf(below), float((adds**3).sum()) / (6 * square**1.5)
    ends = []
    for plain in (0.025, 0.975):
        z = bias + normal.inv_cdf(plain)
        # Past its pole the correction is meaningless: there it asks for the farthest resample.
        ends.append(normal.cdf(bias + z / (1 - pull * z)) if pull * z < 1 else float(z > 0))
    return ends[0], ends[1]


# ---------------------------------------------------------------- weighted statistics


def auroc(score: Array, right: Array) -> Statistic:
    """Chance that a right answer scores above a wrong one, ties half; NaN without both."""
    order, starts, _ = _groups(score)

    def of(w: Array) -> Array:
        w = w[:, order]
        good = np.add.reduceat(w * right[order], starts, axis=1)
        bad = np.add.reduceat(w, starts, axis=1) - good
        below = np.cumsum(bad, axis=1) - bad / 2
        with np.errstate(invalid="ignore"):
            won: Array = (good * below).sum(axis=1) / (good.sum(axis=1) * bad.sum(axis=1))
        return won

    return of


def spearman(one: Array, two: Array) -> Statistic:
    """Rank correlation; NaN where one side is constant."""
    rank_one, rank_two = _ranks(one), _ranks(two)
    return lambda w: _correlation(w, rank_one(w), rank_two(w))


def partial_spearman(one: Array, two: Array, given: Array) -> Statistic:
    """Rank correlation of two at equal rank of a third; NaN where the third decides one of them."""
    ranks = [_ranks(values) for values in (one, two, given)]

    def of(w: Array) -> Array:
        a, b, c = (rank(w) for rank in ranks)
        ab, ac, bc = _correlation(w, a, b), _correlation(w, a, c), _correlation(w, b, c)
        left = (1 - ac**2) * (1 - bc**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            rest: Array = np.where(left > 1e-9, (ab - ac * bc) / np.sqrt(left), np.nan)
        # A third that is always the same explains nothing: the plain correlation is left.
        return np.where(np.isnan(ac) & np.isnan(bc), ab, rest)

    return of


def _groups(values: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """An order that sorts the values, where in it each group of equals starts, and each value's group."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    return order, starts, group


def _ranks(values: Array) -> Callable[[Array], Array]:
    """Weighted mid-ranks [resamples, cases] of the values."""
    order, starts, group = _groups(values)

    def of(w: Array) -> Array:
        size = np.add.reduceat(w[:, order], starts, axis=1)
        ranks: Array = (np.cumsum(size, axis=1) - size / 2)[:, group]
        return ranks

    return of


def _correlation(w: Array, one: Array, two: Array) -> Array:
    total = w.sum(axis=1, keepdims=True)
    one = one - (w * one).sum(axis=1, keepdims=True) / total
    two = two - (w * two).sum(axis=1, keepdims=True) / total
    spread = (w * one**2).sum(axis=1) * (w * two**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.where(spread > 1e-6, (w * one * two).sum(axis=1) / np.sqrt(spread), np.nan)
    return found
