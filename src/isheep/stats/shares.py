"""Shares of independent items. Knows: counts and paired outcomes; not clusters, not seeds."""

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
    return wilson_at(hits / n, n, Z95) if n else (0.0, 1.0)


def wilson_at(p: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's interval for a share `p` of `n` > 0 items, which need not be whole, at quantile `z`."""
    z2 = z**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def paired_difference(after: Sequence[bool], before: Sequence[bool]) -> tuple[float, float, float]:
    """Difference of two shares over the same items, with its 95 % interval.

    Wald's interval for paired shares after half an item is added to each of the four cells (Agresti and Min 2005): it
    stays honest where few items differ, or all do. Raises ValueError when the lists differ in length or are empty.
    """
    better, worse = _discordant(after, before)
    centre, half = paired_at(better, worse, len(after), Z95)
    return (better - worse) / len(after), max(-1.0, centre - half), min(1.0, centre + half)


def paired_at(better: float, worse: float, n: float, z: float) -> tuple[float, float]:
    """Centre and half width of `paired_difference` at quantile `z`, from counts that need not be whole."""
    n += 2
    return (better - worse) / n, z * math.sqrt((better + worse + 1) - (better - worse) ** 2 / n) / n


def mcnemar(after: Sequence[bool], before: Sequence[bool]) -> float:
    """Exact two-sided p of McNemar's test (1947): the items that changed, as fair coins.

    Twice the smaller binomial tail, at most 1; 1 where nothing changed. It never rejects too often, and with few
    changes clearly less often than it might. Raises ValueError when the lists differ in length or are empty.
    """
    from scipy.special import bdtr

    better, worse = _discordant(after, before)
    return min(1.0, 2 * float(bdtr(min(better, worse), better + worse, 0.5)))


def _discordant(after: Sequence[bool], before: Sequence[bool]) -> tuple[int, int]:
    """How many items turned right, and how many wrong."""
    if len(after) != len(before) or not after:
        raise ValueError("paired outcomes must be non-empty and of equal length")
    better = sum(a and not b for a, b in zip(after, before, strict=True))
    worse = sum(b and not a for a, b in zip(after, before, strict=True))
    return better, worse
