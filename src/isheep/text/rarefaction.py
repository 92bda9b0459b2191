"""How many kinds a smaller random sample would show: what makes two sets of different size comparable.

Knows: counts. The more one looks at, the fewer of the things seen are new, so shares of distinct things fall with size
alone. Ecologists therefore compare at the size of the smallest set (rarefaction, Hurlbert 1971), and take the mean over
all samples of that size in closed form: exact, without a seed, whatever the order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def expected_distinct(counts: Counts, total: int, size: float) -> float:
    """Mean number of kinds met in `size` of `total` units drawn without replacement.

    `counts[i]` is the number of units that hold kind i (a unit may hold several kinds). Between whole sizes the mean is
    read off the straight line. Raises ValueError for a size outside 0..total.
    """
    if not 0 <= size <= total:
        raise ValueError(f"a sample of {size} cannot be drawn from {total}")
    log_factorial = _log_factorials(total)
    times, kinds = np.unique(counts, return_counts=True)
    below = int(size)
    here = _distinct(times, kinds, total, below, log_factorial)
    if below == size:
        return here
    return here + (size - below) * (_distinct(times, kinds, total, below + 1, log_factorial) - here)


def _distinct(
    times: Counts, kinds: Counts, total: int, size: int, log_factorial: NDArray[np.float64]
) -> float:
    """A kind held by `times` units is missed with probability C(total - times, size) / C(total, size)."""
    missable = total - times >= size
    left = (total - times)[missable]
    missed = np.exp(
        log_factorial[left] - log_factorial[left - size] - log_factorial[total] + log_factorial[total - size]
    )
    return float(kinds.sum() - (kinds[missable] * missed).sum())


def expected_entropy(counts: Counts, size: int) -> float:
    """Mean entropy, in nats, of the kinds of `size` units drawn without replacement; every unit is of one kind.

    `counts[i]` is the number of units of kind i. Raises ValueError for a size outside 1..sum of counts.
    """
    total = int(counts.sum())
    if not 1 <= size <= total:
        raise ValueError(f"a sample of {size} cannot be drawn from {total}")
    log_factorial = _log_factorials(total)

    def log_choose(n: Counts | int, k: Counts | int) -> NDArray[np.float64]:
        return log_factorial[n] - log_factorial[k] - log_factorial[n - k]

    entropy = 0.0
    for times, kinds in zip(*np.unique(counts, return_counts=True), strict=True):
        drawn = np.arange(max(1, size - (total - int(times))), min(int(times), size) + 1)
        chance = np.exp(
            log_choose(int(times), drawn)
            + log_choose(total - int(times), size - drawn)
            - log_choose(total, size)
        )
        share = drawn / size
        entropy -= int(kinds) * float((chance * share * np.log(share)).sum())
    return max(0.0, entropy)


def _log_factorials(last: int) -> NDArray[np.float64]:
    """ln n! for n = 0..last."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, last + 1)))])
