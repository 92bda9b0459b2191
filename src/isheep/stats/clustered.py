"""Means over items that come in clusters. Knows: items of one cluster are not independent; not why.

A cluster is what was drawn: one prompt with its instructions, one passage with its questions. Its items say less than
as many items of different clusters, so the clusters are what is counted. One run only: for several training seeds see
`crossed`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from isheep.stats.shares import Z95, mcnemar, paired_at, paired_difference, wilson, wilson_at
from isheep.stats.student import t_quantile, two_sided

#: The bounds of a share.
SHARE = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Clustered:
    """A mean over `n` items in `clusters` clusters with its 95 % interval.

    `se` is the cluster-robust standard error; infinite for one cluster, which says nothing about others. It is 0 where
    all clusters agree: the interval, which is not made from it alone, is then still not of zero width.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int
    se: float


@dataclass(frozen=True, slots=True)
class ClusteredDifference(Clustered):
    """A mean paired difference; `p` is two-sided, for no difference. `df` are the degrees of freedom behind interval
    and p, None where neither is made from Student's t."""

    p: float
    df: float | None


def clustered_mean(
    values: Sequence[float], clusters: Sequence[str], bounds: tuple[float, float] | None = None
) -> Clustered:
    """Mean of `values`, of which `clusters` names the cluster of each.

    Standard error: cluster-robust with the factor G/(G - 1) for G clusters (Liang and Zeger 1986), Student's t with
    G - 1 degrees of freedom. Shares (all values 0 or 1, unless `bounds` says otherwise) get Wilson's interval: plain
    if each item is its own cluster, else with as many items as that variance is worth, at most `n` (Kish 1965), and
    over the clusters where all values are equal.

    `bounds` are the least and the largest possible value: the interval stays within. Where all clusters agree, nothing
    tells how much they vary: with bounds the interval is then Wilson's for the value's place between them, as if each
    cluster were one item that can only be at a bound, which is the widest; without bounds it is infinite. So is that
    of one cluster. Raises ValueError for no values, for lists that differ in length, for what is no finite number or
    out of bounds.
    """
    bounds = _checked(values, clusters, bounds)
    sums, se = _by_cluster(values, clusters)
    n, count = len(values), len(sums)
    value = math.fsum(values) / n
    scale = bounds or (-math.inf, math.inf)
    share = bounds == SHARE and _binary(values)
    if share and count == n:
        low, high = wilson(int(sum(values)), n)
    elif bounds is not None and (se == 0 or (share and count > 1)):
        low, high = _wilson_between(bounds, value, se, n, count, share)
    elif count == 1 or se == 0:
        low, high = scale
    else:
        half = t_quantile(count - 1) * se
        low, high = max(scale[0], min(value, value - half)), min(scale[1], max(value, value + half))
    return Clustered(value, low, high, n, count, se)


def _wilson_between(
    bounds: tuple[float, float], value: float, se: float, n: int, clusters: int, share: bool
) -> tuple[float, float]:
    low, width = bounds[0], bounds[1] - bounds[0]
    place = min(1.0, max(0.0, (value - low) / width))
    if se > 0:
        interval = wilson_at(place, min(place * (1 - place) / (se / width) ** 2, n), t_quantile(clusters - 1))
    else:
        # Clusters that agree on a share between 0 and 1 show that their items differ; else each is worth one item.
        worth = n if share and 0 < place < 1 else clusters
        interval = wilson_at(place, worth, Z95)
    return low + width * interval[0], low + width * interval[1]


def clustered_difference(
    after: Sequence[float],
    before: Sequence[float],
    clusters: Sequence[str],
    bounds: tuple[float, float] | None = None,
) -> ClusteredDifference:
    """Mean of `after` - `before` over the same items.

    Shares (all values 0 or 1, unless `bounds` says otherwise) of items that are each their own cluster:
    `paired_difference` and the exact `mcnemar`, which near 0.05 need not agree. Else the clustered standard error of
    the differences and Student's t with G - 1 degrees of freedom; shares of clustered items as in `paired_difference`,
    with as many items as that error is worth, at most `n`. With few clusters that differ at all, take `sign_flip` for
    the p value.

    `bounds` are the least and the largest possible value of an item, not of a difference. Where all clusters differ by
    the same, half a cluster is added to each side, as in `crossed`; without bounds the interval is then infinite and
    p is 1, as for one cluster. Raises ValueError as `clustered_mean` does.
    """
    if len(after) != len(before):
        raise ValueError("paired values must be of equal length: one before and one after for every item")
    bounds = _checked([*after, *before], [*clusters, *clusters], bounds)
    differences = [a - b for a, b in zip(after, before, strict=True)]
    sums, se = _by_cluster(differences, clusters)
    n, count = len(differences), len(sums)
    value = math.fsum(differences) / n
    share = bounds == SHARE and _binary([*after, *before])
    if share and count == n:
        right, was_right = [a == 1 for a in after], [b == 1 for b in before]
        value, low, high = paired_difference(right, was_right)
        return ClusteredDifference(value, low, high, n, count, se, mcnemar(right, was_right), None)
    reach = bounds[1] - bounds[0] if bounds else math.inf
    centre, error, df = value, se, float(count - 1)
    if count == 1 or (se == 0 and bounds is None):
        return ClusteredDifference(value, -reach, reach, n, count, se, 1.0, df)
    if se == 0:
        (centre, error), df = _all_agree(value, reach, count), float(count + 1)
    elif share:
        centre, error = _at_worth(differences, se)
    half = t_quantile(df) * error
    low, high = max(-reach, min(value, centre - half)), min(reach, max(value, centre + half))
    return ClusteredDifference(value, low, high, n, count, se, two_sided(centre / error, df), df)


def _at_worth(differences: Sequence[float], se: float) -> tuple[float, float]:
    """Centre and error of a paired share, with as many items as its clustered error `se` says they are worth. By
    simulation, 5 changes in 500 items of 100 clusters: covers in 92 % of cases, plain t in 80 %."""
    n, better, worse = len(differences), differences.count(1), differences.count(-1)
    alone = (better + worse - (better - worse) ** 2 / n) / n**2
    design = max(1.0, se**2 / alone)
    return paired_at(better / design, worse / design, n / design, 1.0)


def _all_agree(value: float, reach: float, clusters: int) -> tuple[float, float]:
    """Centre and error where every cluster differs by `value`: half a cluster is added to each side."""
    unit, n = value / reach, clusters + 2
    error = reach * math.sqrt(clusters * unit**2 + 1 - (clusters * unit) ** 2 / n) / n
    return reach * clusters * unit / n, error


def _by_cluster(values: Sequence[float], clusters: Sequence[str]) -> tuple[list[float], float]:
    """Each cluster's sum of deviations from the mean, and the standard error of the mean."""
    mean = math.fsum(values) / len(values)
    sums: dict[str, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + (value - mean)
    count, n = len(sums), len(values)
    if count == 1:
        return list(sums.values()), math.inf
    se = math.sqrt(count / (count - 1) * math.fsum(s * s for s in sums.values())) / n
    # What rounding leaves of a zero is a zero: it would decide over the kind of the interval.
    largest = max(map(abs, values))
    return list(sums.values()), se if se > 1e-12 * largest else 0.0


def _checked(
    values: Sequence[float], clusters: Sequence[str], bounds: tuple[float, float] | None
) -> tuple[float, float] | None:
    """The bounds: as given, or those of a share if the values are such."""
    if not values or len(values) != len(clusters):
        raise ValueError("there must be at least one value, and a cluster for each")
    if not all(map(math.isfinite, values)):
        raise ValueError("a value is no finite number: leave missing items out, and say how many")
    if bounds is None:
        return SHARE if _binary(values) else None
    if not bounds[0] < bounds[1]:
        raise ValueError(f"bounds {bounds}: the first must be below the second")
    if not all(bounds[0] <= value <= bounds[1] for value in values):
        raise ValueError(f"a value lies outside {bounds[0]:g} to {bounds[1]:g}")
    return bounds


def _binary(values: Sequence[float]) -> bool:
    return all(value in (0, 1) for value in values)
