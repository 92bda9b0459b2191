"""Probes: distinct, balanced, repeatable, and every planted response graded for what it is."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from isheep.errors import RecipeError
from isheep.verify import CHECKS, exam_words, follows, grade
from isheep.verify.exam import Probe, build, compatible, planted


@pytest.fixture(scope="module")
def probes() -> tuple[Probe, ...]:
    return build(400, 1)


def test_distinct_and_balanced(probes: tuple[Probe, ...]) -> None:
    assert len({probe.id for probe in probes}) == len({probe.instruction for probe in probes}) == 400
    used = Counter(wanted.id for probe in probes for wanted in probe.checks)
    assert set(used) == set(CHECKS)
    assert max(used.values()) - min(used.values()) <= 3
    assert {len(probe.checks) for probe in probes} == {1, 2}
    assert len({probe.instruction.split("\n")[0] for probe in probes}) > 150


def test_the_same_for_the_same_seed_and_more_only_adds(probes: tuple[Probe, ...]) -> None:
    assert build(100, 1) == probes[:100]
    assert build(100, 2) != probes[:100]
    assert build(0, 1) == ()


def test_the_instruction_says_what_is_checked(probes: tuple[Probe, ...]) -> None:
    for probe in probes:
        for wanted in probe.checks:
            assert wanted.text in probe.instruction


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_planted_is_what_it_says(seed: int) -> None:
    for probe in build(250, seed):
        right, wrong = planted(probe, seed)
        assert follows(right, probe.checks), (probe, right)
        assert not follows(wrong, probe.checks), (probe, wrong)
        assert not follows(wrong, probe.checks, loose=True) or "\n" in wrong or "*" in wrong
        assert planted(probe, seed) == (right, wrong)


def test_only_one_instruction_is_broken_nearly_always(probes: tuple[Probe, ...]) -> None:
    pairs = [probe for probe in probes if len(probe.checks) == 2]
    broken = Counter(sum(not g.strict for g in grade(p.checks, planted(p, 0)[1])) for p in pairs)
    assert broken[1] == sum(broken.values()), broken


def test_whether_two_go_together_is_the_same_both_ways() -> None:
    for one in CHECKS:
        assert not compatible(one, one)
        for two in CHECKS:
            assert compatible(one, two) == compatible(two, one)


def test_filler_gives_nothing_away() -> None:
    text = " ".join([*exam_words.FILLER, *exam_words.ENDINGS])
    words = set(re.findall(r"\w+", text.lower()))
    assert "," not in text
    assert not words & {*exam_words.AVOIDED, *exam_words.OPENINGS}
    assert not any(keyword in text.lower() for keyword in exam_words.KEYWORDS)
    assert not any(letter in text.lower() for letter in exam_words.LETTERS)
    assert not [word for word in text.split() if word.isupper()]


def test_there_is_an_end_to_it() -> None:
    with pytest.raises(RecipeError, match="no more than"):
        build(20_000, 0)
