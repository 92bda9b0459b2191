"""Weighted statistics and their intervals, held to the plain ones of isheep.stats."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep import stats
from isheep.trial import cases
from isheep.trial.cases import Array, Columns, estimate, weights, whole
from simulated_judges import judged

ROWS = st.lists(
    st.tuples(st.integers(1, 4), st.booleans(), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12
)


def repeated(rows: list[tuple[int, bool, int, int]]) -> tuple[list[float], list[float], list[float]]:
    """Each row as often as its weight says."""
    score, right, length = ([float(row[k]) for row in rows for _ in range(row[3])] for k in range(3))
    return score, right, length


def close(found: float, expected: float | None) -> bool:
    return bool(np.isnan(found)) if expected is None else found == pytest.approx(expected, abs=1e-9)


@given(ROWS)
@settings(deadline=None)
def test_a_weight_is_as_many_cases(rows: list[tuple[int, bool, int, int]]) -> None:
    score, right, length = (np.array([row[k] for row in rows], float) for k in range(3))
    w = np.array([[row[3] for row in rows]], float)
    if not w.sum():
        return
    s, r, k = repeated(rows)
    with np.errstate(invalid="ignore"):
        won = float(cases.auroc(score, right)(w)[0])
        plain = float(cases.spearman(score, length)(w)[0])
        partial = float(cases.partial_spearman(score, right, length)(w)[0])
    sides = [[a for a, b in zip(s, r, strict=True) if b == side] for side in (1.0, 0.0)]
    assert close(won, stats.auroc(*sides))
    assert close(plain, stats.spearman(s, k))
    assert close(partial, stats.partial_spearman(s, r, k))


def test_whole_clusters_are_drawn() -> None:
    clusters = ["a", "a", "b", "c", "c", "c"]
    drawn = np.concatenate(list(weights(clusters, 0, 50)))
    assert drawn.shape == (50, 6)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, 3] == drawn[:, 5]).all()
    assert (drawn[:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert len(np.unique(drawn, axis=0)) > 1


@pytest.mark.parametrize("per_question", [1, 4])
def test_the_interval_is_that_of_stats(per_question: int) -> None:
    c = Columns.of(judged("good", 160, per_question=per_question))
    found = estimate(cases.auroc(c.score, c.right), c.clusters, 1)
    sides = [np.flatnonzero(c.right == side) for side in (1, 0)]
    named = tuple([c.clusters[i] for i in side] for side in sides)
    expected = stats.auroc_interval(*(c.score[side].tolist() for side in sides), (named[0], named[1]))
    assert found is not None
    assert expected is not None
    assert (found["ci_low"], found["ci_high"]) == pytest.approx(expected, abs=0.02)


def test_known_auroc_is_recovered() -> None:
    c = Columns.of(judged("good", 4000, d=1.0))
    truth = NormalDist().cdf(1 / 2**0.5)
    assert whole(cases.auroc(c.score, c.right), len(c)) == pytest.approx(truth, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "per_question"), [(100, 1), (200, 4)])
def test_the_interval_holds_the_truth_about_95_times_in_100(n: int, per_question: int) -> None:
    truth, runs, held = NormalDist().cdf(0.8 / 2**0.5), 150, 0
    for seed in range(runs):
        c = Columns.of(judged("good", n, seed, 0.8, per_question=per_question))
        found = estimate(cases.auroc(c.score, c.right), c.clusters, seed)
        assert found is not None
        held += found["ci_low"] <= truth <= found["ci_high"]
    assert 0.90 * runs <= held <= 0.985 * runs


def test_clusters_of_equals_widen_the_interval() -> None:
    one = judged("good", 60, d=1.0)
    many = [case for case in one for _ in range(5)]
    widths = []
    for of, clusters in ((one, None), (many, None), (many, [str(i) for i in range(len(many))])):
        c = Columns.of(of)
        found = estimate(cases.auroc(c.score, c.right), clusters or c.clusters, 0)
        assert found is not None
        widths.append(found["ci_high"] - found["ci_low"])
    assert widths[1] == pytest.approx(widths[0], abs=0.02)
    assert widths[2] < 0.6 * widths[0]


def test_no_value_no_interval() -> None:
    score, right = np.arange(20.0), np.ones(20)
    assert estimate(cases.auroc(score, right), [str(i) for i in range(20)], 0) is None

    def rarely(w: Array) -> Array:
        return np.where(w[:, 0] == 1, 1.0, np.nan)

    assert estimate(rarely, [str(i) for i in range(20)], 0) is None
