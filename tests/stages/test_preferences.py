"""preferences: the best of several answers against the worst, where the scores tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep import load_recipe, run
from isheep.errors import YieldError
from isheep.records import Pair, Preference, Record, Verdict
from isheep.stages.preferences import PreferencesSettings, choose
from isheep.stages.preferences import run as stage
from isheep.stages.stage import Context
from toy import context, pair, whole, write_lines


def answer(id: str, response: str, **changes: Any) -> Pair:
    """The n-th answer ("a/n") to the instruction a."""
    return pair(id, response, instruction=f"Describe {id.partition('/')[0]}.", input="it", **changes)


def chosen(answers: Sequence[Pair], means: Mapping[str, float], **given: Any) -> list[Preference]:
    """Those to be trained on; every other instruction must have its reason."""
    found = choose(PreferencesSettings(samples=2, **given), answers, means)
    assert {p.id for p in found} == {a.id.rpartition("/")[0] for a in answers}
    return [p for p in found if p.reason is None]


THREE = [answer("a/0", "fair"), answer("a/1", "bad"), answer("a/2", "good")]


def test_the_best_against_the_worst() -> None:
    assert chosen(THREE, {"a/0": 6.0, "a/1": 2.0, "a/2": 9.0}) == [
        Preference("a", "Describe a.", "it", "good", "bad", 9.0, 2.0)
    ]


@pytest.mark.parametrize(("gap", "found"), [(0.0, True), (3.0, True), (3.01, False)])
def test_the_smallest_gap(gap: float, found: bool) -> None:
    assert bool(chosen(THREE, {"a/0": 6.0, "a/1": 5.0, "a/2": 8.0}, min_gap=gap)) == found


def test_without_a_difference_nothing_is_preferred() -> None:
    assert chosen(THREE, dict.fromkeys(("a/0", "a/1", "a/2"), 5.0), min_gap=0) == []
    same = [answer("a/0", "good"), answer("a/1", "good")]
    assert chosen(same, {"a/0": 9.0, "a/1": 1.0}) == []


@pytest.mark.parametrize(
    "worst",
    [answer("a/1", "cut o", finish="length"), answer("a/1", ""), answer("a/1", "", finish="too_long")],
)
def test_only_finished_answers_are_compared(worst: Pair) -> None:
    """Else a model would be taught to write shorter texts, whatever they say."""
    answers = [THREE[0], worst, THREE[2]]
    (found,) = chosen(answers, {"a/0": 6.0, "a/1": 1.0, "a/2": 9.0})
    assert (found.chosen, found.rejected) == ("good", "fair")


def test_an_answer_nobody_could_score_is_left_out() -> None:
    (found,) = chosen(THREE, {"a/0": 6.0, "a/2": 9.0})
    assert found.rejected == "fair"
    assert chosen(THREE, {"a/2": 9.0}) == []


def test_the_widest_gaps_are_kept() -> None:
    answers = [answer(f"{id}/{n}", text) for id in "abcd" for n, text in enumerate(("good", "bad"))]
    tops = {"a": 5.0, "b": 9.0, "c": 7.0, "d": 9.0}
    means = {p.id: tops[p.id[0]] if p.id.endswith("0") else 2.0 for p in answers}
    assert [p.id for p in chosen(answers, means)] == ["b", "d", "c", "a"]
    assert [p.id for p in chosen(answers, means, max_pairs=3)] == ["b", "d", "c"]


ROW = st.tuples(
    st.sampled_from(["", "good", "bad", "fair"]),
    st.sampled_from(["stop", "stop", "length"]),
    st.none() | st.floats(1, 10),
)


@settings(max_examples=200)
@given(
    st.lists(st.lists(ROW, max_size=4), max_size=6), st.sampled_from([0.0, 1.0, 4.0]), st.none() | st.just(2),
    st.randoms(),
)  # fmt: skip
def test_of_each_instruction_at_most_one(
    groups: list[list[Any]], gap: float, most: int | None, random: Any
) -> None:
    answers = [
        answer(f"{g}/{n}", row[0], finish=row[1])
        for g, rows in enumerate(groups)
        for n, row in enumerate(rows)
    ]
    means = {
        f"{g}/{n}": row[2]
        for g, rows in enumerate(groups)
        for n, row in enumerate(rows)
        if row[2] is not None
    }
    found = chosen(answers, means, min_gap=gap, max_pairs=most)
    assert len({p.id for p in found}) == len(found) <= (len(groups) if most is None else most)
    gaps = [p.chosen_score - p.rejected_score for p in found]
    assert gaps == sorted(gaps, reverse=True)
    assert all(gap <= width and width > 0 for width in gaps)
    for p in found:
        rows = groups[int(p.id)]
        usable = [row for row in rows if row[0] and row[1] == "stop" and row[2] is not None]
        assert p.chosen != p.rejected
        assert (p.chosen, "stop", p.chosen_score) in usable
        assert (p.rejected, "stop", p.rejected_score) in usable
        assert p.chosen_score == max(row[2] for row in usable)
        assert p.rejected_score == min(row[2] for row in usable)
    shuffled = random.sample(answers, len(answers))
    assert chosen(shuffled, means, min_gap=gap, max_pairs=most) == found, "the order of answers is no matter"


# the step


def ctx_for(folder: Path, journal: Sequence[Record] = (), **given: Any) -> Context[Any]:
    answers = [answer(f"{id}/{n}", text) for id in "abc" for n, text in enumerate(("good", "bad"))]
    verdicts = [
        Verdict(f"{p.id}/{scale}", p.id, scale, score)
        for p in answers
        for scale, score in (("quality", 9.0 if p.response == "good" else 4.0), ("following", 6.0))
    ]
    inputs: dict[str, Sequence[Record]] = {"responses": answers, "assessment": verdicts}
    return context(PreferencesSettings(samples=2, **given), folder, inputs, journal)


def test_the_mean_over_both_scales_counts(tmp_path: Path) -> None:
    found = list(stage(ctx_for(tmp_path)))
    assert found[0] == Preference("a", "Describe a.", "it", "good", "bad", 7.5, 5.0)
    assert [p.id for p in found] == ["a", "b", "c"]


def test_an_interruption_anywhere_changes_nothing(tmp_path: Path) -> None:
    assert len(whole(stage, lambda journal: ctx_for(tmp_path, journal))) == 3


def test_no_preference_at_all_stops_with_advice(tmp_path: Path) -> None:
    with pytest.raises(YieldError, match=r"no preference among 6 answers: .* never 3 points apart") as caught:
        list(stage(ctx_for(tmp_path, min_gap=3)))
    assert "lower preferences.min_gap" in caught.value.hint


def test_a_test_question_is_never_trained_on_by_preference_either(tmp_path: Path) -> None:
    """The whole run: the fake's own tasks are made the test, so the filter refuses them; so must the preferences."""
    settings = ["iterations=1", "preferences.samples=3", "preferences.min_gap=0", "filter.min_kept=1"]
    first = run(load_recipe("fake", [*settings, "evaluate.tasks=[]"]), tmp_path)
    compared = [p for p in first.named("preferences")[0].read(Preference) if p.reason is None]
    asked = compared[: len(compared) // 2]
    lines = [{"instruction": p.instruction.upper(), "input": p.input, "answers": ["x"]} for p in asked]
    write_lines(tmp_path / "test.jsonl", lines)
    tested = run(load_recipe("fake", [*settings, f"evaluate.tasks=[{tmp_path / 'test.jsonl'}]"]), tmp_path)
    left = tested.named("preferences")[0].read(Preference)
    reasons = {p.id: p.reason for p in left}
    refused = {reasons[p.id] for p in asked}
    assert "held_out" in refused
    assert None not in refused
    assert None in reasons.values()


def test_every_instruction_that_is_left_out_has_its_reason() -> None:
    texts = {
        "a": ("good", "bad"),
        "b": ("good", ""),
        "c": ("same", "same"),
        "d": ("one", "two"),
        "e": ("x", "y"),
    }
    answers = [answer(f"{id}/{n}", text) for id, both in texts.items() for n, text in enumerate(both)]
    means = {p.id: 5.0 if p.id.startswith("d") else 9.0 - 4 * int(p.id[-1]) for p in answers}
    found = choose(PreferencesSettings(samples=2, max_pairs=1), answers, means)
    assert {p.id: p.reason for p in found} == {
        "a": None, "b": "too_few_answers", "c": "same_answer", "d": "small_gap", "e": "over_max_pairs",
    }  # fmt: skip
