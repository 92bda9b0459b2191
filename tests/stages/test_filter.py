"""filter, the pure core: several filters in several orders, conversations, an equal count."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from isheep.lamb import world
from isheep.records import Likelihood, Pair, Task, Vector
from isheep.stages.sieves import normal
from toy import decided, kept, pair

TEN = [pair(f"{n}") for n in range(10)]
RISING = {f"{n}": {"following": 5.0, "quality": float(n)} for n in range(10)}


# what can never be trained on


@pytest.mark.parametrize("threshold", [None, -1, 0, 8])
def test_a_held_out_prompt_is_never_kept(threshold: float | None) -> None:
    tests = [Task("t", "What is the opposite of hot?"), Task("u", "Add.", "2 and 3")]
    pairs = [
        pair("same", instruction="What is the opposite of hot?"),
        pair("spaced", instruction=" what is  the opposite\nof HOT? "),
        pair("with_input", instruction="Add.", input="2 and 3"),
        pair("moved", instruction="Add.\n2 and 3"),
        pair("other_input", instruction="Add.", input="2 and 4"),
        pair("other", instruction="What is the opposite of cold?"),
    ]
    scores = {p.id: {"quality": 10.0} for p in pairs}
    found = decided(pairs, scores, tests, threshold=threshold)
    assert {id for id, reason in found.items() if reason == "held_out"} == {
        "same", "spaced", "with_input", "moved",
    }  # fmt: skip
    assert found["other"] is found["other_input"] is None


def test_normal() -> None:
    assert normal("Add  THEM.", " 2\n3 ") == "add them. 2 3"


@pytest.mark.parametrize("threshold", [None, -1, 0, 8])
def test_an_answer_to_a_prompt_too_long_for_the_model_is_never_kept(threshold: float | None) -> None:
    found = decided([pair("a", "", finish="too_long")], {"a": {"quality": 10.0}}, threshold=threshold)
    assert found == {"a": "too_long"}


# several filters


def test_the_order_decides_what_a_filter_sees() -> None:
    pairs = [pair("a", "The same answer."), pair("b", "The same answer."), pair("c", "One of its own.")]
    scores = {"a": {"quality": 5.0}, "b": {"quality": 9.0}, "c": {"quality": 9.5}}
    given: dict[str, Any] = {"threshold": 8, "overlap": {"on": "response"}}
    assert decided(pairs, scores, **given, order=("threshold", "overlap")) == {
        "a": "low_quality", "b": None, "c": None,
    }  # fmt: skip
    assert decided(pairs, scores, **given, order=("overlap", "threshold")) == {
        "a": "low_quality", "b": "near_duplicate", "c": None,
    }  # fmt: skip


def test_density_and_a_share_count_what_is_left() -> None:
    vectors = {p.id: Vector.of(p.id, np.eye(10, dtype=np.float32)[n]) for n, p in enumerate(TEN)}
    given: dict[str, Any] = {"threshold": None, "keep_fraction": 0.5, "density": {"clusters": 4}}
    known = {"vectors": vectors}
    last = decided(TEN, RISING, known=known, **given, order=("threshold", "density", "keep_fraction"))
    first = decided(TEN, RISING, known=known, **given, order=("threshold", "keep_fraction", "density"))
    assert list(last.values()).count("same_cluster") == 6
    assert len(kept(last)) == 2
    assert list(first.values()).count("not_in_best") == 5
    assert len(kept(first)) == 4


def test_filters_that_look_at_one_pair_may_stand_in_any_order() -> None:
    """Of ten true answers two are made wrong, three score low, and three are improbable."""
    asked = [(q.instruction, q.input, q.right) for q in world.spread(10, 1, False)]
    pairs = [
        pair(f"{n}", "No idea." if n in (0, 4) else right, instruction=instruction, input=input)
        for n, (instruction, input, right) in enumerate(asked)
    ]
    likelihood = {p.id: Likelihood(p.id, -1.0, 1, -math.log(5.0 * (n + 1)), 1) for n, p in enumerate(pairs)}
    given: dict[str, Any] = {"threshold": 2, "ppl": {"limit": 36}, "verifier": "lamb"}
    found = {
        tuple(kept(decided(pairs, RISING, known={"likelihood": likelihood}, **given, order=order)))
        for order in permutations(("verifier", "threshold", "ppl"))
    }
    assert found == {("3", "5", "6")}


# conversations


def turns(*responses: str) -> list[Pair]:
    return [pair("a" + "+" * n, response) for n, response in enumerate(responses)]


@pytest.mark.parametrize(
    ("responses", "reasons"),
    [
        (("Yes.", "No.", "So."), [None, None, None]),
        (("Yes.", "", "So."), [None, "empty", "earlier_turn"]),
        (("", "No.", "So."), ["empty", "earlier_turn", "earlier_turn"]),
        (("Yes.", "No.", ""), [None, None, "empty"]),
        (("", "", "So."), ["empty", "empty", "earlier_turn"]),
    ],
)
def test_a_conversation_is_cut_at_its_first_dropped_turn(
    responses: tuple[str, ...], reasons: list[str | None]
) -> None:
    pairs = [*turns(*responses), pair("b")]
    assert list(decided(pairs, threshold=None).values()) == [*reasons, None]


def test_a_turn_below_the_threshold_cuts_too() -> None:
    scores = {"a": {"quality": 9.0}, "a+": {"quality": 7.0}, "a++": {"quality": 10.0}}
    found = decided(turns("Yes.", "No.", "So."), scores, threshold=8)
    assert found == {"a": None, "a+": "low_quality", "a++": "earlier_turn"}


# an equal count


@pytest.mark.parametrize(("by", "left"), [("score", ["7", "8", "9"]), ("random", ["0", "3", "6"])])
def test_match_brings_the_count_down(by: str, left: list[str]) -> None:
    ties = {f"{n}": n * 7 % 10 for n in range(10)}
    found = decided(TEN, RISING, matched=3, ties=ties, threshold=None, by=by)
    assert kept(found) == left
    assert set(found.values()) == {None, "over_match"}


def test_match_comes_last() -> None:
    pairs = [*TEN[:8], pair("8", ""), pair("9", finish="too_long")]
    found = decided(pairs, RISING, matched=3, threshold=2)
    assert kept(found) == ["5", "6", "7"]
    assert found["2"] == "low_quality"


def test_too_few_to_match_are_all_kept() -> None:
    assert len(kept(decided(TEN, RISING, matched=30, threshold=4))) == 5
