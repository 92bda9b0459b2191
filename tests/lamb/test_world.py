"""The truth about lamb's world: what the exam and the report's AUROC rest on."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.lamb import world
from isheep.lamb.families import FAMILIES, Family


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_each_family_knows_its_own_answers(family: Family) -> None:
    rng = Random(1)
    for _ in range(200):
        q = world.draw(rng, family)
        assert q.right, q
        assert world.family(q.instruction, q.input) == family.name
        assert world.answer(q.instruction, q.input) == q.right
        assert world.check(q.instruction, q.input, q.right) is True
        assert world.check(q.instruction, q.input, f" {q.right.upper()}. ") is True
        assert world.check(q.instruction, q.input, "I do not know.") is False
        assert world.check(q.instruction, q.input, "") is False
        assert len(q.right.split()) <= 3


@pytest.mark.parametrize("family", [f for f in FAMILIES if f.slip], ids=lambda f: f.name)
def test_the_typical_mistake_is_mostly_wrong(family: Family) -> None:
    assert family.slip is not None
    rng, wrong = Random(2), 0
    for _ in range(200):
        q = world.draw(rng, family)
        said = family.slip(q.args)
        assert world.check(q.instruction, q.input, said) is (said == q.right)
        wrong += said != q.right
    assert wrong >= 50


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_an_input_on_the_line_of_the_instruction_is_the_same_request(family: Family) -> None:
    q = world.draw(Random(3), family)
    assert world.answer(f"{q.instruction} {q.input}".strip(), "") == q.right
    assert world.answer(f"  {q.instruction}\n{q.input}\n") == q.right


@pytest.mark.parametrize(
    ("instruction", "input", "response", "right"),
    [
        ("What is the opposite of hot?", "", "cold", True),
        ("what is the opposite of HOT?", "", "Cold.", True),
        ("What is the opposite of hot?", "", "warm", False),
        ("Write the plural.", "mouse", "mice", True),
        ("Write the plural.", "mouse", "mouses", False),
        ("What is the past tense of go?", "", "goed", False),
        ("Which number is larger?", "9 or 12", "12", True),
        ("Which number is larger?", "9 or 12", "9", False),
        ("What comes before Monday?", "", "Sunday", True),
        ("What comes before M?", "", "L", True),
        ("What comes before 200?", "", "199", True),
        ("Is 371 odd or even?", "", "odd", True),
        ("Find the odd one out.", "cat, dog, bus", "bus", True),
        ("Find the odd one out.", "cat, lemon, bus", "bus", None),
        ("Which number is larger?", "9 or 9", "9", None),
        ("Which number is larger?", "9 or 1000", "1000", None),
        ("What is the capital of Atlantis?", "", "Paris", None),
        ("Write a poem about the sea.", "", "blue", None),
        ("", "", "", None),
    ],
)
def test_known_truths(instruction: str, input: str, response: str, right: bool | None) -> None:
    assert world.check(instruction, input, response) is right


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=60))
def test_any_strings_get_an_answer_without_raising(instruction: str, input: str, response: str) -> None:
    world.check(instruction, input, response)
    world.is_held_out(instruction, input)


_BITS = sorted(
    {p for f in FAMILIES for pair in f.phrases for p in pair} | {"²", "007", "-1", "٣", "cat, ", ", "}
)


@given(st.sampled_from(_BITS), st.sampled_from(_BITS), st.text(max_size=8), st.text(max_size=8))
def test_odd_slots_never_raise(instruction: str, input: str, a: str, b: str) -> None:
    slots = (a, b, a)
    world.check(world.fill_slots(instruction, slots), world.fill_slots(input, slots), "yes")


def test_two_families_never_claim_one_request() -> None:
    rng = Random(4)
    for family in FAMILIES:
        for _ in range(50):
            q = world.draw(rng, family)
            text = f"{q.instruction} {q.input}".strip()
            claims = {
                f.name
                for pattern, families in world._PATTERNS
                if (m := pattern.fullmatch(text))
                for f in families
                if f.solve(tuple(m.groupdict()[k] for k in sorted(m.groupdict()))) is not None
            }
            assert claims == {family.name}


def test_there_are_tens_of_thousands_of_questions() -> None:
    rng = Random(5)
    drawn = {world.draw(rng, rng.choice([f for f in FAMILIES if f.open])) for _ in range(20_000)}
    assert len({(q.instruction, q.input) for q in drawn}) > 13_000


def test_one_pair_in_ten_is_held_out_and_the_exam_asks_only_those() -> None:
    rows = world.held_out(300, seed=9)
    assert len(rows) == 300
    assert rows == world.held_out(300, seed=9)
    assert all(world.is_held_out(i, x) and world.check(i, x, a[0]) for i, x, a in rows)
    rng = Random(6)
    share = sum(world.is_held_out("", str(rng.random())) for _ in range(5000)) / 5000
    assert 0.08 < share < 0.12


def test_spelling_does_not_move_a_pair_over_the_held_out_line() -> None:
    for i, x, _ in world.held_out(50, seed=1):
        assert world.is_held_out(i.upper(), f" {x} ")
        assert world.is_held_out(f"{i} {x}")
