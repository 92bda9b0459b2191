"""SQuAD 2.0's scores and GPQA's order of options, from the rules as published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.benchmarks.scoring import NO_ANSWER, gpqa_order, normalise_answer, squad_scores

WORDS = st.lists(st.sampled_from(["sheep", "wool", "The", "a", "barn!", "red,"]), max_size=6).map(" ".join)


@pytest.mark.parametrize(
    ("response", "answers", "expected"),
    [
        ("the Denver Broncos", ["Denver Broncos"], (1.0, 1.0)),
        (" A lamb. ", ["lamb", "ewe"], (1.0, 1.0)),
        ("the white lamb", ["lamb"], (0.0, 2 / 3)),
        ("black ewe", ["lamb", "ewe on a hill"], (0.0, 2 / 5)),
        ("lamb lamb", ["lamb"], (0.0, 2 / 3)),
        ("Unanswerable.", [], (1.0, 1.0)),
        ("", [], (1.0, 1.0)),
        ("lamb", [], (0.0, 0.0)),
        ("unanswerable", ["lamb"], (0.0, 0.0)),
        ("", ["lamb"], (0.0, 0.0)),
        ("the", ["lamb"], (0.0, 0.0)),
        ("wolf", ["lamb"], (0.0, 0.0)),
    ],
)
def test_known_cases(response: str, answers: list[str], expected: tuple[float, float]) -> None:
    assert squad_scores(response, answers) == pytest.approx(expected)


@given(WORDS, st.lists(WORDS, max_size=3))
def test_exact_is_never_above_f1_and_order_does_not_count(response: str, answers: list[str]) -> None:
    exact, f1 = squad_scores(response, answers)
    assert exact in (0.0, 1.0)
    assert 0.0 <= exact <= f1 <= 1.0
    assert (exact, f1) == squad_scores(response, answers[::-1])
    assert (exact == 1.0) == (f1 == 1.0 and _same_order(response, answers))


def _same_order(response: str, answers: list[str]) -> bool:
    accepted = [a for a in map(normalise_answer, answers) if a]
    given = normalise_answer(response)
    return given in accepted if accepted else given in NO_ANSWER


@given(WORDS)
def test_an_accepted_answer_is_right(answer: str) -> None:
    right = 1.0 if normalise_answer(answer) else 0.0
    assert squad_scores(f"  The {answer}. ", [answer, "other"])[0] == right


@given(st.text(), st.lists(st.text(), min_size=4, max_size=4, unique=True), st.randoms())
def test_options_are_shown_in_one_order_however_they_are_given(
    question: str, options: list[str], rng
) -> None:  # type: ignore[no-untyped-def]
    shown = [options[n] for n in gpqa_order(question, options)]
    assert sorted(shown) == sorted(options)
    other = rng.sample(options, 4)
    assert [other[n] for n in gpqa_order(question, other)] == shown


def test_the_right_option_is_not_always_in_one_place() -> None:
    places = [gpqa_order(f"Question {n}?", ["right", "a", "b", "c"]).index(0) for n in range(400)]
    assert all(70 < places.count(place) < 130 for place in range(4))
