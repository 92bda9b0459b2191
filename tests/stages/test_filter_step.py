"""filter, the step: a decision with its reason for every pair, whatever is switched on and in whatever order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.errors import YieldError
from isheep.records import Decision, Likelihood, Record, Task, Vector, Verdict
from isheep.stages.filter import run
from isheep.stages.sieves import FilterSettings
from toy import context, pair, whole

pytestmark = pytest.mark.filterwarnings("ignore:Number of distinct clusters")

TEN = [pair(f"{n}") for n in range(10)]
RISING = {f"{n}": {"following": 5.0, "quality": float(n)} for n in range(10)}


def inputs(scores: Mapping[str, Mapping[str, float | None]], **more: Sequence[Record]) -> dict[str, Any]:
    return {
        "responses": list(TEN),
        "assessment": [
            Verdict(f"{id}/{scale}", id, scale, score)
            for id, by_scale in scores.items()
            for scale, score in by_scale.items()
        ],
        "tests": [Task("t", "Describe thing 9.")],
        **more,
    }


def decisions(folder: Path, settings: FilterSettings, given: dict[str, Any], **rest: Any) -> list[Decision]:
    return list(run(context(settings, folder, given, **rest)))  # type: ignore[arg-type]


def test_the_step(tmp_path: Path) -> None:
    settings = FilterSettings(threshold=None, keep_fraction=0.3, min_kept=3)
    found = decisions(tmp_path, settings, inputs(RISING))
    assert len(found) == 10
    assert found[9] == Decision("9", False, "held_out", 9.0, 5.0)
    assert [d.id for d in found if d.kept] == ["6", "7", "8"]


def test_without_verdicts_scores_are_none(tmp_path: Path) -> None:
    found = decisions(tmp_path, FilterSettings(threshold=0), {"responses": TEN})
    assert found[0] == Decision("0", True, None, None, None)


def test_several_verdicts_on_a_pair_are_averaged(tmp_path: Path) -> None:
    given = {"8": (9.0, 8.0, None), "9": (9.0, 7.0, 8.0), "7": (None, None, None)}
    verdicts = [
        Verdict(f"{id}/quality/{n}", id, "quality", score)
        for id, drawn in given.items()
        for n, score in enumerate(drawn)
    ]
    settings = FilterSettings(threshold=8, min_kept=1)
    found = decisions(tmp_path, settings, {"responses": TEN[7:], "assessment": verdicts})
    assert found == [
        Decision("7", False, "unreadable_quality", None, None),
        Decision("8", True, None, 8.5, None),
        Decision("9", False, "low_quality", 8.0, None),
    ]


def test_only_what_was_kept_earlier_is_compared_with(tmp_path: Path) -> None:
    old = [pair("0.a", "Sheep eat grass all day."), pair("0.b", "Rain falls on the hills.")]
    new = [pair("1.a", "Sheep eat grass all day."), pair("1.b", "Rain falls on the hills.")]
    given = {
        "responses": new,
        "earlier_responses": old,
        "earlier": [Decision("0.a", True, None, 9.0, 9.0), Decision("0.b", False, "low_quality", 1.0, 9.0)],
    }
    settings = FilterSettings(threshold=None, overlap={"on": "response"}, min_kept=1)
    assert {d.id: d.reason for d in decisions(tmp_path, settings, given)} == {
        "1.a": "near_duplicate", "1.b": None,
    }  # fmt: skip


def test_likelihoods_and_vectors_reach_their_filters(tmp_path: Path) -> None:
    given = inputs(
        RISING,
        likelihood=[Likelihood(p.id, -1.0, 1, -float(n), 1) for n, p in enumerate(TEN)],
        vectors=[Vector.of(p.id, np.eye(10, dtype=np.float32)[0]) for p in TEN],
    )
    settings = FilterSettings(
        threshold=None, ppl={"limit": math.e**5.5}, density={"clusters": 1, "choose": "perplexity"}, min_kept=1
    )  # fmt: skip
    found = decisions(tmp_path, settings, given)
    assert [d.reason for d in found] == [
        None, *["same_cluster"] * 5, *["high_ppl_response"] * 3, "held_out",
    ]  # fmt: skip


def test_an_interruption_anywhere_changes_nothing(tmp_path: Path) -> None:
    settings = FilterSettings(threshold=None, keep_fraction=0.3, min_kept=1)
    assert len(whole(run, lambda journal: context(settings, tmp_path, inputs(RISING), journal))) == 10


def test_ties_hang_on_the_key(tmp_path: Path) -> None:
    settings = FilterSettings(threshold=None, keep_fraction=0.5, by="random", min_kept=1)
    drawn = {
        tuple(d.id for d in decisions(tmp_path, settings, inputs(RISING), key=key * 64) if d.kept)
        for key in "abc"
    }
    assert len(drawn) > 1


def test_too_few_kept_stops_with_what_was_dropped_and_advice(tmp_path: Path) -> None:
    scores = {**RISING, "0": {"following": 10.0, "quality": None}}
    with pytest.raises(YieldError) as caught:
        decisions(tmp_path, FilterSettings(threshold=8), inputs(scores))
    assert caught.value.message == (
        "the filter kept 0 of 10 pairs, fewer than filter.min_kept = 10 "
        "(dropped: 8 low_following, 1 unreadable_quality, 1 held_out); half of the mean scores are below 5.50"
    )
    assert "filter.keep_fraction to 0.3" in caught.value.hint


def test_min_kept_is_enough(tmp_path: Path) -> None:
    settings = FilterSettings(threshold=None, keep_fraction=1.0, min_kept=9)
    assert sum(d.kept for d in decisions(tmp_path, settings, inputs(RISING))) == 9


# the count of another arm


def matched(
    folder: Path, match: int | str, other: int | None = None, **given: Any
) -> tuple[list[str], list[str]]:
    """The ids kept and the notes made, where the other arm kept `other` pairs (None: has no such iteration)."""
    notes: list[str] = []
    if other is not None:
        given["match"] = [Decision(f"m{n}", n < other, None if n < other else "x", 9, 9) for n in range(12)]
    settings = FilterSettings(threshold=4, match=match, min_kept=1)
    scores = {id: {"quality": of["quality"]} for id, of in RISING.items()}
    found = decisions(folder, settings, inputs(scores, **given), note=notes.append)
    return [d.id for d in found if d.kept], notes


@pytest.mark.parametrize(("match", "other"), [(2, None), ("ppl", 2)])
def test_a_count_or_an_arm_is_matched(tmp_path: Path, match: int | str, other: int | None) -> None:
    assert matched(tmp_path, match, other) == (["7", "8"], [])


@pytest.mark.parametrize(("match", "other"), [(7, None), ("ppl", 7)])
def test_too_few_to_match_are_noted(tmp_path: Path, match: int | str, other: int | None) -> None:
    assert matched(tmp_path, match, other) == (
        ["5", "6", "7", "8"], ["4 pairs kept where 7 were to be matched"],
    )  # fmt: skip


def test_an_arm_without_such_an_iteration_is_noted(tmp_path: Path) -> None:
    assert matched(tmp_path, "ppl") == (
        ["5", "6", "7", "8"], ["ppl has no such iteration, so its count cannot be matched"],
    )  # fmt: skip


# whatever is asked for

RULES = {
    "threshold": st.none() | st.sampled_from([-1.0, 0.0, 2.0, 8.0]),
    "keep_fraction": st.none() | st.sampled_from([0.1, 0.5, 1.0]),
    "by": st.sampled_from(["score", "random"]),
    "ppl": st.none() | st.sampled_from([{"of": "response"}, {"of": "both", "limit": 8.0}]),
    "density": st.none() | st.sampled_from([{"clusters": 2}, {"clusters": None, "share": 0.5}]),
    "overlap": st.none() | st.sampled_from([{"on": "response"}, {"on": "pair"}]),
    "verifier": st.sampled_from(["none", "none", "lamb"]),
    "match": st.none() | st.sampled_from([1, 3, "arm"]),
    "order": st.permutations(FilterSettings().order),
}
SCORE = st.none() | st.floats(1, 10)
ROW = st.tuples(
    SCORE, SCORE, st.sampled_from(["", "Yes it is.", "No, a sheep."]), st.sampled_from(["stop", "length"])
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=12), st.fixed_dictionaries(RULES))
def test_every_pair_has_one_decision(rows: list[tuple[Any, ...]], chosen: dict[str, Any]) -> None:
    pairs = [pair(f"{n // 2}{'+' * (n % 2)}", row[2], finish=row[3]) for n, row in enumerate(rows)]
    given: dict[str, Any] = {
        "responses": pairs,
        "assessment": [
            Verdict(f"{p.id}/{scale}", p.id, scale, row[n])
            for p, row in zip(pairs, rows, strict=True)
            for n, scale in enumerate(("quality", "following"))
        ],
        "likelihood": [
            Likelihood(p.id, -6.0, 3, -1.5 * len(p.response.split()), len(p.response.split())) for p in pairs
        ],
        "vectors": [Vector.of(p.id, np.array([len(p.id), n % 3], np.float32)) for n, p in enumerate(pairs)],
        "match": [Decision("x", True, None, None, None)],
    }
    asked = FilterSettings(min_kept=1, **chosen)
    try:
        found = decisions(Path("unused"), asked, given)
    except YieldError as error:
        said = error.message
    else:
        said = ""
    if said:
        assert said.startswith(f"the filter kept 0 of {len(pairs)} pairs")
        return
    assert sorted(d.id for d in found) == sorted(p.id for p in pairs)
    assert all(d.kept == (d.reason is None) for d in found)
    left = {d.id: d for d in found if d.kept}
    if asked.match is not None:
        assert len(left) <= (asked.match if isinstance(asked.match, int) else 1)
    texts = {p.id: p for p in pairs}
    for id, decision in left.items():
        if asked.threshold is None or asked.threshold > 0:
            assert decision.quality is not None
            assert decision.following is not None
            assert min(decision.quality, decision.following) > (asked.threshold or 0)
        if asked.threshold != -1 or asked.ppl:
            assert texts[id].response, "an empty answer is never kept"
        if asked.threshold != -1:
            assert texts[id].finish == "stop"
        if texts[id].parent and asked.match is None:
            assert texts[id].parent in left
