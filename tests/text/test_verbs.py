"""Verbs and nouns are guessed soundly enough, and their spread does not depend on size or order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.text.verbs import verb_and_noun, verb_noun_spread


@pytest.mark.parametrize(
    ("instruction", "verb", "noun"),
    [
        ("Write a very short story about a lighthouse keeper.", "write", "story"),
        ("Summarize the report in one sentence.", "summarize", "report"),
        ("List ten low-cost ways in which a shop could reduce waste.", "list", "ways"),
        ("Please, could you write a poem?", "write", "poem"),
        ("I would like you to plan a weekly menu.", "plan", "menu"),
        ("Your task is to translate the following sentence.", "translate", "sentence"),
        ("Help me to find my keys.", "find", "keys"),
        ("Given a set of numbers, find all possible subsets that sum to ten.", "find", "subsets"),
        ("Based on the text, please answer the question.", "answer", "question"),
        ("What is the capital of France?", "what", "capital"),
        ("Why does ice float?", "why", "float"),
        ("Name the kind.", "name", "kind"),
        ("Add 5 and 7.", "add", ""),
        ('Write "tall tree" in French.', "write", "tree"),
        ("WRITE A POEM", "write", "poem"),
        ("Define entropy", "define", "entropy"),
        ("Écrivez des poèmes sur l'hiver", "écrivez", "des"),
        ("请写一首关于春天的诗歌", "请写", "一首"),
        ("", "", ""),
        ("?!", "", ""),
        ("Stop", "stop", ""),
    ],
)
def test_verb_and_noun(instruction: str, verb: str, noun: str) -> None:
    assert verb_and_noun(instruction) == (verb, noun)


@given(st.text())
def test_any_text_gives_two_strings(text: str) -> None:
    verb, noun = verb_and_noun(text)
    assert verb or not noun


def test_spread_of_known_sets() -> None:
    assert verb_noun_spread(["Write a poem.", "Write a poem about spring.", "Write the poem"]) == 1
    assert verb_noun_spread(
        ["Write a poem.", "Write a story.", "Name the king.", "Add it."]
    ) == pytest.approx(4)
    assert verb_noun_spread([]) is None
    assert verb_noun_spread(["Write a poem."], 0) is None


INSTRUCTIONS = st.lists(
    st.tuples(st.sampled_from(["Write", "Name", "Sort"]), st.sampled_from(["poem", "king", "list"])).map(
        lambda words: f"{words[0]} the {words[1]}."
    ),
    min_size=1,
    max_size=15,
)


@given(INSTRUCTIONS, st.data())
def test_spread_ranges_and_does_not_depend_on_order(instructions: list[str], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(instructions)))
    spread = verb_noun_spread(instructions, size)
    assert spread is not None
    assert 1 <= spread <= min(size, len(set(instructions))) + 1e-9
    assert verb_noun_spread(data.draw(st.permutations(instructions)), size) == pytest.approx(spread)


def test_the_size_of_a_set_does_not_decide_its_spread() -> None:
    rng = random.Random(0)
    made = [
        f"Do{'abcdefghij'[int(10 * rng.random() ** 2)]} the thing{'abcdefghij'[int(10 * rng.random() ** 2)]}."
        for _ in range(6000)
    ]
    small, large = made[:200], made[200:]
    spread = verb_noun_spread(small)
    assert verb_noun_spread(large) != pytest.approx(spread, rel=0.1)
    assert verb_noun_spread(large, len(small)) == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize("size", [-1, 3])
def test_impossible_samples_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="cannot be drawn from 2"):
        verb_noun_spread(["Write a poem.", "Name it."], size)
