"""Length control: an optimiser agrees, equal lengths change nothing, a planted bias is taken out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize

from isheep.chat.length import RIDGE, RIDGE_STRENGTH, length_controlled

Floats = NDArray[np.float64]


def logistic(z: Floats | float) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.asarray(z))))


def biased(n: int, strength: float, weight: float, seed: int, shift: float = 0.5) -> tuple[Floats, Floats]:
    """Verdicts of a judge that likes length: preferences and differences in characters (ours longer by `shift` SDs)."""
    random = np.random.default_rng(seed)
    differences = 400 * random.normal(shift, 1, n)
    p = logistic(strength + weight * np.tanh(differences / np.std(differences, ddof=1)))
    # Two orders, each a draw: a half is a place bias that won.
    return random.binomial(2, p) / 2, differences


PREFERENCES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(-2000, 2000)), min_size=1, max_size=40
)


@given(PREFERENCES)
def test_an_optimiser_finds_the_same(rows: list[tuple[float, int]]) -> None:
    y, d = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = length_controlled(y, d)
    spread = np.std(d, ddof=1) if len(d) > 1 else 0
    if not spread:
        assert found == pytest.approx(np.mean(y))
        return
    x = np.tanh(d / spread)

    def loss(w: Floats) -> float:
        z = w[0] + w[1] * x
        fit = np.sum(np.logaddexp(0, z) - y * z)
        return float(fit + (RIDGE_STRENGTH * w[0] ** 2 + RIDGE * w[1] ** 2) / 2)

    best = minimize(loss, np.zeros(2), method="BFGS", options={"gtol": 1e-9, "maxiter": 1000})
    # Where every verdict is won the loss is flat far out: the optimiser stops a little before its least.
    assert found == pytest.approx(float(logistic(best.x[0])), abs=2e-4)


@given(PREFERENCES)
def test_swapping_the_models_mirrors_it(rows: list[tuple[float, int]]) -> None:
    y, d = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assert length_controlled(1 - y, -d) == pytest.approx(1 - length_controlled(y, d), abs=1e-6)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=40), st.integers(-500, 500))
def test_where_lengths_do_not_differ_it_is_the_win_rate(values: list[float], difference: int) -> None:
    y = np.array(values)
    for d in (0, difference):
        assert length_controlled(y, np.full(len(y), float(d))) == pytest.approx(np.mean(y))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_verdicts_that_are_all_alike_stay_what_they_are(value: float) -> None:
    d = np.random.default_rng(0).normal(300, 200, 50)
    assert length_controlled(np.full(50, value), d) == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize(("strength", "weight"), [(0.0, 1.5), (-0.8, 1.5), (0.8, -1.0), (0.3, 0.0)])
def test_a_planted_length_bias_is_taken_out(strength: float, weight: float) -> None:
    y, d = biased(20_000, strength, weight, seed=1)
    truth = float(logistic(strength))
    assert length_controlled(y, d) == pytest.approx(truth, abs=0.015)
    if weight:
        assert abs(np.mean(y) - truth) > 0.04


def test_a_judge_that_looks_at_nothing_but_length() -> None:
    """Length alone decides: the weight stays finite, and at equal lengths neither wins."""
    d = np.random.default_rng(3).normal(400, 400, 200)
    y = (d > 0).astype(float)
    assert np.mean(y) > 0.75
    assert 0.3 < length_controlled(y, d) < 0.7
