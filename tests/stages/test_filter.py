"""filter: a decision with its reason for every pair, by threshold, by share, or at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.errors import YieldError
from isheep.records import Decision, Pair, Record, Task, Verdict
from isheep.stages.filter import FilterSettings, decide, normal, run
from toy import context


def pair(id: str, response: str = "A fine answer.", **changes: Any) -> Pair:
    given = {"instruction": f"Describe thing {id}.", "input": "", "finish": "stop", **changes}
    return Pair(id, given["instruction"], given["input"], response, given["finish"], True, 1, 1)


def decided(
    pairs: Sequence[Pair],
    scores: Mapping[str, Mapping[str, float | None]],
    held_out: Sequence[Task] = (),
    tie: Mapping[str, int] | None = None,
    **settings: Any,
) -> dict[str, str | None]:
    """Pair id -> reason (None: kept)."""
    ties = tie or {p.id: n for n, p in enumerate(pairs)}
    decisions = decide(FilterSettings(**settings), pairs, scores, held_out, ties)
    assert [d.id for d in decisions] == [p.id for p in pairs], "a decision for every pair"
    assert all(d.kept == (d.reason is None) for d in decisions)
    return {d.id: d.reason for d in decisions}


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
    found = decided([pair("a")], {"a": both(quality, following)}, threshold=8)
    assert found == {"a": reason}


def test_a_scale_that_was_not_asked_does_not_count() -> None:
    assert decided([pair("a")], {"a": {"quality": 9.0}}, threshold=8) == {"a": None}


BAD = [pair("empty", ""), pair("cut", finish="length"), pair("fine")]
NO_SCORE: dict[str, dict[str, float | None]] = {p.id: both(None, 1.0) for p in BAD}


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


def test_rules_can_be_chosen() -> None:
    assert decided(BAD, NO_SCORE, threshold=0, rules=("empty",)) == {
        "empty": "empty",
        "cut": None,
        "fine": None,
    }


# held-out prompts


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
    scores = {p.id: both(10.0) for p in pairs}
    found = decided(pairs, scores, tests, threshold=threshold)
    assert {id for id, reason in found.items() if reason == "held_out"} == {
        "same", "spaced", "with_input", "moved",
    }  # fmt: skip
    assert found["other"] is found["other_input"] is None


def test_normal() -> None:
    assert normal("Add  THEM.", " 2\n3 ") == "add them. 2 3"


# the share to keep

TEN = [pair(f"{n}") for n in range(10)]
RISING: dict[str, dict[str, float | None]] = {f"{n}": both(float(n), 5.0) for n in range(10)}


@pytest.mark.parametrize(
    ("fraction", "count"), [(1.0, 10), (0.3, 3), (0.25, 2), (0.35, 4), (0.01, 0), (0.05, 0), (0.06, 1)]
)
def test_keep_fraction_keeps_the_best(fraction: float, count: int) -> None:
    found = decided(TEN, RISING, threshold=None, keep_fraction=fraction)
    kept = {id for id, reason in found.items() if reason is None}
    assert kept == {f"{n}" for n in range(10 - count, 10)}
    assert set(found.values()) <= {None, "not_in_best"}


def test_keep_fraction_counts_what_passed_everything_else() -> None:
    scores = {**RISING, "9": both(None), "8": both(7.9, 9.0)}
    pairs = [*TEN[:7], pair("7", ""), *TEN[8:]]
    found = decided(pairs, scores, threshold=None, keep_fraction=0.5)
    assert found["7"] == "empty"
    assert found["9"] == "unreadable_quality"
    assert [id for id, reason in found.items() if reason is None] == ["3", "4", "5", "6", "8"][-4:]


def test_threshold_and_fraction_together() -> None:
    found = decided(TEN, RISING, threshold=4, keep_fraction=0.5)
    assert found["4"] == "low_quality"
    assert [id for id, reason in found.items() if reason is None] == ["8", "9"]


def test_the_mean_of_both_scores_ranks() -> None:
    pairs = [pair("a"), pair("b"), pair("c"), pair("d")]
    scores = {"a": both(9.0, 1.0), "b": both(6.0, 6.0), "c": both(1.0, 10.0), "d": both(5.9, 6.0)}
    found = decided(pairs, scores, threshold=None, keep_fraction=0.5)
    assert [id for id, reason in found.items() if reason is None] == ["b", "d"]


def test_equal_scores_are_drawn_by_the_tie() -> None:
    pairs = [pair(id) for id in "abcd"]
    scores = {id: both(5.0) for id in "abcd"}
    tie = {"a": 4, "b": 1, "c": 3, "d": 2}
    found = decided(pairs, scores, tie=tie, threshold=None, keep_fraction=0.5)
    assert [id for id, reason in found.items() if reason is None] == ["b", "d"]


def test_random_keeps_the_same_count_without_looking_at_scores() -> None:
    best = decided(TEN, RISING, threshold=None, keep_fraction=0.3)
    tie = {f"{n}": n * 7 % 10 for n in range(10)}
    drawn = decided(TEN, RISING, tie=tie, threshold=None, keep_fraction=0.3, by="random")
    other = {id: both(10.0 - (score["quality"] or 0.0)) for id, score in RISING.items()}
    again = decided(TEN, other, tie=tie, threshold=None, keep_fraction=0.3, by="random")
    assert drawn == again
    assert list(best.values()).count(None) == list(drawn.values()).count(None) == 3
    assert [id for id, reason in drawn.items() if reason is None] == ["0", "3", "6"]
    assert set(drawn.values()) == {None, "not_drawn"}


@given(
    st.lists(
        st.tuples(st.none() | st.floats(1, 10), st.none() | st.floats(1, 10), st.sampled_from(["", "A b."])),
        max_size=25,
    ),
    st.none() | st.sampled_from([-1.0, 0.0, 2.0, 8.0]),
    st.none() | st.sampled_from([0.1, 0.5, 1.0]),
    st.sampled_from(["score", "random"]),
)
def test_every_pair_has_one_decision(
    rows: list[tuple[float | None, float | None, str]],
    threshold: float | None,
    fraction: float | None,
    by: str,
) -> None:
    pairs = [pair(f"{n}", response) for n, (_, _, response) in enumerate(rows)]
    scores = {f"{n}": both(quality, following) for n, (quality, following, _) in enumerate(rows)}
    found = decided(pairs, scores, threshold=threshold, keep_fraction=fraction, by=by)
    kept = [id for id, reason in found.items() if reason is None]
    for id in kept:
        q, f = scores[id]["quality"], scores[id]["following"]
        if threshold is None or threshold > 0:
            assert q is not None
            assert f is not None
            assert threshold is None or min(q, f) > threshold
        if threshold is None or threshold >= 0:
            assert rows[int(id)][2], "an empty answer is never kept"
    if fraction is not None:
        passed = [r for r in found.values() if r in (None, "not_in_best", "not_drawn")]
        assert len(kept) == round(fraction * len(passed))


# the step


def inputs(scores: Mapping[str, Mapping[str, float | None]]) -> dict[str, list[Record]]:
    return {
        "responses": list(TEN),
        "assessment": [
            Verdict(f"{id}/{scale}", id, scale, score)
            for id, by_scale in scores.items()
            for scale, score in by_scale.items()
        ],
        "tests": [Task("t", "Describe thing 9.")],
    }


def test_the_step(tmp_path: Path) -> None:
    settings = FilterSettings(threshold=None, keep_fraction=0.3, min_kept=3)
    decisions = list(run(context(settings, tmp_path, inputs(RISING))))
    assert len(decisions) == 10
    assert decisions[9] == Decision("9", False, "held_out", 9.0, 5.0)
    assert [d.id for d in decisions if d.kept] == ["6", "7", "8"]


def test_without_verdicts_scores_are_none(tmp_path: Path) -> None:
    given = {"responses": TEN}
    decisions = list(run(context(FilterSettings(threshold=0), tmp_path, given)))
    assert decisions[0] == Decision("0", True, None, None, None)


def test_an_interruption_anywhere_changes_nothing(tmp_path: Path) -> None:
    settings = FilterSettings(threshold=None, keep_fraction=0.3, min_kept=1)
    whole = list(run(context(settings, tmp_path, inputs(RISING))))
    for cut in range(11):
        assert list(run(context(settings, tmp_path, inputs(RISING), whole[:cut]))) == whole[cut:]


def test_ties_hang_on_the_key(tmp_path: Path) -> None:
    settings = FilterSettings(threshold=None, keep_fraction=0.5, by="random", min_kept=1)
    drawn = {
        key: [d.id for d in run(context(settings, tmp_path, inputs(RISING), key=key * 64)) if d.kept]
        for key in "abc"
    }
    assert len({tuple(ids) for ids in drawn.values()}) > 1


def test_too_few_kept_stops_with_what_was_dropped_and_advice(tmp_path: Path) -> None:
    with pytest.raises(YieldError) as caught:
        list(run(context(FilterSettings(threshold=8), tmp_path, inputs({**RISING, "0": both(None)}))))
    assert caught.value.message == (
        "the filter kept 0 of 10 pairs, fewer than filter.min_kept = 10 "
        "(dropped: 8 low_following, 1 unreadable_quality, 1 held_out); half of the mean scores are below 5.50"
    )
    assert "filter.keep_fraction to 0.3" in caught.value.hint


def test_min_kept_is_enough(tmp_path: Path) -> None:
    settings = FilterSettings(threshold=None, keep_fraction=1.0, min_kept=9)
    assert sum(d.kept for d in run(context(settings, tmp_path, inputs(RISING)))) == 9


@pytest.mark.parametrize("threshold", [None, -1, 0, 8])
def test_an_answer_to_a_prompt_too_long_for_the_model_is_never_kept(threshold: float | None) -> None:
    found = decided([pair("a", "", finish="too_long")], {"a": both(10.0)}, threshold=threshold)
    assert found == {"a": "too_long"}
