"""Intervals. Knows: counts and paired outcomes. Standard library only.

Every score isheep reports carries a 95 % interval; these are the two it needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

#: Two-sided 95 % normal quantile.
Z95 = NormalDist().inv_cdf(0.975)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's score interval (95 %) for a share; sound for small n and for shares near 0 or 1 (Wilson 1927).

    n = 0 gives (0, 1): nothing is known.
    """
    if n == 0:
        return 0.0, 1.0
    p, z2 = hits / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def paired_difference(after: Sequence[bool], before: Sequence[bool]) -> tuple[float, float, float]:
    """Difference of two shares over the same items, with its 95 % interval.

    Wald's interval for paired shares after half an item is added to each of the four cells (Agresti and Min 2005): it
    stays honest where few items differ, or all do. Raises ValueError when the lists differ in length or are empty.
    """
    if len(after) != len(before) or not after:
        raise ValueError("paired outcomes must be non-empty and of equal length")
    better = sum(a and not b for a, b in zip(after, before, strict=True))
    worse = sum(b and not a for a, b in zip(after, before, strict=True))
    n = len(after) + 2
    centre = (better - worse) / n
    half = Z95 * math.sqrt((better + worse + 1) - (better - worse) ** 2 / n) / n
    return (better - worse) / len(after), max(-1.0, centre - half), min(1.0, centre + half)


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
