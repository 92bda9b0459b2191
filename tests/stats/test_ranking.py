"""Rank correlations and their intervals against scipy, scikit-learn and least squares."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, rankdata, spearmanr
from sklearn.metrics import roc_auc_score

from isheep.stats import auroc, auroc_interval, partial_spearman, spearman, spearman_interval, wilson

Rows = list[tuple[int, int, int]]
rows = st.lists(st.tuples(*[st.integers(-3, 4)] * 3), min_size=3, max_size=40)


def columns(found: Rows) -> list[list[float]]:
    return [list(map(float, column)) for column in zip(*found, strict=True)]


@given(rows)
def test_spearman_agrees_with_scipy(found: Rows) -> None:
    x, y, _ = columns(found)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert spearman(x, y) is None
    else:
        assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic)


@given(rows)
def test_partial_is_the_correlation_of_what_a_regression_leaves(found: Rows) -> None:
    x, y, given_ = columns(found)
    ranks = [rankdata(column) for column in (x, y, given_)]
    # A constant column of ranks says nothing that the constant does not.
    design = sm.add_constant(ranks[2]) if len(set(given_)) > 1 else np.ones((len(x), 1))
    left = [sm.OLS(rank, design).fit().resid for rank in ranks[:2]]
    value = partial_spearman(x, y, given_)
    if min(float(np.abs(part).max()) for part in left) < 1e-9:
        assert value is None
    else:
        assert value == pytest.approx(float(np.corrcoef(left)[0, 1]), abs=1e-9)


def test_a_shared_cause_is_taken_away() -> None:
    random = np.random.default_rng(0)
    length = random.normal(0, 1, 2000)
    score, truth = length + random.normal(0, 0.5, 2000), length + random.normal(0, 0.5, 2000)
    plain, partial = (
        spearman(score.tolist(), truth.tolist()),
        partial_spearman(score.tolist(), truth.tolist(), length.tolist()),
    )
    assert plain is not None
    assert partial is not None
    assert plain > 0.7
    assert abs(partial) < 0.07


@pytest.mark.parametrize("kind", ["plain", "partial"])
def test_the_interval_is_scipy_s_on_the_same_resamples(kind: str) -> None:
    random = np.random.default_rng(5)
    x, z = random.normal(0, 1, 30), random.normal(0, 1, 30)
    y = x + z + random.normal(0, 1, 30)

    def of(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
        lists = [column.tolist() for column in (a, b, c)]
        value = partial_spearman(*lists) if kind == "partial" else spearman(*lists[:2])
        assert value is not None
        return value

    oracle = bootstrap(
        (x, y, z),
        of,
        n_resamples=300,
        paired=True,
        vectorized=False,
        rng=np.random.default_rng(2),
        method="BCa",
    ).confidence_interval
    found = spearman_interval(
        x.tolist(), y.tolist(), z.tolist() if kind == "partial" else None, draws=300, seed=2
    )
    assert found == pytest.approx((oracle.low, oracle.high))


def test_perfect_order_is_not_certainty() -> None:
    assert spearman_interval([1, 2, 3], [1, 2, 3], draws=50) == (-1.0, 1.0)
    few = spearman_interval(list(range(6)), list(range(6)), draws=50)
    more = spearman_interval(list(range(30)), list(range(30)), draws=50)
    assert few is not None
    assert more is not None
    assert few[1] == more[1] == 1.0
    assert few[0] < 0.8 < more[0] < 1
    turned = spearman_interval(list(range(30)), list(range(30, 0, -1)), draws=50)
    assert turned == pytest.approx((-1.0, -more[0]))


def test_no_spread_no_interval() -> None:
    assert spearman_interval([1, 1, 1], [1, 2, 3]) is None
    assert partial_spearman([1, 2, 3], [1, 3, 2], [1, 2, 3]) is None


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=25), st.lists(st.integers(1, 6), min_size=2, max_size=25)
)
@settings(max_examples=30)
def test_the_auroc_interval_holds_the_auroc(right: list[int], wrong: list[int]) -> None:
    found, value = auroc_interval(right, wrong, draws=80), auroc(right, wrong)
    assert found is not None
    assert value is not None
    assert 0 <= found[0] < found[1] <= 1
    assert found[0] - 0.1 <= value <= found[1] + 0.1


def test_the_auroc_interval_resamples_scikit_learn_s_auroc() -> None:
    random = np.random.default_rng(6)
    marks, scores = random.random(40) < 0.4, random.integers(1, 9, 40).astype(float)

    def of(m: np.ndarray, s: np.ndarray) -> float:
        return float(roc_auc_score(m, s))

    ordered = np.argsort(~marks, kind="stable")
    marks, scores = marks[ordered], scores[ordered]
    oracle = bootstrap(
        (marks, scores),
        of,
        n_resamples=200,
        paired=True,
        vectorized=False,
        rng=np.random.default_rng(0),
        method="BCa",
    ).confidence_interval
    found = auroc_interval(scores[marks].tolist(), scores[~marks].tolist(), draws=200)
    assert found == pytest.approx((oracle.low, oracle.high))


def test_perfect_separation_is_as_sure_as_the_rarer_kind() -> None:
    assert auroc_interval([2.0] * 5, [1.0] * 50, draws=100) == pytest.approx(wilson(5, 5))
    assert auroc_interval([1.0] * 5, [2.0] * 50, draws=100) == pytest.approx(wilson(0, 5))
    clusters = (["a", "a", "a", "b", "b"], [str(i) for i in range(50)])
    assert auroc_interval([2.0] * 5, [1.0] * 50, clusters, draws=100) == pytest.approx(wilson(2, 2))


def test_the_auroc_interval_needs_both_kinds() -> None:
    assert auroc_interval([], [1.0]) is None
    assert auroc_interval([1.0], []) is None
    with pytest.raises(ValueError, match="no finite number"):
        auroc_interval([float("nan")], [1.0])


@pytest.mark.parametrize(("x", "y"), [([], []), ([1.0], [1.0, 2.0]), ([float("nan")], [1.0])])
def test_what_is_not_paired_is_refused(x: list[float], y: list[float]) -> None:
    with pytest.raises(ValueError, match="value"):
        spearman(x, y)
