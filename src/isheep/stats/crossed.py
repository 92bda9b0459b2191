"""Tables of outcomes by seed and prompt. Knows: crossed random effects; not how seeds or prompts were chosen.

An evaluation repeated over training seeds has two sources of chance, the seeds and the prompts; every interval here
counts both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from isheep.stats.shares import Z95, wilson_at
from isheep.stats.student import t_quantile, two_sided

#: `crossed` never claims more than this many degrees of freedom per degree of freedom among the seeds. By simulation
#: (3 to 10 seeds, 60 to 300 prompts, seed SD 0 to 20 points) false positives are then 1 to 6 %; without it up to 8 %.
DF_PER_SEED = 4


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `seeds` seeds and `prompts` prompts with its 95 % interval.

    With `seeds` = 1 the interval covers the choice of the prompts only: another seed gives another model.
    """

    value: float
    low: float
    high: float
    seeds: int
    prompts: int


@dataclass(frozen=True, slots=True)
class Difference(Estimate):
    """A mean paired difference; `p` is two-sided, for no difference, and `df` the degrees of freedom behind both."""

    p: float
    df: float


def mean_squares(table: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Mean squares of a seeds-by-prompts table without replication: seeds, prompts, residual.

    A mean square without degrees of freedom (one seed, one prompt) is 0.
    """
    seeds, prompts = len(table), len(table[0])
    rows, columns = [fmean(row) for row in table], [fmean(column) for column in zip(*table, strict=True)]
    mean = fmean(rows)
    by_seed = prompts * sum((row - mean) ** 2 for row in rows)
    by_prompt = seeds * sum((column - mean) ** 2 for column in columns)
    rest = sum(
        (value - rows[s] - columns[p] + mean) ** 2
        for s, row in enumerate(table)
        for p, value in enumerate(row)
    )
    freedom = (seeds - 1, prompts - 1, (seeds - 1) * (prompts - 1))
    by_seed, by_prompt, rest = (
        ss / df if df else 0.0 for ss, df in zip((by_seed, by_prompt, rest), freedom, strict=True)
    )
    return by_seed, by_prompt, rest


def crossed(differences: Sequence[Sequence[float]], bound: float = 1.0) -> Difference:
    """Mean of `differences[seed][prompt]` between two arms that saw the same prompts under the same seeds.

    Seeds and prompts are crossed random effects: the interval is for other seeds and other prompts of the same kind.
    The variance of the mean is s_seed/S + s_prompt/P + s_rest/(S P), its components from the mean squares (two-way
    layout without replication, moment estimators, cut at 0); t quantiles with Satterthwaite's degrees of freedom
    (1946), not below the smaller of S - 1 and P - 1 and not above DF_PER_SEED (S - 1). Two seeds are too few where
    seeds matter: up to one false positive in ten. One seed: a paired t interval over the prompts.

    `bound` is the largest possible difference (1 for shares). Where all differences are equal nothing tells how much
    they vary; half an item is then added to each side, as in `paired_difference`, counting prompts but not seeds.
    Raises ValueError for an empty or ragged table, or a difference beyond `bound`.
    """
    _check(differences, bound)
    seeds, prompts = len(differences), len(differences[0])
    value = fmean(map(fmean, differences))
    if _all_equal(differences):
        value = differences[0][0]
        n, unit = prompts + 2, value / bound
        centre, df = bound * prompts * unit / n, float(prompts + 1)
        error = bound * math.sqrt(prompts * unit**2 + 1 - (prompts * unit) ** 2 / n) / n
    else:
        variance, df = _variance_of_mean(differences)
        centre, error = value, math.sqrt(variance)
    half = t_quantile(df) * error
    low, high = max(-bound, min(value, centre - half)), min(bound, max(value, centre + half))
    return Difference(value, low, high, seeds, prompts, two_sided(centre / error, df), df)


def crossed_share(outcomes: Sequence[Sequence[float]]) -> Estimate:
    """Mean of `outcomes[seed][prompt]`, each from 0 to 1, with seeds and prompts as crossed random effects.

    Wilson's interval with the number of items that the crossed variance is worth (Kish 1965) and t
    quantiles; so it stays within 0 and 1. One seed: plain Wilson. All equal: Wilson over the prompts. Where outcomes
    are no plain 0 or 1 it is somewhat too wide, never too narrow.
    Raises ValueError for an empty or ragged table.
    """
    _check(outcomes, 1.0)
    seeds, prompts = len(outcomes), len(outcomes[0])
    value = sum(map(sum, outcomes)) / (seeds * prompts)
    if seeds == 1 or _all_equal(outcomes):
        low, high = wilson_at(value, prompts, Z95)
    else:
        variance, df = _variance_of_mean(outcomes)
        worth = min(value * (1 - value) / variance, float(seeds * prompts))
        low, high = wilson_at(value, worth, t_quantile(df))
    return Estimate(value, low, high, seeds, prompts)


def _variance_of_mean(table: Sequence[Sequence[float]]) -> tuple[float, float]:
    return variance_of_mean(mean_squares(table), len(table), len(table[0]))


def variance_of_mean(squares: tuple[float, float, float], seeds: int, prompts: int) -> tuple[float, float]:
    """Variance of the grand mean and its degrees of freedom, from the mean squares. With the components put in, the
    variance is a sum of mean squares over S P, each taken once, not at all, or away: so Satterthwaite's formula needs
    only those signs."""
    by_seed, by_prompt, rest = squares
    if seeds == 1 or prompts == 1:
        return (by_seed + by_prompt) / (seeds * prompts), float(max(seeds, prompts) - 1)
    more = rest * (1 + 1e-9)  # equal but for rounding is equal: else the last bit would decide over df
    takes_seed, takes_prompt = by_seed > more, by_prompt > more
    parts = (
        (takes_seed * by_seed, seeds - 1),
        (takes_prompt * by_prompt, prompts - 1),
        ((1 - takes_seed - takes_prompt) * rest, (seeds - 1) * (prompts - 1)),
    )
    total = sum(part for part, _ in parts)
    df = total**2 / sum(part**2 / freedom for part, freedom in parts)
    least, most = min(seeds, prompts) - 1, DF_PER_SEED * (seeds - 1)
    return total / (seeds * prompts), max(float(least), min(df, float(most)))


def _check(table: Sequence[Sequence[float]], bound: float) -> None:
    if not table or not table[0] or any(len(row) != len(table[0]) for row in table):
        raise ValueError("outcomes must be a full table: as many prompts under every seed, and at least one")
    if not all(abs(value) <= bound for row in table for value in row):
        raise ValueError(f"a value lies beyond {bound:g}")


def _all_equal(table: Sequence[Sequence[float]]) -> bool:
    return all(value == table[0][0] for row in table for value in row)
