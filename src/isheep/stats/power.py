"""What a comparison can see. Knows: how many prompts and seeds; not their outcomes, which are still to come.

All shares are in 0..1: an effect of 0.05 is five points. `discordant` is the share of prompts whose outcome differs
between the two arms, in one run of each. `seed_sd` is the standard deviation, over training seeds, of the true
difference between the arms; if the arms' seeds have nothing in common, root 2 times that of one arm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from isheep.stats.crossed import variance_of_mean

#: How much of what varies between prompts is the same under every seed, for want of a measurement: half of it.
SHARED = 0.5
#: Simulated tables behind the power over several seeds. With other tables it moves by 0.007 (SD) for two seeds, 0.005
#: for three, 0.002 for five.
TABLES = 2000
#: How many seeds people train, when they train several.
USUAL_SEEDS = (3, 5, 10, 20, 40)
#: No plan beyond these is of use; `needed_seeds` and `needed_prompts` then say None.
MOST_SEEDS, MOST_PROMPTS = 200, 1_000_000


def paired_power(effect: float, n: int, discordant: float, alpha: float = 0.05) -> float:
    """Chance to see a change of `effect` in a share over `n` prompts, two models compared once.

    McNemar's test with the normal distribution (Connor 1987): the exact test has up to a few points less where only a
    few prompts change. Raises ValueError where `discordant` is no share, or less than `effect`.
    """
    _check(n, discordant, effect)
    normal = NormalDist()
    null = normal.inv_cdf(1 - alpha / 2) * math.sqrt(discordant / n)
    spread = math.sqrt((discordant - effect**2) / n)
    if spread == 0:
        return float(abs(effect) > null)
    return normal.cdf((effect - null) / spread) + normal.cdf((-effect - null) / spread)


def minimum_detectable_effect(
    n: int, discordant: float, alpha: float = 0.05, power: float = 0.8
) -> float | None:
    """The smallest change of a share that `paired_power` sees with chance `power`; None if none as large as
    `discordant` is seen: too few prompts change."""
    return _smallest(lambda effect: paired_power(effect, n, discordant, alpha), power, discordant)


def power_crossed(
    effect: float,
    seeds: int,
    prompts: int,
    seed_sd: float,
    discordant: float,
    shared: float = SHARED,
    alpha: float = 0.05,
) -> float:
    """Chance that `crossed` calls a difference of `effect` real.

    A prompt's difference varies with variance `discordant` around the seed's; the part `shared` of it is the same under
    every seed, the rest is drawn anew. Taken as normal, the three mean squares are scaled chi-squares independent of
    the mean: they are drawn TABLES times with a fixed seed, the error and degrees of freedom are those `crossed` would
    claim for each, and the chance given them is exact. One seed: `paired_power`, the chance to tell these two models
    apart, whatever other seeds would give. Raises ValueError where a share is none, `seed_sd` is negative, there are
    fewer than two prompts, or `discordant` is less than `effect`.
    """
    _check(prompts, discordant, effect, seeds, seed_sd, shared)
    if seeds == 1:
        return paired_power(effect, prompts, discordant, alpha)
    return _beyond(effect, *_limits(seeds, prompts, seed_sd, discordant, shared, alpha))


def minimum_detectable_crossed(
    seeds: int,
    prompts: int,
    seed_sd: float,
    discordant: float,
    shared: float = SHARED,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float | None:
    """The smallest difference that `power_crossed` sees with chance `power`; None if none as large as `discordant`
    is seen."""

    def reached(effect: float) -> float:
        return power_crossed(effect, seeds, prompts, seed_sd, discordant, shared, alpha)

    return _smallest(reached, power, discordant)


def false_positives_of_one_seed(
    prompts: int, seed_sd: float, discordant: float, alpha: float = 0.05
) -> float:
    """Chance that two methods of equal merit are called different, if each is trained once and only prompts are
    counted as chance."""
    _check(prompts, discordant, seed_sd=seed_sd)
    normal, by_prompt = NormalDist(), math.sqrt(discordant / prompts)
    return 2 * normal.cdf(normal.inv_cdf(alpha / 2) * by_prompt / math.hypot(by_prompt, seed_sd))


def needed_seeds(
    effect: float,
    prompts: int,
    seed_sd: float,
    discordant: float,
    shared: float = SHARED,
    alpha: float = 0.05,
    power: float = 0.8,
) -> int | None:
    """The fewest seeds (from 2 on) with which `power_crossed` reaches `power`; None where MOST_SEEDS do not: then the
    prompts are the limit."""

    def reached(seeds: int) -> float:
        return power_crossed(effect, seeds, prompts, seed_sd, discordant, shared, alpha)

    return _fewest(reached, power, MOST_SEEDS)


def needed_prompts(
    effect: float,
    discordant: float,
    seeds: int = 1,
    seed_sd: float = 0.0,
    shared: float = SHARED,
    alpha: float = 0.05,
    power: float = 0.8,
) -> int | None:
    """The fewest prompts with which `power_crossed` reaches `power`; None where MOST_PROMPTS do not: then the seeds
    are the limit. With three seeds more prompts can even see less: once prompts hardly matter, what is left to tell
    how much seeds vary is the seeds alone, and `crossed` claims fewer degrees of freedom."""

    def reached(prompts: int) -> float:
        return power_crossed(effect, seeds, prompts, seed_sd, discordant, shared, alpha)

    return _fewest(reached, power, MOST_PROMPTS)


@dataclass(frozen=True, slots=True)
class PowerRow:
    """What so many seeds and prompts would see; `power` is None where no effect was named."""

    seeds: int
    prompts: int
    minimum_detectable_effect: float | None
    power: float | None


@dataclass(frozen=True, slots=True)
class PowerReport:
    """What a comparison of two arms can see, at a level of 5 % and a power of 80 %. All shares are in 0..1.

    `needed_seeds` and `needed_prompts` are for `effect`, each with the other as it is; None where no effect was named
    or none of use suffices (see MOST_SEEDS, MOST_PROMPTS).
    """

    seeds: int
    prompts: int
    seed_sd: float
    discordant: float
    shared: float
    effect: float | None
    minimum_detectable_effect: float | None
    power: float | None
    needed_seeds: int | None
    needed_prompts: int | None
    false_positives_of_one_seed: float
    more_seeds: tuple[PowerRow, ...]
    more_prompts: tuple[PowerRow, ...]


def power_report(
    prompts: int,
    seeds: int,
    seed_sd: float,
    discordant: float,
    effect: float | None = None,
    shared: float = SHARED,
) -> PowerReport:
    """What `prompts` and `seeds` can see, and what the next three usual numbers of seeds, or 2, 4 and 10 times the
    prompts, would. Raises ValueError as `power_crossed` does."""

    def row(seeds: int, prompts: int) -> PowerRow:
        smallest = minimum_detectable_crossed(seeds, prompts, seed_sd, discordant, shared)
        if effect is None:
            return PowerRow(seeds, prompts, smallest, None)
        power = power_crossed(effect, seeds, prompts, seed_sd, discordant, shared)
        return PowerRow(seeds, prompts, smallest, power)

    now = row(seeds, prompts)
    return PowerReport(
        seeds,
        prompts,
        seed_sd,
        discordant,
        shared,
        effect,
        now.minimum_detectable_effect,
        now.power,
        None if effect is None else needed_seeds(effect, prompts, seed_sd, discordant, shared),
        None if effect is None else needed_prompts(effect, discordant, seeds, seed_sd, shared),
        false_positives_of_one_seed(prompts, seed_sd, discordant),
        tuple(row(more, prompts) for more in [n for n in USUAL_SEEDS if n > seeds][:3]),
        tuple(row(seeds, prompts * times) for times in (2, 4, 10)),
    )


@lru_cache(maxsize=64)
def _limits(
    seeds: int, prompts: int, seed_sd: float, discordant: float, shared: float, alpha: float
) -> tuple[tuple[float, ...], float]:
    """How far from 0 the mean must lie to be called different, in each simulated table, and the mean's true SD."""
    import numpy as np
    from scipy.special import stdtrit

    rest = (1 - shared) * discordant
    expected = prompts * seed_sd**2 + rest, seeds * shared * discordant + rest, rest
    freedom = seeds - 1, prompts - 1, (seeds - 1) * (prompts - 1)
    drawn = np.random.default_rng(0).chisquare(freedom, (TABLES, 3)) * expected / freedom
    found = [variance_of_mean((s, p, r), seeds, prompts) for s, p, r in drawn.tolist()]
    quantiles = stdtrit([df for _, df in found], 1 - alpha / 2)
    limits = tuple(float(q) * math.sqrt(variance) for q, (variance, _) in zip(quantiles, found, strict=True))
    return limits, math.sqrt((expected[0] + expected[1] - rest) / (seeds * prompts))


def _beyond(effect: float, limits: tuple[float, ...], spread: float) -> float:
    """Chance of a mean beyond its limit on either side."""
    import numpy as np
    from scipy.special import ndtr

    far = np.array(limits)
    return float(np.mean(ndtr((effect - far) / spread) + ndtr((-effect - far) / spread)))


def _smallest(reached: Callable[[float], float], power: float, most: float) -> float | None:
    """Where a rising `reached` comes to `power`, by halving, to a millionth."""
    if reached(most) < power:
        return None
    low, high = 0.0, most
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    return high


def _fewest(reached: Callable[[int], float], power: float, most: int) -> int | None:
    """The same over whole numbers, from 2 on."""
    high = 2
    while reached(high) < power:
        if high == most:
            return None
        high = min(2 * high, most)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    return high


def _check(
    prompts: int,
    discordant: float,
    effect: float = 0.0,
    seeds: int = 1,
    seed_sd: float = 0.0,
    shared: float = SHARED,
) -> None:
    if prompts < 2 or seeds < 1:
        raise ValueError("there must be at least two prompts and one seed")
    if not (0 < discordant <= 1 and 0 <= shared <= 1 and 0 <= seed_sd <= 1):
        raise ValueError(
            "discordant, shared and seed_sd are in 0..1 (0.05 is five points), discordant above 0"
        )
    if not abs(effect) <= discordant:
        raise ValueError(
            f"effect: a change of {abs(effect):g} needs at least as large a share of prompts that change, and "
            f"discordant is {discordant:g} (both are shares: 0.05 is five points)"
        )
