"""The bounds of the near-duplicate index never leave out what reaches the threshold."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.text.overlap_bounds import LONGEST, least, needed, probes, reaches, shelf, shortest

THRESHOLDS = st.one_of(st.sampled_from([0.0, 1e-12, 0.5, 2 / 3, 0.7, 0.9, 1.0]), st.floats(0, 1))
LENGTHS = st.integers(1, 60)


@given(THRESHOLDS, LENGTHS, LENGTHS)
@settings(max_examples=500)
def test_a_shared_word_is_looked_up_wherever_it_may_decide(threshold: float, length: int, other: int) -> None:
    """All places of the first shared word of two texts that have just enough words in common are covered."""
    common = needed(threshold, length, other)
    if common > min(length, other):
        return
    assert least(threshold, length) <= min(common, other)
    for place in range(length - common + 1):
        assert shelf(other) in probes(threshold, length)[place]
    for place in range(other - common + 1):
        assert reaches(threshold, other)[place] >= length


@given(st.floats(0.5, 1), LENGTHS, LENGTHS)
@settings(max_examples=500)
def test_nothing_is_looked_up_in_vain(threshold: float, length: int, other: int) -> None:
    """A text reaches as far as it may decide (but for the guard against rounding), and probes as far, to the shelf."""
    room = min(length, other) - needed(threshold, length, other)
    if length >= other:
        assert (reaches(threshold, other)[0] >= length) == (room >= 0) or abs(room) == 1
    if shortest(shelf(other)) == other == shortest(shelf(other) + 1) - 1:
        places = sum(shelf(other) in shelves for shelves in probes(threshold, length))
        assert places == (room >= 0) * (length - needed(threshold, length, other) + 1)


@given(st.integers(0, 10**6))
@settings(max_examples=200)
def test_two_texts_share_one_of_their_first_words_if_they_share_enough(seed: int) -> None:
    """The argument of the docstring, on texts with repeated words."""
    rng = random.Random(seed)
    one, two = ([rng.randint(0, 12) for _ in range(rng.randint(1, 15))] for _ in range(2))
    common = (Counter(one) & Counter(two)).total()
    if common:
        firsts = (set(sorted(text)[: len(text) - common + 1]) for text in (one, two))
        assert set.intersection(*firsts)


@pytest.mark.parametrize("lengths", [range(1, 3000), [2**20, 2**20 + 1, 2**30, LONGEST - 1, LONGEST]])
def test_every_length_has_a_shelf_in_order(lengths: range | list[int]) -> None:
    for length in lengths:
        number = shelf(length)
        assert shortest(number) <= length < shortest(number + 1)
        assert shelf(shortest(number)) == number
