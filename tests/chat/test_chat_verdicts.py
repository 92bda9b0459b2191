"""Verdicts: what is read, and what is left unread rather than guessed."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.chat.verdicts import MIN_MASS, expected_choice, parse_choice, parse_grade


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # our form
        ("Both are fine.\nVerdict: A", 1.0),
        ("Both are fine.\nVerdict: B", 0.0),
        ("Both are fine.\nVerdict: tie", 0.5),
        ("**Verdict:** B", 0.0),
        ("**Verdict: B**", 0.0),
        ("My verdict is A.", 1.0),
        ("Verdict: A, because it is true.", 1.0),
        ("Verdict: Answer B is better", 0.0),
        ("Verdict: a tie", 0.5),
        ("Verdict:\n\nA", 1.0),
        ("The winner is Assistant B.", 0.0),
        ("My decision is hard. Verdict: B", 0.0),
        ("A", 1.0),
        ("b\n", 0.0),
        ("**Tie**.", 0.5),
        # FastChat's
        ("[[A]]", 1.0),
        ("I prefer it: [[B]].", 0.0),
        ("[[C]]", 0.5),
        ("Verdict: [[a]]", 1.0),
        # the last line decides
        ("Verdict: A was my first thought.\nOn reflection:\nVerdict: B", 0.0),
        ("At first [[A]].\nThen [[B]].", 0.0),
        # not guessed
        ("", None),
        ("   \n", None),
        ("[[A]], [[B]] or [[C]]", None),
        ("Verdict: A or B", None),
        ("Verdict: A/B", None),
        ("Verdict: A, B", None),
        ("Verdict: A and Assistant B", None),
        ("Verdict: A good try by both", None),
        ("Verdict: neither", None),
        ("Verdict: [[D]]", None),
        ("Verdict: A'", None),
        ("A is for apple, B is for bee", None),
        ("I cannot decide.", None),
        ("The verdict depends on taste", None),
        ("[[8]]", None),
    ],
)
def test_choices(text: str, value: float | None) -> None:
    assert parse_choice(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Clear.\nGrade: 7", 7.0),
        ("**Grade:** 7.5", 7.5),
        ("Grade: **9**/10", 9.0),
        ("Rating: 8/10", 8.0),
        ("I give it a score of 3 points too many.\nGrade: 4", 4.0),
        ("Grade: 2 at first.\nGrade: 6.", 6.0),
        ("[[8]]", 8.0),
        ("Rating: [[5]]", 5.0),
        ("[[8/10]]", 8.0),
        ("[[rating: 3]]", 3.0),
        ("See [[notes]]. Grade: 10", 10.0),
        ("Rating: [6]", 6.0),
        ("I like it: [6]", 6.0),
        ("Good.\n\n8", 8.0),
        ("9/10", 9.0),
        # not guessed, never clipped
        ("", None),
        ("[[11]]", None),
        ("[[0]]", None),
        ("[[-3]]", None),
        ("[[8]] or [[9]]", None),
        ("Grade: 8 or 9", None),
        ("Grade: 80%", None),
        ("Grade: 4/5", None),
        ("Grade: none", None),
        ("3 errors in all", None),
        ("It has 8 parts.", None),
        ("x[3] = 4", None),
        ("[4](there)", None),
        ("2024", None),
        ("Verdict: A", None),
    ],
)
def test_grades(text: str, value: float | None) -> None:
    assert parse_grade(text) == value


WORDS = st.sampled_from(
    ["A", "B", "C", "[[", "]]", "8", "1", "0", ".", "/", " ", "\n", "Verdict: ", "Grade: ", "tie", "or"]
)


@given(st.lists(WORDS, max_size=12).map("".join))
def test_any_text_gives_a_verdict_in_range_or_none(text: str) -> None:
    assert parse_choice(text) in (None, 0.0, 0.5, 1.0)
    grade = parse_grade(text)
    assert grade is None or 1 <= grade <= 10


@given(
    st.text(st.characters(exclude_characters="[]", exclude_categories=("Cs",))),
    st.sampled_from(["A", "B", "tie"]),
)
def test_whatever_reasons_come_first_the_last_line_is_read(reasons: str, label: str) -> None:
    value = {"A": 1.0, "B": 0.0, "tie": 0.5}[label]
    assert parse_choice(f"{reasons}\nVerdict: {label}") == value


@given(st.text(st.characters(exclude_characters="[]", exclude_categories=("Cs",))), st.integers(1, 10))
def test_whatever_reasons_come_first_the_grade_is_read(reasons: str, grade: int) -> None:
    assert parse_grade(f"{reasons}\nGrade: {grade}") == grade


def test_the_expected_choice_weighs_the_two_labels() -> None:
    assert expected_choice([("A", log(0.6)), ("B", log(0.2)), ("The", log(0.2))]) == pytest.approx(0.75)
    # The same label with and without a space before it is one label.
    assert expected_choice([("A", log(0.3)), (" A", log(0.3)), ("B", log(0.2))]) == pytest.approx(0.75)
    assert expected_choice([("B", log(0.9))]) == 0.0


def test_a_judge_that_was_not_about_to_choose_gives_nothing() -> None:
    assert expected_choice([]) is None
    assert expected_choice([("The", log(0.9)), ("I", log(0.1))]) is None
    assert expected_choice([("A", log(MIN_MASS / 3)), ("B", log(MIN_MASS / 3))]) is None
    assert expected_choice([("A", log(MIN_MASS)), ("B", log(MIN_MASS))]) == pytest.approx(0.5)
