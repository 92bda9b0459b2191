"""filter by overlap: near-duplicates among the pairs, of this iteration and of those before."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.records import Pair
from toy import decided, kept, pair

ANSWER = "Sheep eat grass and sleep in the shade of old trees."
ALIKE = "Sheep eat grass and sleep in the shade of tall trees."
OTHER = "Rain falls on mountains and runs down to the distant sea."


def without_copies(pairs: list[Pair], earlier: tuple[Pair, ...] = (), **overlap: Any) -> list[str]:
    found = decided(pairs, threshold=None, overlap=overlap, known={"earlier": earlier})
    assert set(found.values()) <= {None, "near_duplicate"}
    return kept(found)


def test_the_first_of_its_kind_is_kept() -> None:
    pairs = [pair("a", ANSWER), pair("b", OTHER), pair("c", ALIKE), pair("d", ANSWER)]
    assert without_copies(pairs, on="response") == ["a", "b"]


def test_pairs_may_share_an_answer_where_the_requests_differ() -> None:
    one = pair("a", "yes", instruction="Is the sky blue on a clear day in June?")
    two = pair("b", "yes", instruction="Do most cats like to sleep in a warm place?")
    assert without_copies([one, two], on="pair") == ["a", "b"]
    assert without_copies([one, two], on="response") == ["a"]


def test_the_input_is_part_of_a_pair() -> None:
    pairs = [
        pair(id, "It is.", instruction="Say what it is.", input=input)
        for id, input in (("a", "one two three four five six"), ("b", "seven eight nine ten eleven twelve"))
    ]
    assert without_copies(pairs) == ["a", "b"]


def test_what_was_dropped_before_hides_nobody() -> None:
    """A pair that broke a rule is not kept, so a near-duplicate of it is new."""
    pairs = [pair("a", ANSWER, finish="length"), pair("b", ALIKE)]
    found = decided(pairs, threshold=None, overlap={"on": "response"})
    assert found == {"a": "unfinished", "b": None}


@pytest.mark.parametrize("on", ["pair", "response"])
def test_pairs_kept_earlier_are_known(on: str) -> None:
    old = (pair("0.x", ANSWER, instruction="Tell me about sheep."),)
    pairs = [pair("1.a", ALIKE, instruction="Tell me about sheep."), pair("1.b", OTHER)]
    assert without_copies(pairs, old, on=on) == ["1.b"]


@pytest.mark.parametrize(("threshold", "left"), [(0.5, ["a"]), (0.9, ["a"]), (0.95, ["a", "b"])])
def test_the_threshold(threshold: float, left: list[str]) -> None:
    """10 of 11 words agree: an F1 of 0.909."""
    assert without_copies([pair("a", ANSWER), pair("b", ALIKE)], on="response", threshold=threshold) == left


def test_switched_off_it_drops_nothing() -> None:
    pairs = [pair("a", ANSWER), pair("b", ANSWER)]
    assert kept(decided(pairs, threshold=None)) == ["a", "b"]


@given(
    st.lists(st.sampled_from([ANSWER, ALIKE, OTHER, "Yes.", "No."]), max_size=10),
    st.lists(st.sampled_from([ANSWER, OTHER, "Yes."]), max_size=3),
)
def test_twice_is_once_and_nothing_kept_is_left_out_by_what_was_kept(
    texts: list[str], old: list[str]
) -> None:
    pairs = [pair(f"{n}", text, instruction="Say something.") for n, text in enumerate(texts)]
    earlier = tuple(pair(f"old{n}", text, instruction="Say something.") for n, text in enumerate(old))
    left = without_copies(pairs, earlier, on="response")
    again = [p for p in pairs if p.id in left]
    assert without_copies(again, earlier, on="response") == left
    assert len({p.response for p in again}) == len(again)
    assert not {p.response for p in again} & set(old)
