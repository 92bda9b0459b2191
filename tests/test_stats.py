"""Intervals against their oracles and their edges."""

from __future__ import annotations

import math
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as oracle_stats
from sklearn.metrics import roc_auc_score

from isheep.stats import (
    DF_PER_SEED,
    auroc,
    crossed,
    crossed_share,
    holm,
    mean_squares,
    paired_difference,
    t_quantile,
    wilson,
)

Table = list[list[float]]


def tables(*values: float, least: int = 1) -> st.SearchStrategy[Table]:
    """Full tables of seeds by prompts."""
    cell = st.sampled_from(values)
    return st.tuples(st.integers(least, 5), st.integers(least, 8)).flatmap(
        lambda size: st.lists(
            st.lists(cell, min_size=size[1], max_size=size[1]), min_size=size[0], max_size=size[0]
        )
    )


def test_wilson_known_values() -> None:
    # Newcombe (1998), Table I, method 3: 81 of 263.
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


@given(st.integers(0, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_agrees_with_scipy(counts: tuple[int, int]) -> None:
    hits, n = counts
    low, high = wilson(hits, n)
    assert 0 <= low <= high <= 1
    if n:
        from scipy.stats import binomtest

        oracle = binomtest(hits, n).proportion_ci(method="wilson")
        assert low == pytest.approx(oracle.low, abs=1e-9)
        assert high == pytest.approx(oracle.high, abs=1e-9)
        assert low <= hits / n <= high


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_paired_difference_known_values() -> None:
    # By hand: 6 items, 2 better, 1 worse; half an item in each cell makes 8 items, 2.5 and 1.5 of them discordant.
    value, low, high = paired_difference(
        [True, True, False, True, False, True], [False, False, True, True, False, True]
    )
    assert value == pytest.approx(1 / 6)
    half = 1.959964 * math.sqrt(4 - 1 / 8) / 8
    assert low == pytest.approx(1 / 8 - half, abs=1e-6)
    assert high == pytest.approx(1 / 8 + half, abs=1e-6)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_paired_difference_holds_its_value_and_is_never_too_sure(pairs: list[tuple[bool, bool]]) -> None:
    after, before = [a for a, _ in pairs], [b for _, b in pairs]
    value, low, high = paired_difference(after, before)
    assert -1 <= low <= value <= high <= 1
    assert high - low > 0
    assert paired_difference(before, after) == pytest.approx((-value, -high, -low))


@pytest.mark.parametrize(("after", "before"), [([True], [True, False]), ([], [])])
def test_paired_difference_refuses_unpaired(after: list[bool], before: list[bool]) -> None:
    with pytest.raises(ValueError, match="paired"):
        paired_difference(after, before)


@given(
    st.lists(st.integers(1, 10), min_size=1, max_size=40),
    st.lists(st.integers(1, 10), min_size=1, max_size=40),
)
def test_auroc_agrees_with_scikit_learn(right: list[int], wrong: list[int]) -> None:
    oracle = roc_auc_score([1] * len(right) + [0] * len(wrong), right + wrong)
    assert auroc(right, wrong) == pytest.approx(oracle)


def test_auroc_needs_both_kinds() -> None:
    assert auroc([1.0], []) is None
    assert auroc([], [1.0]) is None


def test_mean_squares_by_hand() -> None:
    # Row means 1/4 and 3/4, column means 1, 1/2, 0 and 1/2, grand mean 1/2; sums of squares 1/2, 1, and 1/2 left of 2.
    assert mean_squares([[1, 0, 0, 0], [1, 1, 0, 1]]) == pytest.approx((0.5, 1 / 3, 1 / 6))


@given(tables(-1.0, 0.0, 0.5, 1.0, least=2))
def test_mean_squares_agree_with_least_squares(table: Table) -> None:
    d = np.array(table)
    seeds, prompts = d.shape
    rows, columns = np.repeat(np.eye(seeds), prompts, axis=0), np.tile(np.eye(prompts), (seeds, 1))

    def left(*blocks: np.ndarray) -> float:
        """Residual sum of squares of a linear fit."""
        design = np.hstack(blocks)
        return float(((d.ravel() - design @ np.linalg.lstsq(design, d.ravel(), rcond=None)[0]) ** 2).sum())

    everything = left(rows, columns)
    expected = (
        (left(columns) - everything) / (seeds - 1),
        (left(rows) - everything) / (prompts - 1),
        everything / ((seeds - 1) * (prompts - 1)),
    )
    assert mean_squares(table) == pytest.approx(expected, abs=1e-9)


def test_crossed_by_hand() -> None:
    # Mean squares 1/2, 1/3, 1/6: variance (1/2 + 1/3 - 1/6) / 8; df (2/3)^2 / (1/4 + 1/27 + 1/108).
    found = crossed([[1, 0, 0, 0], [1, 1, 0, 1]], bound=10)
    df = (4 / 9) / (1 / 4 + 1 / 27 + 1 / 108)
    half = oracle_stats.t.ppf(0.975, df) * math.sqrt((2 / 3) / 8)
    assert (found.value, found.df, found.seeds, found.prompts) == (0.5, pytest.approx(df), 2, 4)
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half))
    assert found.p == pytest.approx(2 * oracle_stats.t.sf(0.5 / math.sqrt((2 / 3) / 8), df))


def test_one_seed_is_a_t_test_over_prompts() -> None:
    row = [1.0, 0.0, -1.0, 1.0, 1.0, 0.0, 0.0]
    found, oracle = crossed([row]), oracle_stats.ttest_1samp(row, 0)
    assert (found.seeds, found.df) == (1, 6)
    assert found.p == pytest.approx(oracle.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(oracle.confidence_interval()))


@pytest.mark.parametrize("prompts", [1, 50])
def test_when_only_seeds_differ_it_is_a_t_test_over_seeds(prompts: int) -> None:
    """Any number of prompts that all say the same is no more than one."""
    means = [0.5, 0.25, 0.75, 0.375]
    found, oracle = crossed([[m] * prompts for m in means]), oracle_stats.ttest_1samp(means, 0)
    assert found.df == 3
    assert (found.low, found.high) == pytest.approx(tuple(oracle.confidence_interval()))


def test_seeds_that_repeat_one_another_count_as_one() -> None:
    row = [1.0, 0.0, -1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    found = crossed([row] * 3)
    error = float(np.std(row, ddof=1)) / math.sqrt(len(row))
    assert found.df == min(9, DF_PER_SEED * 2)
    assert found.high - found.low == pytest.approx(2 * t_quantile(found.df) * error)


@given(tables(-1.0, 0.0, 1.0))
def test_crossed_holds_its_value_and_is_never_too_sure(table: Table) -> None:
    found = crossed(table)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 1 / (len(table) * len(table[0]) + 2)
    assert (found.p < 0.05) is (found.low > 0 or found.high < 0)
    turned = crossed([[-value for value in row] for row in table])
    assert (turned.value, turned.low, turned.high) == pytest.approx((-found.value, -found.high, -found.low))
    assert (turned.p, turned.df) == pytest.approx((found.p, found.df))


@pytest.mark.parametrize("value", [0, 1, -1])
@pytest.mark.parametrize("seeds", [1, 3])
def test_all_equal_is_as_unsure_as_one_seed_alone(value: int, seeds: int) -> None:
    found = crossed([[value] * 30] * seeds)
    once = paired_difference([value > 0] * 30, [value < 0] * 30)
    assert found.value == once[0]
    assert found.low <= once[1]  # the t quantile is wider than the normal one
    assert found.high >= once[2]
    assert found.high - found.low < 0.2
    assert (found.p < 0.05) is (value != 0)


def test_the_unit_of_the_outcomes_does_not_matter() -> None:
    shares = crossed([[0.5] * 9] * 2)
    marks = crossed([[5.0] * 9] * 2, bound=10)
    assert (marks.low, marks.high) == pytest.approx((10 * shares.low, 10 * shares.high))


@pytest.mark.parametrize("table", [[], [[]], [[1.0], [1.0, 0.0]]])
def test_crossed_refuses_what_is_no_table(table: Table) -> None:
    with pytest.raises(ValueError, match="full table"):
        crossed(table)
    with pytest.raises(ValueError, match="full table"):
        crossed_share([[value > 0 for value in row] for row in table])


def test_crossed_refuses_what_no_share_can_differ_by() -> None:
    with pytest.raises(ValueError, match="beyond 1"):
        crossed([[2.0, 0.0]])
    with pytest.raises(ValueError, match="beyond 1"):
        crossed([[math.nan, 0.0]])


def answers(rng: random.Random, seeds: int, ability: list[float], seed_sd: float) -> list[list[bool]]:
    """An arm's outcomes: `ability` by prompt and a draw by seed, in logits, then a coin for each answer."""
    shifts = [rng.gauss(0, seed_sd) for _ in range(seeds)]
    return [[rng.random() < 1 / (1 + math.exp(-a - shift)) for a in ability] for shift in shifts]


def test_false_positives_of_two_arms_that_are_alike() -> None:
    """Same prompts, arms of equal merit, seeds that matter: 3 to 6 % are called different. Prompts alone: far more."""
    rng = random.Random(5)
    runs, found, naive = 600, 0, 0
    for _ in range(runs):
        prompts = [rng.gauss(0.5, 1.5) for _ in range(60)]
        arms = [answers(rng, 4, [p + rng.gauss(0, 0.5) for p in prompts], 0.4) for _ in range(2)]
        table = [[float(a) - b for a, b in zip(*rows, strict=True)] for rows in zip(*arms, strict=True)]
        found += crossed(table).p < 0.05
        naive += float(oracle_stats.ttest_1samp(np.ravel(table), 0).pvalue) < 0.05
    assert 0.03 <= found / runs <= 0.06
    assert naive / runs > 0.12


@pytest.mark.parametrize(
    ("seeds", "seed_sd", "prompt_sd"), [(3, 0.05, 0.1), (5, 0.02, 0.2), (10, 0.05, 0.3), (1, 0.0, 0.2)]
)
def test_coverage_of_a_known_difference(seeds: int, seed_sd: float, prompt_sd: float) -> None:
    rng = random.Random(seeds)
    runs, truth, hit = 500, 0.07, 0
    for _ in range(runs):
        by_prompt = [rng.gauss(0, prompt_sd) for _ in range(40)]
        shifts = [rng.gauss(0, seed_sd) for _ in range(seeds)]
        table = [[truth + s + p + rng.gauss(0, 0.3) for p in by_prompt] for s in shifts]
        found = crossed(table, bound=5)
        hit += found.low <= truth <= found.high
    assert 0.93 <= hit / runs <= 0.985


def test_coverage_of_a_share_near_one() -> None:
    """Where a plain interval would leave 0..1 or shrink to nothing."""
    rng = random.Random(3)
    merit = [1 / (1 + math.exp(-rng.gauss(3.5, math.hypot(1.5, 0.4)))) for _ in range(100_000)]
    truth, runs, hit = sum(merit) / len(merit), 400, 0
    for _ in range(runs):
        found = crossed_share(answers(rng, 3, [rng.gauss(3.5, 1.5) for _ in range(60)], 0.4))
        assert 0 <= found.low <= found.value <= found.high <= 1
        hit += found.low <= truth <= found.high
    assert 0.93 <= hit / runs <= 0.99


@given(tables(0.0, 1.0))
def test_crossed_share_is_never_narrower_than_wilson_over_all(table: Table) -> None:
    outcomes = [[value > 0 for value in row] for row in table]
    found = crossed_share(outcomes)
    hits, n = sum(map(sum, outcomes)), len(table) * len(table[0])
    low, high = wilson(hits, n)
    assert found.value == hits / n
    assert 0 <= found.low <= low + 1e-9
    assert 1 >= found.high >= high - 1e-9


def test_crossed_share_of_one_seed_or_of_no_spread_is_wilson() -> None:
    row = [True, False, True, True]
    for table, hits in (([row], 3), ([[True] * 4] * 3, 4), ([[False] * 4] * 3, 0)):
        found = crossed_share(table)
        assert (found.low, found.high) == wilson(hits, 4)


@given(st.floats(1, 500))
def test_t_quantile_agrees_with_scipy(df: float) -> None:
    assert t_quantile(df) == pytest.approx(oracle_stats.t.ppf(0.975, df))


def test_holm_known_values() -> None:
    # By hand: 4 x 0.01, 3 x 0.02, 2 x 0.03 held up to 0.06, 1 x 0.5.
    assert holm([0.5, 0.01, 0.03, 0.02]) == pytest.approx([0.5, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_step_down_procedure_rejects(ps: list[float], level: float) -> None:
    rejected = []
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        if (len(ps) - rank) * ps[index] > level:
            break
        rejected.append(index)
    assert sorted(rejected) == [i for i, adjusted in enumerate(holm(ps)) if adjusted <= level]


def test_scipy_waits_until_it_is_needed() -> None:
    code = "import isheep.stats, sys; isheep.stats.wilson(1, 2); assert 'scipy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
