"""Intervals by resampling. Knows: clusters drawn again with replacement; not what is computed from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

#: At most this many groups of clusters are left out in turn to find the acceleration. Of k times fewer groups both the
#: skewness (over root k) and its divisor (root of the count) shrink alike, so that the acceleration stays what it is.
JACKKNIFE = 1000


def bca(
    data: int | Sized,
    statistic: Callable[[Indices], float | None],
    clusters: Sequence[str] | None = None,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap interval (Efron 1987) of a statistic of items.

    `data` is the items or how many there are. `statistic` gets indices of items, some more than once, and gives a
    number, or None where there is none (no positives among them): such resamples are left out. Whole clusters are
    drawn (default: every item its own). The acceleration comes from leaving out each cluster once.

    Falls back to the percentile interval where the acceleration is undefined (leaving out a cluster changes nothing,
    or leaves nothing to compute) or all resamples lie on one side of the estimate. An interval of zero width means
    that no resample differed, not that the figure is certain. Raises ValueError where the statistic of all items, or
    of most resamples, is None.
    """
    import numpy as np

    n = data if isinstance(data, int) else len(data)
    members = _members(n, clusters)
    estimate = statistic(np.arange(n)) if n else None
    if estimate is None:
        raise ValueError("there is nothing to resample: the statistic of all items does not exist")
    random = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        chosen = random.integers(0, len(members), len(members))
        drawn = chosen if clusters is None else np.concatenate([members[g] for g in chosen])
        if (value := statistic(drawn)) is not None:
            found.append(value)
    if 2 * len(found) < draws:
        raise ValueError("the statistic does not exist in most resamples: too few items of some kind")
    shares = [(1 - level) / 2, (1 + level) / 2]
    below = (np.mean(np.less(found, estimate)) + np.mean(np.less_equal(found, estimate))) / 2
    acceleration = _acceleration(statistic, members, random) if 0 < below < 1 else None
    if acceleration is not None:
        normal = NormalDist()
        bias = normal.inv_cdf(float(below))
        for i, share in enumerate(shares):
            z = bias + normal.inv_cdf(share)
            # Past its pole the correction is meaningless: there it asks for the farthest resample.
            stretch = 1 - acceleration * z
            shares[i] = normal.cdf(bias + z / stretch) if stretch > 0 else float(z > 0)
    low, high = np.quantile(found, shares)
    return float(low), float(high)


def _members(n: int, clusters: Sequence[str] | None) -> list[Indices]:
    """The items of each cluster, in order of first appearance."""
    import numpy as np

    if clusters is None:
        return list(np.arange(n)[:, None])
    if len(clusters) != n:
        raise ValueError("every item needs its cluster: the lists differ in length")
    of: dict[str, list[int]] = {}
    for item, cluster in enumerate(clusters):
        of.setdefault(cluster, []).append(item)
    return [np.array(items) for items in of.values()]


def _acceleration(
    statistic: Callable[[Indices], float | None], members: list[Indices], random: np.random.Generator
) -> float | None:
    """A sixth of the skewness of what each group of clusters adds; None where it is undefined."""
    import numpy as np

    if len(members) < 2:
        return None
    group = np.arange(len(members)) % JACKKNIFE
    if len(members) > JACKKNIFE:
        random.shuffle(group)
    items = np.concatenate(members)
    group_of_item = np.repeat(group, [len(m) for m in members])
    left_out = [statistic(items[group_of_item != g]) for g in range(min(len(members), JACKKNIFE))]
    values = [value for value in left_out if value is not None]
    if len(values) < len(left_out):
        return None
    adds = np.mean(values) - np.array(values)
    square = float(np.sum(adds**2))
    if square <= 1e-24 * max(map(abs, values)) ** 2:
        return None
    return float(np.sum(adds**3) / (6 * square**1.5))
