"""Clustered means and differences against least squares with clustered errors, and at their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from isheep.stats import (
    clustered_difference,
    clustered_mean,
    crossed,
    mcnemar,
    paired_difference,
    t_quantile,
    wilson,
)

Items = list[tuple[float, str]]


def items(*values: float) -> st.SearchStrategy[Items]:
    """Values with their clusters, at least two of these."""
    listed = st.lists(st.tuples(st.sampled_from(values), st.sampled_from("abcdef")), min_size=2, max_size=40)
    return listed.filter(lambda found: len({name for _, name in found}) > 1)


def robust(values: list[float], names: list[str]) -> tuple[float, float]:
    """statsmodels' mean and clustered standard error."""
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": np.unique(names, return_inverse=True)[1]}
    )
    return float(fit.params[0]), float(fit.bse[0])


@given(items(-2.0, 0.5, 3.0, 7.25))
def test_the_error_is_that_of_statsmodels(found: Items) -> None:
    values, names = [v for v, _ in found], [c for _, c in found]
    mean = clustered_mean(values, names)
    value, se = robust(values, names)
    assert (mean.value, mean.se) == (pytest.approx(value), pytest.approx(se, abs=1e-9))
    assert (mean.n, mean.clusters) == (len(values), len(set(names)))
    if mean.se:
        half = student.ppf(0.975, mean.clusters - 1) * se
        assert (mean.low, mean.high) == pytest.approx((value - half, value + half))
    else:
        assert (mean.low, mean.high) == (-math.inf, math.inf)


@given(items(-1.0, 0.0, 0.5, 1.0))
def test_a_difference_has_the_error_of_the_differences(found: Items) -> None:
    # Grades: before is always 2, so that the differences are the values drawn.
    values, names = [v for v, _ in found], [c for _, c in found]
    difference = clustered_difference([2 + v for v in values], [2.0] * len(values), names, (0, 4))
    value, se = robust(values, names)
    assert difference.se == pytest.approx(se, abs=1e-9)
    assert difference.value == pytest.approx(value)
    assert -4 <= difference.low <= difference.value <= difference.high <= 4
    assert difference.high > difference.low
    assert (difference.p < 0.05) is (difference.low > 0 or difference.high < 0)
    if difference.se:
        assert difference.df == len(set(names)) - 1
        assert difference.p == pytest.approx(2 * student.sf(abs(value / se), difference.df), abs=1e-9)


def test_every_item_its_own_cluster_is_a_t_test() -> None:
    grades = [6.0, 7.5, 9.0, 4.0, 6.5]
    own = clustered_mean(grades, ["a", "b", "c", "d", "e"], (1, 10))
    oracle = ttest_1samp(grades, 0).confidence_interval()
    assert (own.low, own.high) == pytest.approx((oracle.low, oracle.high))


@given(items(0.0, 1.0))
def test_a_share_stays_within_its_bounds_and_is_never_sure(found: Items) -> None:
    share = clustered_mean([v for v, _ in found], [c for _, c in found])
    assert 0 <= share.low <= share.value <= share.high <= 1
    assert share.high - share.low > 0.01
    low, high = wilson(int(sum(v for v, _ in found)), len(found))
    assert share.low <= low + 1e-9
    assert share.high >= high - 1e-9


def test_a_share_of_single_items_is_wilson() -> None:
    found = clustered_mean([1, 0, 1, 1], ["a", "b", "c", "d"])
    assert (found.low, found.high) == wilson(3, 4)


def test_a_share_of_clusters_is_worth_fewer_items() -> None:
    # Ten clusters of three alike items, seven of them right: the variance is that of ten items with one degree of
    # freedom taken, p (1 - p) / 9, so they are worth nine.
    names = [str(i // 3) for i in range(30)]
    found = clustered_mean([float(i < 21) for i in range(30)], names)
    assert found.se == pytest.approx(math.sqrt(0.7 * 0.3 / 9))
    z, n = t_quantile(9), 9
    centre = (0.7 + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(0.21 / n + z * z / (4 * n * n))
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_all_are_right_or_wrong_the_clusters_count(value: float) -> None:
    found = clustered_mean([value] * 30, [str(i // 3) for i in range(30)])
    assert (found.low, found.high) == wilson(10 * int(value), 10)
    assert found.se == 0


def test_grades_all_at_the_top_are_not_certain_either() -> None:
    found = clustered_mean([10.0] * 20, [str(i) for i in range(20)], (1, 10))
    assert (found.low, found.high) == pytest.approx((1 + 9 * wilson(20, 20)[0], 10))


@given(items(1.0, 4.0, 10.0))
def test_bounded_grades_stay_within_and_are_never_sure(found: Items) -> None:
    mean = clustered_mean([v for v, _ in found], [c for _, c in found], (1, 10))
    assert 1 <= mean.low <= mean.value <= mean.high <= 10
    assert mean.high - mean.low > 0.1


def test_bounds_other_than_a_share_s_make_it_no_share() -> None:
    found = clustered_mean([0, 1, 1, 0, 1], list("abcde"), (0, 10))
    oracle = ttest_1samp([0, 1, 1, 0, 1], 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((0, oracle.high))


def test_one_cluster_says_nothing_of_others() -> None:
    assert clustered_mean([3.0, 4.0], ["a", "a"]).se == math.inf
    assert clustered_mean([3.0, 4.0], ["a", "a"]).high == math.inf
    found = clustered_mean([3.0, 4.0], ["a", "a"], (1, 10))
    assert (found.low, found.high) == (1, 10)
    share = clustered_mean([0, 1], ["a", "a"])
    assert (share.low, share.high) == (0, 1)
    difference = clustered_difference([1, 1], [0, 1], ["a", "a"])
    assert (difference.low, difference.high, difference.p) == (-1, 1, 1.0)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_paired_shares_of_single_items_are_the_exact_ones(pairs: list[tuple[bool, bool]]) -> None:
    after, before = [a for a, _ in pairs], [b for _, b in pairs]
    names = [str(i) for i in range(len(pairs))]
    found = clustered_difference([float(a) for a in after], [float(b) for b in before], names)
    assert (found.value, found.low, found.high) == paired_difference(after, before)
    assert (found.p, found.df) == (mcnemar(after, before), None)


def test_paired_shares_of_clusters_are_worth_fewer_items() -> None:
    # Twenty clusters of three alike items: the error is that of twenty items times 20 / 19, so 60 items are worth 19.
    names = [str(i // 3) for i in range(60)]
    after, before = [float(i < 18) for i in range(60)], [float(i >= 54) for i in range(60)]
    found = clustered_difference(after, before, names)
    assert found.se == pytest.approx(math.sqrt((8 / 20 - 0.2**2) / 19))
    # By hand: 18 better and 6 worse of 60 are 5.7 and 1.9 of 19; half an item more in each of the four cells.
    centre, error = 3.8 / 21, math.sqrt(8.6 - 3.8**2 / 21) / 21
    half = t_quantile(19) * error
    assert (found.value, found.df) == (pytest.approx(0.2), 19)
    assert (found.low, found.high) == pytest.approx((centre - half, centre + half))
    assert found.p == pytest.approx(2 * student.sf(centre / error, 19))


@given(items(-1.0, 0.0, 1.0))
def test_a_paired_share_is_never_sure(found: Items) -> None:
    after, before = [max(v, 0.0) for v, _ in found], [max(-v, 0.0) for v, _ in found]
    difference = clustered_difference(after, before, [c for _, c in found])
    assert -1 <= difference.low <= difference.value <= difference.high <= 1
    assert difference.high - difference.low > 0.05


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_differences_that_all_agree_are_as_unsure_as_in_crossed(value: float) -> None:
    names = [str(i // 2) for i in range(24)]
    found = clustered_difference([value] * 24, [0.0] * 24, names, (0, 1))
    expected = crossed([[value] * 12])
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.p, found.df) == pytest.approx((expected.p, expected.df))


def test_differences_that_all_agree_without_bounds_are_no_evidence() -> None:
    found = clustered_difference([5.0, 6.0, 7.0], [4.0, 5.0, 6.0], ["a", "b", "c"])
    assert (found.value, found.p) == (1.0, 1.0)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_turning_the_arms_around_turns_the_answer_around() -> None:
    after, before, names = [1.0, 0, 1, 1, 0, 1], [0.0, 0, 1, 0, 1, 0], list("aabbcc")
    one, other = clustered_difference(after, before, names), clustered_difference(before, after, names)
    assert (other.value, other.low, other.high) == pytest.approx((-one.value, -one.high, -one.low))
    assert (other.p, other.df) == (pytest.approx(one.p), one.df)


@pytest.mark.parametrize(
    ("values", "names", "bounds", "message"),
    [
        ([], [], None, "at least one"),
        ([1.0], ["a", "b"], None, "a cluster for each"),
        ([math.nan], ["a"], None, "no finite number"),
        ([11.0], ["a"], (1.0, 10.0), "outside 1 to 10"),
        ([1.0], ["a"], (1.0, 1.0), "first must be below"),
    ],
)
def test_what_cannot_be_a_mean_is_refused(
    values: list[float], names: list[str], bounds: tuple[float, float] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        clustered_mean(values, names, bounds)
    with pytest.raises(ValueError, match=message):
        clustered_difference(values, values, names, bounds)


def test_unpaired_values_are_refused() -> None:
    with pytest.raises(ValueError, match="equal length"):
        clustered_difference([1.0], [1.0, 0.0], ["a"])
