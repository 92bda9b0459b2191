"""Calibration against scikit-learn and worlds whose chances are known."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

from isheep.stats import brier, calibrated, ece, isotonic, reliability

points = st.lists(st.tuples(st.integers(0, 12), st.sampled_from([0.0, 0.2, 1.0])), min_size=1, max_size=40)
said = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(points)
def test_isotonic_agrees_with_scikit_learn_at_the_points(found: list[tuple[int, float]]) -> None:
    x, y = [float(a) for a, _ in found], [b for _, b in found]
    fitted = isotonic(x, y)
    oracle = IsotonicRegression().fit(x, y).predict(x)
    assert [fitted(a) for a in x] == pytest.approx(oracle.tolist())
    assert list(fitted.heights) == sorted(set(fitted.heights))


def test_between_points_the_step_before_holds() -> None:
    fitted = isotonic([1, 2, 3, 4], [0, 1, 0, 1])
    assert fitted.starts == (1, 2, 4)
    assert fitted.heights == pytest.approx((0, 0.5, 1))
    assert [fitted(x) for x in (-5, 1, 1.9, 2.5, 3.9, 4, 99)] == pytest.approx([0, 0, 0, 0.5, 0.5, 1, 1])


@given(said)
def test_brier_and_bins_agree_with_scikit_learn(found: list[tuple[float, bool]]) -> None:
    probabilities, outcomes = [p for p, _ in found], [o for _, o in found]
    expected = brier_score_loss(outcomes, probabilities, pos_label=True, labels=[False, True])
    assert brier(probabilities, outcomes) == pytest.approx(expected)
    # scikit-learn's bins own their upper edge: no value on an inner edge, then they are the same.
    if all(p in (0, 1) or (p * 10) % 1 > 1e-6 for p in probabilities):
        share, mean = calibration_curve(outcomes, probabilities, n_bins=10)
        bins = reliability(probabilities, outcomes)
        assert [b[0] for b in bins] == pytest.approx(mean.tolist())
        assert [b[1] for b in bins] == pytest.approx(share.tolist())


def test_ece_by_hand() -> None:
    # 0.9 said four times, true twice; 0.1 said once, false: (4 x 0.4 + 1 x 0.1) / 5.
    assert ece([0.9] * 4 + [0.1], [True, True, False, False, False]) == pytest.approx(0.34)
    assert ece([0.0, 1.0], [False, True]) == 0


def test_the_docstring_s_figures_for_chance_alone() -> None:
    random_ = np.random.default_rng(0)
    for n, expected in ((100, 0.10), (1000, 0.033)):
        found = []
        for _ in range(200):
            p = random_.random(n)
            found.append(ece(p.tolist(), (random_.random(n) < p).tolist()))
        assert float(np.mean(found)) == pytest.approx(expected, rel=0.1)


def world(n: int, honest: bool) -> tuple[list[float], list[bool]]:
    """Marks 1 to 10; honest ones come true in proportion, the others whatever they say."""
    drawn = random.Random(8)
    scores = [float(drawn.randint(1, 10)) for _ in range(n)]
    return scores, [drawn.random() < (s / 11 if honest else 0.5) for s in scores]


def test_a_score_that_knows_beats_the_base_rate() -> None:
    found = calibrated(*world(4000, honest=True), seed=0)
    assert found.brier < 0.8 * found.brier_base_rate
    assert found.ece < 0.05
    assert sum(n for _, _, n in found.bins) == 2000
    assert found.bins[-1][0] > 0.8


def test_a_score_that_knows_nothing_does_not() -> None:
    found = calibrated(*world(4000, honest=False), seed=0)
    assert found.brier >= found.brier_base_rate - 0.001
    assert found.brier_base_rate == pytest.approx(0.25, abs=0.002)


def test_clusters_are_not_torn() -> None:
    """Every cluster has its own score and outcome: known from its other items, unknowable from other clusters."""
    drawn = random.Random(2)
    truth = {f"c{i}": drawn.random() < 0.5 for i in range(400)}
    names = [name for name in truth for _ in range(4)]
    scores = [float(name[1:]) for name in names]
    outcomes = [truth[name] for name in names]
    torn, whole = calibrated(scores, outcomes, 0), calibrated(scores, outcomes, 0, names)
    assert whole.brier >= 0.24
    assert sum(n for _, _, n in whole.bins) == 800
    assert torn != whole


def test_the_seed_decides_over_the_halves() -> None:
    scores, outcomes = world(200, honest=True)
    assert calibrated(scores, outcomes, 1) == calibrated(scores, outcomes, 1)
    assert calibrated(scores, outcomes, 1) != calibrated(scores, outcomes, 2)


def test_what_cannot_be_calibrated_is_refused() -> None:
    with pytest.raises(ValueError, match="two clusters"):
        calibrated([1.0, 2.0], [True, False], 0, ["a", "a"])
    with pytest.raises(ValueError, match="equal length"):
        calibrated([1.0, 2.0], [True], 0)
    with pytest.raises(ValueError, match="outside 0 to 1"):
        ece([1.5], [True])
    with pytest.raises(ValueError, match="outcome for each"):
        brier([], [])
    with pytest.raises(ValueError, match="as many x as y"):
        isotonic([1.0], [])
    with pytest.raises(ValueError, match="no finite number"):
        isotonic([float("nan")], [1.0])
