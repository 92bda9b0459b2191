"""Tests by flipping signs. Knows: paired differences by cluster; no distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: Up to so many patterns of signs are all looked at.
EXACT = 2**14
#: Random numbers drawn at once: 64 MB of them.
AT_ONCE = 2**23


def sign_flip(
    differences: Sequence[float], clusters: Sequence[str] | None = None, draws: int = 10_000, seed: int = 0
) -> float:
    """Two-sided p for a mean of paired differences, if under no difference each cluster's sum had either sign alike.

    No shape is assumed, only that symmetry. `clusters` names the cluster of each difference (default: each its own); a
    cluster flips as a whole. Exact where the clusters that differ at all have at most 2**14 patterns of signs; else by
    `draws` random patterns as (b + 1) / (draws + 1), b of them at least as far from 0, which is never 0 and never too
    small (Phipson and Smyth 2010). Raises ValueError for no differences, or for lists that differ in length.
    """
    import numpy as np

    if not differences or (clusters is not None and len(clusters) != len(differences)):
        raise ValueError("there must be at least one difference, and a cluster for each")
    if not all(map(math.isfinite, differences)):
        raise ValueError("a difference is no finite number: leave missing items out, and say how many")
    by_cluster: dict[object, list[float]] = {}
    for name, value in zip(clusters or range(len(differences)), differences, strict=True):
        by_cluster.setdefault(name, []).append(value)
    sums = np.array([total for group in by_cluster.values() if (total := math.fsum(group))])
    # What differs only by rounding is as far from 0 as what was seen.
    seen = abs(float(sums.sum())) - 1e-9 * float(np.abs(sums).sum())
    if 2 ** len(sums) <= EXACT:
        patterns = np.zeros(1)
        for value in sums:
            patterns = np.concatenate([patterns + value, patterns - value])
        return float(np.mean(np.abs(patterns) >= seen))
    # Sums of one size are drawn together: how many of them are flipped is binomial.
    sizes, counts = np.unique(np.abs(sums), return_counts=True)
    random, at_once, beyond = np.random.default_rng(seed), max(1, AT_ONCE // len(sizes)), 0
    for start in range(0, draws, at_once):
        flipped = random.binomial(counts, 0.5, (min(at_once, draws - start), len(sizes)))
        beyond += int(np.count_nonzero(np.abs((counts - 2 * flipped) @ sizes) >= seen))
    return (beyond + 1) / (draws + 1)
