"""Verdicts -> scores: the several that a judge gave one pair on one scale become one number, or None.

Knows: Verdict records. Does not know: how a verdict was read, or what a score is good for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum

from isheep.records import Verdict


def scores(verdicts: Iterable[Verdict]) -> dict[str, dict[str, float | None]]:
    """Pair id -> scale -> score, each the mean of the readable verdicts; None where none of them is readable.

    Pairs and scales stand in the order in which they first occur; the order of the verdicts changes no number.
    """
    found: dict[str, dict[str, float | None]] = {}
    several: dict[tuple[str, str], list[float | None]] = {}
    for verdict in verdicts:
        of = found.get(verdict.pair)
        if of is None:
            of = found[verdict.pair] = {}
        if verdict.scale in of:  # rare: most judges are asked once
            first = [of[verdict.scale]]
            several.setdefault((verdict.pair, verdict.scale), first).append(verdict.score)
        else:
            of[verdict.scale] = None if verdict.score is None else float(verdict.score)
    for (pair, scale), values in several.items():
        readable = [value for value in values if value is not None]
        found[pair][scale] = fsum(readable) / len(readable) if readable else None
    return found


def mean_scores(verdicts: Iterable[Verdict]) -> dict[str, float]:
    """Pair id -> mean over the scales that have a score. A pair without any is left out: no score is not a low one."""
    means = {pair: mean_of(of) for pair, of in scores(verdicts).items()}
    return {pair: mean for pair, mean in means.items() if mean is not None}


def mean_of(by_scale: Mapping[str, float | None]) -> float | None:
    """Mean over the scales of one pair that have a score; None when none has."""
    readable = [score for score in by_scale.values() if score is not None]
    return fsum(readable) / len(readable) if readable else None
