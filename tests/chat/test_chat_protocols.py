"""Protocols: what the judge is asked, what a rule settles, and the items that come of it."""

from __future__ import annotations

import pytest
from judging import OURS, TASK, Bare, compared, marked, question

from isheep.chat.prompts import read_prompts
from isheep.chat.protocols import answers_of, graded, outputs_of, pairwise
from isheep.chat.questions import ChatQuestion
from isheep.records import Reply

PAIR = [question("a")]


def reply(prompt: str, text: str, turn: int = 1, finish: str = "stop") -> Reply:
    return Reply(f"{prompt}/{turn}", TASK, prompt, text, finish, True, turn)


def test_every_pair_is_asked_in_both_orders() -> None:
    ours, theirs = {("a", 1): "our answer"}, {("a", 1): "their answer"}
    first, second = pairwise(PAIR, ours, theirs, read_prompts(OURS))
    assert (first.id, first.swapped) == ("a/1", False)
    assert (second.id, second.swapped) == ("a/1/swapped", True)
    for asking, order in ((first, ["our", "their"]), (second, ["their", "our"])):
        text = asking.messages[0][1]
        assert text.index(f"{order[0]} answer") < text.index(f"{order[1]} answer")
    assert first.prompt_hash != second.prompt_hash
    assert len(first.prompt_hash) == 64


@pytest.mark.parametrize(
    ("ours", "theirs", "value", "why"),
    [
        ("same", "same", 0.5, "the two answers are equal"),
        ("", "", 0.5, "the two answers are equal"),
        ("", "some", 0.0, "our answer is empty"),
        ("some", "", 1.0, "the baseline's answer is empty"),
    ],
)
def test_what_a_rule_settles_no_judge_is_asked(ours: str, theirs: str, value: float, why: str) -> None:
    def never(first: str, second: str) -> float:
        raise AssertionError("the judge was asked")

    judged = compared({("a", 1): ours}, {("a", 1): theirs}, never, PAIR)
    (item,) = judged.items
    assert item.value == value
    assert [(j.value, j.text, j.judge, j.prompt_hash) for j in judged.judgments] == [
        (value, why, "rule", "")
    ] * 2
    assert [j.swapped for j in judged.judgments] == [False, True]


def test_a_later_turn_is_judged_behind_the_ones_before() -> None:
    two = [question("a", turns=2)]
    ours = {("a", 1): "o1", ("a", 2): "o2"}
    theirs = {("a", 1): "t1", ("a", 2): "t2"}
    askings = list(pairwise(two, ours, theirs, read_prompts(OURS)))
    assert [a.id for a in askings] == ["a/1", "a/1/swapped", "a/2", "a/2/swapped"]
    assert "o2" not in askings[0].messages[0][1]
    assert all(part in askings[2].messages[0][1] for part in ("o1", "o2", "t1", "t2"))
    judged = compared(ours, theirs, lambda first, second: 1.0, two)
    assert [(i.item, i.cluster) for i in judged.items] == [("1", "a"), ("2", "a")]


def test_equal_last_answers_behind_different_ones_are_judged() -> None:
    two = [question("a", turns=2)]
    ours, theirs = {("a", 1): "o1", ("a", 2): "same"}, {("a", 1): "t1", ("a", 2): "same"}
    assert [a.why for a in pairwise(two, ours, theirs, Bare())] == [""] * 4
    theirs["a", 1] = "o1"
    assert all(a.why for a in pairwise(two, ours, theirs, Bare()))


def test_only_what_both_answered_is_compared() -> None:
    questions = [question("a"), question("b"), question("c", turns=2)]
    ours = {("a", 1): "x", ("c", 1): "x", ("c", 2): "x"}
    theirs = {("a", 1): "y", ("b", 1): "y", ("c", 2): "y"}
    assert [a.id for a in pairwise(questions, ours, theirs, Bare())] == ["a/1", "a/1/swapped"]
    assert [a.id for a in graded(questions, ours, Bare())] == ["a/1", "c/1", "c/2"]


@pytest.mark.parametrize(
    ("verdicts", "value"),
    [
        ({"ours": 1.0, "theirs": 0.0}, 1.0),
        ({"ours": 1.0, "theirs": 1.0}, 0.5),
        ({"ours": 1.0, "theirs": 0.5}, 0.75),
        ({"ours": 0.25, "theirs": 0.5}, 0.375),
        ({"ours": None, "theirs": 0.0}, None),
        ({"ours": 1.0, "theirs": None}, None),
    ],
)
def test_a_preference_is_the_mean_of_both_orders(
    verdicts: dict[str, float | None], value: float | None
) -> None:
    """`verdicts`: the share won by the text shown first, by whose it is."""
    judged = compared({("a", 1): "ours"}, {("a", 1): "theirs"}, lambda first, second: verdicts[first], PAIR)
    (item,) = judged.items
    assert item.value == value
    assert (item.id, item.prompt, item.item, item.metric) == ("a/1/preference", "a", "", "preference")
    assert (item.length, item.prompt_hash, item.task) == (4, PAIR[0].prompt_hash, TASK)


def test_each_turn_has_its_grade() -> None:
    questions = [question("a", turns=2, category="math"), question("b", turns=2)]
    ours = {(q, n): f"{q}{n}" for q in "ab" for n in (1, 2)} | {("b", 2): ""}
    grades = {"a1": 7.0, "a2": None, "b1": 3.0, "": 2.0}
    items = marked(ours, lambda answer: grades[answer], questions)
    assert [(i.id, i.item, i.cluster, i.group, i.value) for i in items] == [
        ("a/1/grade", "1", "a", "math", 7.0),
        ("a/2/grade", "2", "a", "math", None),
        ("b/1/grade", "1", "b", "", 3.0),
        ("b/2/grade", "2", "b", "", 2.0),  # nothing was said: that too is for the judge to grade
    ]


def test_references_are_shown_up_to_the_turn() -> None:
    q = ChatQuestion("a", ("2 + 2?", "And 3?"), "math", ("it is four", "it is seven"))
    first, second = graded([q], {("a", 1): "4", ("a", 2): "7"}, read_prompts(OURS))
    assert "it is four" in first.messages[0][1]
    assert "it is seven" not in first.messages[0][1]
    assert "it is four" in second.messages[0][1]
    assert "it is seven" in second.messages[0][1]


def test_answers_are_read_without_the_space_around_them() -> None:
    replies = [reply("a", " yes \n"), reply("a", "", 2, "too_long")]
    assert answers_of(replies) == {("a", 1): "yes", ("a", 2): ""}


def test_the_files_own_answers_are_replies() -> None:
    given = ChatQuestion("b", ("Question?",), output=" An answer.\n", generator="old")
    (found,) = outputs_of([question("a"), given], TASK)
    assert found == Reply("b/1", TASK, "b", "An answer.", "stop", True)
