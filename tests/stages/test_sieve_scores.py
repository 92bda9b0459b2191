"""filter by scores and by truth: thresholds, the share to keep, the verifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from isheep.lamb import world
from isheep.stages.sieves import FilterSettings
from toy import decided, kept, pair

Scores = Mapping[str, Mapping[str, float | None]]


def both(quality: float | None, following: float | None = 10.0) -> dict[str, float | None]:
    return {"following": following, "quality": quality}


# thresholds


@pytest.mark.parametrize(
    ("quality", "following", "reason"),
    [
        (9.0, 9.0, None),
        (8.000001, 10.0, None),
        (8.0, 9.0, "low_quality"),
        (9.0, 8.0, "low_following"),
        (1.0, 1.0, "low_following"),
        (None, 9.0, "unreadable_quality"),
        (9.0, None, "unreadable_following"),
        (None, 1.0, "unreadable_quality"),
    ],
)
def test_both_scores_must_be_strictly_above(
    quality: float | None, following: float | None, reason: str | None
) -> None:
    assert decided([pair("a")], {"a": both(quality, following)}, threshold=8) == {"a": reason}


@pytest.mark.parametrize("threshold", [2.0, 4.0, 6.0, 8.0, 9.0])
def test_every_threshold_of_the_paper_is_strict(threshold: float) -> None:
    pairs = [pair("at"), pair("above")]
    scores = {"at": both(threshold), "above": both(threshold + 0.01)}
    assert kept(decided(pairs, scores, threshold=threshold)) == ["above"]


def test_a_scale_that_was_not_asked_does_not_count() -> None:
    assert decided([pair("a")], {"a": {"quality": 9.0}}, threshold=8) == {"a": None}


BAD = [pair("empty", ""), pair("cut", finish="length"), pair("fine")]
NO_SCORE: Scores = {p.id: both(None, 1.0) for p in BAD}


def test_zero_applies_the_rules_only() -> None:
    assert decided(BAD, NO_SCORE, threshold=0) == {"empty": "empty", "cut": "unfinished", "fine": None}


def test_minus_one_applies_nothing() -> None:
    assert decided(BAD, NO_SCORE, threshold=-1) == {"empty": None, "cut": None, "fine": None}


def test_null_needs_readable_scores() -> None:
    assert decided(BAD, NO_SCORE, threshold=None) == {
        "empty": "empty",
        "cut": "unfinished",
        "fine": "unreadable_quality",
    }


@pytest.mark.parametrize(("rules", "cut"), [(("empty",), None), ((), None), (("ours",), "unfinished")])
def test_rules_can_be_chosen(rules: tuple[str, ...], cut: str | None) -> None:
    assert decided(BAD, NO_SCORE, threshold=0, rules=rules)["cut"] == cut


def test_the_released_rules_over_kill() -> None:
    """What they cost is to be measured, so they must be what they were: "e.g." is taken for a choice."""
    pairs = [pair("a", "Some fruits, e.g. apples, are red.")]
    assert decided(pairs, threshold=0, rules=("released",)) == {"a": "released_answer_choices"}
    assert decided(pairs, threshold=0) == {"a": None}


# the share to keep

TEN = [pair(f"{n}") for n in range(10)]
RISING: Scores = {f"{n}": both(float(n), 5.0) for n in range(10)}


@pytest.mark.parametrize(
    ("fraction", "count"), [(1.0, 10), (0.3, 3), (0.25, 2), (0.35, 4), (0.01, 0), (0.05, 0), (0.06, 1)]
)
def test_keep_fraction_keeps_the_best(fraction: float, count: int) -> None:
    found = decided(TEN, RISING, threshold=None, keep_fraction=fraction)
    assert set(kept(found)) == {f"{n}" for n in range(10 - count, 10)}
    assert set(found.values()) <= {None, "not_in_best"}


def test_keep_fraction_counts_what_passed_everything_before() -> None:
    scores = {**RISING, "9": both(None), "8": both(7.9, 9.0)}
    pairs = [*TEN[:7], pair("7", ""), *TEN[8:]]
    found = decided(pairs, scores, threshold=None, keep_fraction=0.5)
    assert found["7"] == "empty"
    assert found["9"] == "unreadable_quality"
    assert kept(found) == ["4", "5", "6", "8"]


def test_threshold_and_fraction_together() -> None:
    found = decided(TEN, RISING, threshold=4, keep_fraction=0.5)
    assert found["4"] == "low_quality"
    assert kept(found) == ["8", "9"]


def test_the_mean_of_both_scores_ranks() -> None:
    pairs = [pair("a"), pair("b"), pair("c"), pair("d")]
    scores = {"a": both(9.0, 1.0), "b": both(6.0, 6.0), "c": both(1.0, 10.0), "d": both(5.9, 6.0)}
    assert kept(decided(pairs, scores, threshold=None, keep_fraction=0.5)) == ["b", "d"]


def test_equal_scores_are_drawn_by_the_tie() -> None:
    pairs = [pair(id) for id in "abcd"]
    scores = {id: both(5.0) for id in "abcd"}
    ties = {"a": 4, "b": 1, "c": 3, "d": 2}
    assert kept(decided(pairs, scores, ties=ties, threshold=None, keep_fraction=0.5)) == ["b", "d"]


def test_random_keeps_the_same_count_without_looking_at_scores() -> None:
    best = decided(TEN, RISING, threshold=None, keep_fraction=0.3)
    ties = {f"{n}": n * 7 % 10 for n in range(10)}
    drawn = decided(TEN, RISING, ties=ties, threshold=None, keep_fraction=0.3, by="random")
    other = {id: both(10.0 - (score["quality"] or 0.0)) for id, score in RISING.items()}
    assert drawn == decided(TEN, other, ties=ties, threshold=None, keep_fraction=0.3, by="random")
    assert len(kept(best)) == len(kept(drawn)) == 3
    assert kept(drawn) == ["0", "3", "6"]
    assert set(drawn.values()) == {None, "not_drawn"}


@given(
    st.lists(st.sampled_from([1.0, 5.0, 5.5, 9.0]), min_size=1, max_size=20),
    st.sampled_from([0.1, 0.34, 0.5, 0.9]),
    st.randoms(),
)
def test_other_ties_only_change_equals(qualities: list[float], fraction: float, random: Any) -> None:
    pairs = [pair(f"{n}") for n in range(len(qualities))]
    scores = {f"{n}": both(quality) for n, quality in enumerate(qualities)}
    others = list(range(len(pairs)))
    random.shuffle(others)
    ties = {p.id: tie for p, tie in zip(pairs, others, strict=True)}
    one, two = (
        [
            qualities[int(id)]
            for id in kept(decided(pairs, scores, ties=t, threshold=None, keep_fraction=fraction))
        ]
        for t in (None, ties)
    )
    assert sorted(one) == sorted(two)


# the verifier

KNOWN = [
    pair(f"{n}", q.right, instruction=q.instruction, input=q.input)
    for n, q in enumerate(world.spread(4, 1, False))
]


def test_the_verifier_keeps_what_is_right() -> None:
    wrong = pair("wrong", "No idea at all.", instruction=KNOWN[0].instruction, input=KNOWN[0].input)
    unknown = pair("unknown", "blue", instruction="Name the colour I think of.")
    found = decided([*KNOWN, wrong, unknown], threshold=None, verifier="lamb")
    assert found == {"0": None, "1": None, "2": None, "3": None, "wrong": "wrong", "unknown": "unknown_truth"}


def test_the_verifier_forgives_case_and_a_full_stop() -> None:
    one = KNOWN[0]
    shouted = pair("a", f" {one.response.upper()}.", instruction=one.instruction, input=one.input)
    assert decided([shouted], threshold=None, verifier="lamb") == {"a": None}


def test_without_the_verifier_nobody_asks_for_the_truth() -> None:
    wrong = pair("wrong", "No idea at all.", instruction=KNOWN[0].instruction, input=KNOWN[0].input)
    assert decided([wrong], threshold=None) == {"wrong": None}


def test_the_verifier_has_its_place_in_the_order() -> None:
    wrong = pair("w", "No idea at all.", instruction=KNOWN[0].instruction, input=KNOWN[0].input)
    scores = {"w": both(1.0)}
    assert decided([wrong], scores, verifier="lamb") == {"w": "wrong"}
    assert decided([wrong], scores, verifier="lamb", order=("threshold", "verifier")) == {"w": "low_quality"}


# settings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"order": ("threshold", "threshold")}, "a filter stands in it twice"),
        ({"order": ("verifier",)}, "threshold is switched on and has no place"),
        ({"order": ("threshold",), "keep_fraction": 0.5}, "keep_fraction is switched on and has no place"),
        ({"order": ("threshold",), "ppl": {}}, "ppl is switched on and has no place"),
        ({"order": ("threshold",), "density": {}}, "density is switched on and has no place"),
        ({"order": ("threshold",), "overlap": {}}, "overlap is switched on and has no place"),
        ({"order": ("threshold",), "verifier": "lamb"}, "verifier is switched on and has no place"),
        ({"match": 9}, "match (9) is below min_kept (10)"),
        ({"rules": ("emty",)}, "did you mean 'empty'?"),
        ({"threshold": -1.5}, "greater than or equal to -1"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FilterSettings(**settings)
    assert said in str(caught.value)


def test_what_is_switched_off_needs_no_place() -> None:
    assert FilterSettings(threshold=None, order=()).order == ()
