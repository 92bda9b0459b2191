"""Does one number rank another? Knows: ranks, and intervals by resampling clusters; not what was ranked.

numpy is imported when a function needs it: `import isheep` stays light.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from isheep.stats.bootstrap import bca
from isheep.stats.shares import Z95, wilson_at

if TYPE_CHECKING:
    from isheep.stats.bootstrap import Floats, Indices


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Chance that a random positive scores above a random negative, ties half; None without both kinds."""
    if not positive or not negative:
        return None
    ranked = sorted([(score, True) for score in positive] + [(score, False) for score in negative])
    rank_sum, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        mean_rank = (start + 1 + end) / 2
        rank_sum += mean_rank * sum(is_positive for _, is_positive in ranked[start:end])
        start = end
    n, m = len(positive), len(negative)
    return (rank_sum - n * (n + 1) / 2) / (n * m)


def auroc_interval(
    positive: Sequence[float],
    negative: Sequence[float],
    clusters: tuple[Sequence[str], Sequence[str]] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The 95 % interval of `auroc`, by `bca` over clusters (default: every item its own); None without both kinds.

    `clusters` names those of the positives and those of the negatives; a cluster may hold both kinds. Where no
    resample differs from the estimate (perfect order), Wilson's interval for as many items as there are clusters of the
    rarer kind: the variance of an AUROC A is at most A (1 - A) over that number (Birnbaum and Klose 1957).
    Raises ValueError for a score that is no finite number.
    """
    if not positive or not negative:
        return None
    import numpy as np

    for scores in (positive, negative):
        _check_paired(scores)
    codes = 2 * _codes([*positive, *negative]) + np.repeat([1, 0], [len(positive), len(negative)])

    def of(indices: Indices) -> float | None:
        """By counting: how many of each kind have each score, and how many negatives lie below."""
        downs, ups = np.bincount(codes[indices], minlength=2 * len(codes)).reshape(-1, 2).T
        pairs = int(ups.sum()) * int(downs.sum())
        return float(ups @ (np.cumsum(downs) - downs / 2)) / pairs if pairs else None

    names = None if clusters is None else [*clusters[0], *clusters[1]]
    low, high = bca(len(codes), of, names, draws, seed)
    if low < high:
        return low, high
    rarer = min(map(len, (positive, negative) if clusters is None else map(set, clusters)))
    return wilson_at(low, rarer, Z95)


def spearman(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties by mean rank; None where one of them does not vary."""
    _check_paired(x, y)
    return _correlation(_ranks(_codes(x)), _ranks(_codes(y)))


def partial_spearman(x: Sequence[float], y: Sequence[float], given: Sequence[float]) -> float | None:
    """Correlation of the ranks of `x` and `y` after what the rank of `given` tells of each (a straight line, by least
    squares) is taken away; None where nothing is left of one of them.

    "Do score and truth still go together among answers of like length?", as far as ranks are a straight line's worth.
    """
    _check_paired(x, y, given)
    return _partial(_codes(x), _codes(y), _codes(given))


def spearman_interval(
    x: Sequence[float],
    y: Sequence[float],
    given: Sequence[float] | None = None,
    clusters: Sequence[str] | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The 95 % interval of `spearman`, or with `given` of `partial_spearman`, by `bca` over clusters; None where the
    correlation itself is None.

    Where no resample differs from the estimate (perfect order), one neighbouring pair is taken as swapped, and the
    interval is Fisher's with Bonett and Wright's variance (2000) over the clusters: (1 + r²/2) / (G - 3).
    """
    import numpy as np

    _check_paired(x, y, *(() if given is None else (given,)))
    columns = [_codes(column) for column in ((x, y) if given is None else (x, y, given))]

    def of(indices: Indices) -> float | None:
        chosen = [column[indices] for column in columns]
        return _partial(*chosen) if len(chosen) == 3 else _correlation(*map(_ranks, chosen))

    value = of(np.arange(len(x)))
    if value is None:
        return None
    low, high = bca(len(x), of, clusters, draws, seed)
    return (
        (low, high) if low < high else _nearly_perfect(value, len(x if clusters is None else set(clusters)))
    )


def _nearly_perfect(value: float, n: int) -> tuple[float, float]:
    if n < 4:
        return -1.0, 1.0
    r = math.copysign(min(abs(value), 1 - 12 / (n * (n * n - 1))), value)
    half = Z95 * math.sqrt((1 + r * r / 2) / (n - 3))
    low, high = math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)
    return min(low, value), max(high, value)


def _codes(values: Sequence[float]) -> Indices:
    """Each value's place among the different values, from 0."""
    import numpy as np

    codes: Indices = np.unique(np.array(values, float), return_inverse=True)[1]
    return codes


def _ranks(codes: Indices) -> Floats:
    """Ranks from 1, ties by mean rank; by counting, for a resample is ranked thousands of times."""
    import numpy as np

    counts = np.bincount(codes)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[codes]
    return ranks


def _correlation(x: Floats, y: Floats) -> float | None:
    """Pearson's; None where one is constant, or only rounding is left of it."""
    import numpy as np

    a, b = x - x.mean(), y - y.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    least = 1e-9 * max(1.0, float(np.abs(x).max()), float(np.abs(y).max())) ** 2
    return max(-1.0, min(1.0, float(a @ b) / size)) if size > least else None


def _partial(x: Indices, y: Indices, given: Indices) -> float | None:
    z = _ranks(given)
    z = z - z.mean()
    square = float(z @ z)
    left = []
    for column in (_ranks(x), _ranks(y)):
        column = column - column.mean()
        left.append(column - z * (float(column @ z) / square) if square else column)
    return _correlation(*left)


def _check_paired(*columns: Sequence[float]) -> None:
    if not columns[0] or len({len(column) for column in columns}) > 1:
        raise ValueError("paired values must be non-empty and of equal length")
    if not all(math.isfinite(value) for column in columns for value in column):
        raise ValueError("a value is no finite number: leave missing items out, and say how many")
