"""Intervals against their oracles and their edges."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from isheep.stats import auroc, paired_difference, wilson


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
