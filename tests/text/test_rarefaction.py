"""The closed forms equal what they stand for: the mean over every sample of that size."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.text.rarefaction import expected_distinct, expected_entropy

#: Units, each with the kinds it holds.
UNITS = st.lists(st.frozensets(st.integers(0, 4), max_size=4), min_size=1, max_size=7)
KINDS = st.lists(st.integers(0, 4), min_size=1, max_size=8)


def counts(kinds: list[int]) -> np.ndarray:
    return np.array(list(Counter(kinds).values()), dtype=np.int64)


@given(UNITS, st.data())
def test_expected_distinct_is_the_mean_over_all_samples(
    units: list[frozenset[int]], data: st.DataObject
) -> None:
    size = data.draw(st.integers(0, len(units)))
    samples = [len(frozenset().union(*sample)) for sample in combinations(units, size)]
    held = counts([kind for unit in units for kind in unit])
    assert expected_distinct(held, len(units), size) == pytest.approx(sum(samples) / len(samples))


@given(KINDS, st.data())
def test_expected_entropy_is_the_mean_over_all_samples(kinds: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(kinds)))
    samples = [
        -sum(n / size * log(n / size) for n in Counter(sample).values())
        for sample in combinations(kinds, size)
    ]
    mean = sum(samples) / len(samples)
    assert expected_entropy(counts(kinds), size) == pytest.approx(mean, abs=1e-9)


def test_between_whole_sizes_the_mean_lies_on_the_straight_line() -> None:
    held = counts([0, 0, 0, 1, 2])
    two, three = expected_distinct(held, 5, 2), expected_distinct(held, 5, 3)
    assert expected_distinct(held, 5, 2.25) == pytest.approx(0.75 * two + 0.25 * three)


def test_large_sets_stay_exact() -> None:
    """200,000 kinds met once or twice among 300,000 units, and half of the units drawn."""
    held = np.array([1] * 100_000 + [2] * 100_000, dtype=np.int64)
    assert expected_distinct(held, 300_000, 150_000) == pytest.approx(100_000 * 0.5 + 100_000 * 0.75, abs=1)
    assert expected_entropy(held, 300_000) == pytest.approx(
        log(300_000) - 2 * 100_000 * log(2) / 300_000, abs=1e-6
    )


@pytest.mark.parametrize("size", [-1, 4, float("nan")])
def test_an_impossible_sample_is_refused(size: float) -> None:
    with pytest.raises(ValueError, match="cannot be drawn from 3"):
        expected_distinct(counts([0, 1, 1]), 3, size)


@pytest.mark.parametrize("size", [0, 4])
def test_an_impossible_sample_has_no_entropy(size: int) -> None:
    with pytest.raises(ValueError, match="cannot be drawn from 3"):
        expected_entropy(counts([0, 1, 1]), size)
