"""Sign flips against all patterns counted by hand and against scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from isheep.stats import sign_flip
from isheep.stats.permutation import EXACT


@given(st.lists(st.sampled_from([-2.0, -1.0, -0.1, 0.0, 0.1, 0.3, 1.0]), min_size=1, max_size=8))
def test_few_differences_are_counted_one_by_one(differences: list[float]) -> None:
    seen = abs(sum(differences)) - 1e-9
    patterns = itertools.product((1, -1), repeat=len(differences))
    beyond = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) >= seen for signs in patterns]
    assert sign_flip(differences) == pytest.approx(sum(beyond) / len(beyond))


def test_it_agrees_with_scipy() -> None:
    d = np.random.default_rng(0).normal(0.4, 1, 11)
    oracle = permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(d.tolist()) == pytest.approx(oracle.pvalue)


def test_a_cluster_flips_as_a_whole() -> None:
    # Three clusters that all point one way: 2 of 8 patterns are as far out, whatever the number of items.
    assert sign_flip([1.0] * 30, [str(i // 10) for i in range(30)]) == pytest.approx(2 / 8)
    # A cluster whose items cancel adds no pattern.
    assert sign_flip([1.0, 1.0, 1.0, -1.0], ["a", "b", "c", "c"]) == pytest.approx(2 / 4)


def test_no_difference_at_all_is_no_evidence() -> None:
    assert sign_flip([0.0] * 50) == 1.0


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_drawn_patterns_come_near_the_exact_answer(seed: int) -> None:
    d = np.random.default_rng(seed).normal(0.3, 1, 14)
    exact = sign_flip(d.tolist())
    # Two tiny differences more: too many patterns to count, and nearly the same answer.
    assert 2 ** (len(d) + 2) > EXACT
    drawn = sign_flip([*d.tolist(), 1e-7, 1e-7])
    assert drawn == pytest.approx(exact, abs=5 * (exact * (1 - exact) / 10_000) ** 0.5 + 2e-4)


def test_a_drawn_p_is_never_zero_and_repeats() -> None:
    assert sign_flip([1.0] * 60) == 1 / 10_001
    d = np.random.default_rng(3).normal(0.2, 1, 60).tolist()
    assert sign_flip(d) == sign_flip(d)
    assert sign_flip(d) != sign_flip(d, seed=1)


def test_equal_sizes_drawn_together_are_drawn_alike() -> None:
    # 20 changes, 14 of them for the better: McNemar's exact p is 2 P(X <= 6) of 20 fair coins.
    from scipy.stats import binom

    drawn = sign_flip([1.0] * 14 + [-1.0] * 6, draws=40_000)
    assert drawn == pytest.approx(2 * binom.cdf(6, 20, 0.5), abs=0.008)


@pytest.mark.parametrize(("d", "names"), [([], None), ([1.0], []), ([float("nan")], None)])
def test_what_cannot_be_tested_is_refused(d: list[float], names: list[str] | None) -> None:
    with pytest.raises(ValueError, match="difference"):
        sign_flip(d, names)
