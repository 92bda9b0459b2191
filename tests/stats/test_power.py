"""Power against the tests themselves: exact sums, and tables put through `crossed`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.power import normal_power

from isheep.stats import (
    crossed,
    false_positives_of_one_seed,
    mcnemar,
    minimum_detectable_crossed,
    minimum_detectable_effect,
    needed_prompts,
    needed_seeds,
    paired_power,
    power_crossed,
    power_report,
)


def seen_by_mcnemar(effect: float, n: int, discordant: float, runs: int = 4000) -> float:
    drawn = np.random.default_rng(1).multinomial(
        n, [(discordant + effect) / 2, (discordant - effect) / 2, 1 - discordant], runs
    )
    found: dict[tuple[int, int], float] = {}
    for better, worse, _ in drawn.tolist():
        if (better, worse) not in found:
            after = [True] * better + [False] * worse
            found[better, worse] = mcnemar(after, [not a for a in after]) if after else 1.0
    return float(np.mean([found[better, worse] < 0.05 for better, worse, _ in drawn.tolist()]))


@pytest.mark.parametrize(
    ("effect", "n", "discordant"), [(0.054, 541, 0.2), (0.09, 164, 0.17), (0.03, 805, 0.1)]
)
def test_paired_power_is_what_mcnemar_sees(effect: float, n: int, discordant: float) -> None:
    # The exact test sees a little less; 4,000 runs are within 0.02.
    exact = seen_by_mcnemar(effect, n, discordant)
    assert exact - 0.02 <= paired_power(effect, n, discordant) <= exact + 0.06


def test_a_small_effect_has_the_power_of_a_z_test() -> None:
    # Where the effect hardly changes the spread, McNemar's test is a z test of the mean difference.
    oracle = normal_power(0.005 / math.sqrt(0.3), 60_000, 0.05)
    assert paired_power(0.005, 60_000, 0.3) == pytest.approx(oracle, abs=1e-3)
    assert paired_power(0, 541, 0.2) == pytest.approx(0.05)


@given(st.integers(50, 3000), st.floats(0.05, 0.9))
def test_the_smallest_effect_is_seen_just_so(n: int, discordant: float) -> None:
    smallest = minimum_detectable_effect(n, discordant)
    if smallest is None:
        assert paired_power(discordant, n, discordant) < 0.8
    else:
        assert paired_power(smallest, n, discordant) == pytest.approx(0.8, abs=1e-3)


def test_measured_facts_and_their_assumptions() -> None:
    """What docs/statistics.md says of the usual benchmarks."""
    assert minimum_detectable_effect(541, 0.2) == pytest.approx(0.054, abs=0.0005)  # IFEval
    assert minimum_detectable_effect(805, 0.2) == pytest.approx(0.044, abs=0.0005)  # AlpacaEval
    assert minimum_detectable_effect(164, 0.17) == pytest.approx(0.090, abs=0.0005)  # HumanEval
    for seeds, power in ((3, 0.34), (5, 0.64), (10, 0.94)):
        assert power_crossed(0.05, seeds, 541, 0.03, 0.25, shared=0.1) == pytest.approx(power, abs=0.025)
    assert false_positives_of_one_seed(541, 0.015, 0.18) == pytest.approx(0.13, abs=0.003)


@pytest.mark.parametrize("shared", [0.1, 0.6])
@pytest.mark.parametrize("seeds", [3, 5])
def test_power_over_seeds_is_what_crossed_sees(seeds: int, shared: float) -> None:
    prompts, seed_sd, discordant, effect, runs = 60, 0.04, 0.2, 0.12, 600
    random = np.random.default_rng(seeds)
    own, anew = math.sqrt(discordant * shared), math.sqrt(discordant * (1 - shared))
    seen = 0
    for _ in range(runs):
        table = effect + seed_sd * random.standard_normal((seeds, 1))
        table = table + own * random.standard_normal((1, prompts))
        table = table + anew * random.standard_normal((seeds, prompts))
        seen += crossed(table.tolist(), bound=9).p < 0.05
    expected = power_crossed(effect, seeds, prompts, seed_sd, discordant, shared)
    assert 0.2 < expected < 0.9
    assert seen / runs == pytest.approx(expected, abs=3 * math.sqrt(expected * (1 - expected) / runs))


def test_outcomes_of_right_and_wrong_do_as_the_normal_ones() -> None:
    """Real differences are -1, 0 and 1: half of the prompts that ever change are changed by every seed alike."""
    seeds, prompts, runs, effect, discordant = 5, 200, 400, 0.06, 0.2
    random = np.random.default_rng(0)
    seen = 0
    for _ in range(runs):
        up = (discordant + effect + random.normal(0, 0.02, (seeds, 1))) / 2
        u = np.where(
            random.random(prompts) < 0.5, random.random((1, prompts)), random.random((seeds, prompts))
        )
        seen += crossed(((u < up).astype(float) - (u > 1 - (discordant - up))).tolist()).p < 0.05
    assert seen / runs == pytest.approx(power_crossed(effect, seeds, prompts, 0.02, discordant), abs=0.08)


def test_without_a_difference_the_power_is_the_level() -> None:
    for seeds in (3, 5, 10):
        assert 0.02 < power_crossed(0.0, seeds, 541, 0.02, 0.2) < 0.06


@settings(max_examples=15)
@given(st.integers(1, 8), st.floats(0.0, 0.05), st.floats(0.0, 1.0))
def test_the_smallest_effect_over_seeds_is_seen_just_so(seeds: int, seed_sd: float, shared: float) -> None:
    smallest = minimum_detectable_crossed(seeds, 541, seed_sd, 0.2, shared)
    if smallest is None:
        assert power_crossed(0.2, seeds, 541, seed_sd, 0.2, shared) < 0.8
    else:
        assert power_crossed(smallest, seeds, 541, seed_sd, 0.2, shared) == pytest.approx(0.8, abs=1e-3)


def test_needed_is_enough_and_one_less_is_not() -> None:
    seeds = needed_seeds(0.05, 541, 0.02, 0.2)
    assert seeds is not None
    assert power_crossed(0.05, seeds - 1, 541, 0.02, 0.2) < 0.8 <= power_crossed(0.05, seeds, 541, 0.02, 0.2)
    prompts = needed_prompts(0.05, 0.2)
    assert prompts is not None
    assert paired_power(0.05, prompts - 1, 0.2) < 0.8 <= paired_power(0.05, prompts, 0.2)
    prompts = needed_prompts(0.05, 0.2, seeds=10, seed_sd=0.02)
    assert prompts is not None
    assert power_crossed(0.05, 10, prompts - 1, 0.02, 0.2) < 0.8
    assert power_crossed(0.05, 10, prompts, 0.02, 0.2) >= 0.8


def test_what_more_of_the_same_never_reaches_is_none() -> None:
    assert needed_prompts(0.02, 0.2, seeds=3, seed_sd=0.05) is None  # the seeds are the limit
    assert needed_seeds(0.02, 60, 0.001, 0.2) is None  # the prompts are
    assert minimum_detectable_effect(10, 0.1) is None  # too few could change


def test_one_seed_sees_these_two_models_only() -> None:
    assert power_crossed(0.05, 1, 541, 0.05, 0.2) == paired_power(0.05, 541, 0.2)
    assert false_positives_of_one_seed(541, 0.0, 0.2) == pytest.approx(0.05)
    # By hand: SD 1.92 points by prompts, 2 by seeds: P(|Z| > 1.96 x 1.923 / 2.775).
    assert false_positives_of_one_seed(541, 0.02, 0.2) == pytest.approx(0.174, abs=0.001)


def test_the_report_gathers_what_the_functions_say() -> None:
    found = power_report(541, 3, 0.02, 0.2, effect=0.05)
    assert found.power == power_crossed(0.05, 3, 541, 0.02, 0.2)
    assert found.minimum_detectable_effect == minimum_detectable_crossed(3, 541, 0.02, 0.2)
    assert found.needed_seeds == needed_seeds(0.05, 541, 0.02, 0.2)
    assert [(row.seeds, row.prompts) for row in found.more_seeds] == [(5, 541), (10, 541), (20, 541)]
    assert [(row.seeds, row.prompts) for row in found.more_prompts] == [(3, 1082), (3, 2164), (3, 5410)]
    assert found.more_seeds[1].power == power_crossed(0.05, 10, 541, 0.02, 0.2)
    without = power_report(541, 1, 0.02, 0.2)
    assert (without.power, without.needed_seeds, without.needed_prompts) == (None, None, None)
    assert without.minimum_detectable_effect == minimum_detectable_effect(541, 0.2)
    assert all(row.power is None and row.minimum_detectable_effect for row in without.more_seeds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"effect": 0.3}, "at least as large a share"),
        ({"discordant": 0.0}, "discordant"),
        ({"discordant": 20}, "five points"),
        ({"seed_sd": -0.1}, "seed_sd"),
        ({"shared": 1.5}, "shared"),
        ({"prompts": 1}, "two prompts"),
        ({"seeds": 0}, "one seed"),
    ],
)
def test_what_cannot_be_planned_is_refused(change: dict[str, float], message: str) -> None:
    plan = {"prompts": 541, "seeds": 3, "seed_sd": 0.02, "discordant": 0.2, "effect": 0.05, **change}
    with pytest.raises(ValueError, match=message):
        power_crossed(**plan)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        power_report(**plan)  # type: ignore[arg-type]


def test_an_effect_that_cannot_be_names_itself() -> None:
    for effect in (5.0, math.nan):
        with pytest.raises(ValueError, match=r"^effect: .*discordant is 0\.2"):
            power_report(541, 1, 0.015, 0.2, effect)
