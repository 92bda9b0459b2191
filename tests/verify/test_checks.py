"""The checks: what follows and what does not, what is refused, and what must hold whatever the text."""

from __future__ import annotations

import builtins
import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.errors import MissingExtraError, RecipeError
from isheep.verify import CHECKS, check, demand, describe, follows, language

#: id, response, arguments, followed.
CASES: list[tuple[str, str, dict[str, Any], bool]] = [
    ("keywords:existence", "A Concatenated list", {"keywords": ["cat", "LIST"]}, True),
    ("keywords:existence", "a list", {"keywords": ["cat", "list"]}, False),
    ("keywords:existence", "in C++ we say", {"keywords": ["c++"]}, True),
    ("keywords:frequency", "cat Cat concat", {"keyword": " cat ", "frequency": 3, "relation": "at least"}, True),
    ("keywords:frequency", "cat cat", {"keyword": "cat", "frequency": 2, "relation": "less than"}, False),
    ("keywords:frequency", "a-b axb", {"keyword": "a.b", "frequency": 1, "relation": "less than"}, True),
    ("keywords:forbidden_words", "concatenate", {"forbidden_words": ["cat"]}, True),
    ("keywords:forbidden_words", "My CAT.", {"forbidden_words": ["dog", "cat"]}, False),
    ("keywords:forbidden_words", "I like c++ a lot", {"forbidden_words": ["c++"]}, False),
    ("keywords:letter_frequency", "Aa b", {"letter": "A", "let_frequency": 2, "let_relation": "at least"}, True),
    ("keywords:letter_frequency", "##", {"letter": "#", "let_frequency": 2, "let_relation": "less than"}, False),
    ("language:response_language", "Das Wasser im Fluss ist sehr kalt.", {"language": "de"}, True),
    ("language:response_language", "Das Wasser im Fluss ist sehr kalt.", {"language": "en"}, False),
    ("language:response_language", "12 ... 345", {"language": "en"}, False),
    ("language:response_language", "这是一条很长的河流。", {"language": "zh"}, True),
    ("length_constraints:number_sentences", "One. Two! Three?", {"num_sentences": 3, "relation": "at least"}, True),
    ("length_constraints:number_sentences", "One. Two!", {"num_sentences": 2, "relation": "less than"}, False),
    ("length_constraints:number_words", "don't stop", {"num_words": 3, "relation": "at least"}, True),
    ("length_constraints:number_words", "no stop", {"num_words": 3, "relation": "at least"}, False),
    ("length_constraints:number_words", "छोटा वाक्य", {"num_words": 3, "relation": "less than"}, True),
    ("length_constraints:number_paragraphs", "a\n***\nb", {"num_paragraphs": 2}, True),
    ("length_constraints:number_paragraphs", "***\na\n***\nb***", {"num_paragraphs": 2}, True),
    ("length_constraints:number_paragraphs", "a ****** b", {"num_paragraphs": 2}, False),
    ("length_constraints:number_paragraphs", "a\n\nb", {"num_paragraphs": 2}, False),
    ("length_constraints:number_paragraphs", "just one", {"num_paragraphs": 1}, True),
    ("length_constraints:nth_paragraph_first_word", "x\n\n\"Once, yes",
     {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "ONCE"}, True),
    ("length_constraints:nth_paragraph_first_word", "x\n\nOnce",
     {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "once"}, False),
    ("length_constraints:nth_paragraph_first_word", "x\n\nOnce\n\ny",
     {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "once"}, False),
    ("length_constraints:nth_paragraph_first_word", "x\n\n\n\nOnce",
     {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "once"}, False),
    ("detectable_content:number_placeholders", "[a] and [b c]", {"num_placeholders": 2}, True),
    ("detectable_content:number_placeholders", "[a\n]", {"num_placeholders": 1}, False),
    ("detectable_content:postscript", "Bye.\np. s. and more", {"postscript_marker": "P.S."}, True),
    ("detectable_content:postscript", "Bye. P.S. and more", {"postscript_marker": "P.P.S"}, False),
    ("detectable_content:postscript", "NB: x", {"postscript_marker": "N.B."}, False),
    ("detectable_format:number_bullet_lists", "* a\n- b\n** c\n+ d", {"num_bullets": 2}, True),
    ("detectable_format:number_bullet_lists", "* a\n* b", {"num_bullets": 1}, False),
    ("detectable_format:constrained_response", "Well. My answer is no.", {}, True),
    ("detectable_format:constrained_response", "my answer is no.", {}, False),
    ("detectable_format:number_highlighted_sections", "*a* and **b**", {"num_highlights": 2}, True),
    ("detectable_format:number_highlighted_sections", "* * and *a\nb*", {"num_highlights": 1}, False),
    ("detectable_format:multiple_sections", "Part 1\nx\nPart2", {"section_spliter": "Part", "num_sections": 2}, True),
    ("detectable_format:multiple_sections", "PART 1", {"section_spliter": "Part", "num_sections": 1}, False),
    ("detectable_format:multiple_sections", "(A) 1", {"section_spliter": "(A)", "num_sections": 1}, True),
    ("detectable_format:json_format", '```json\n{"a": [1]}\n```', {}, True),
    ("detectable_format:json_format", 'Here: {"a": 1}', {}, False),
    ("detectable_format:json_format", "[" * 100_000, {}, False),
    ("detectable_format:title", "x <<A title>> y", {}, True),
    ("detectable_format:title", "<< >> <<\nx>>", {}, False),
    ("combination:two_responses", "a\n******\nb", {}, True),
    ("combination:two_responses", "a ****** a", {}, False),
    ("combination:two_responses", "a ****** ****** b", {}, False),
    ("combination:two_responses", "one only", {}, False),
    ("combination:repeat_prompt", "  say it. Well", {"prompt_to_repeat": "Say it."}, True),
    ("combination:repeat_prompt", "OK: Say it.", {"prompt_to_repeat": "Say it."}, False),
    ("startend:end_checker", '"so it goes. THE END."', {"end_phrase": " The end."}, True),
    ("startend:end_checker", "The end. Bye", {"end_phrase": "The end."}, False),
    ("startend:quotation", ' "a" ', {}, True),
    ("startend:quotation", '"', {}, False),
    ("startend:quotation", '"a" he said', {}, False),
    ("change_case:capital_word_frequency", "I CAN'T SEE-SAW CO2, ok.",
     {"capital_frequency": 4, "capital_relation": "at least"}, True),
    ("change_case:capital_word_frequency", "I CAN'T SEE-SAW CO2, ok.",
     {"capital_frequency": 4, "capital_relation": "less than"}, False),
    ("change_case:english_capital", "THE WATER IN THE RIVER IS COLD.", {}, True),
    # the inner letters of words in capitals count too: langdetect alone finds these two sentences Vietnamese
    ("change_case:english_capital", "THE CHILDREN RAN HOME BEFORE THE RAIN COULD REACH THEM. NOBODY KNEW WHO HAD LEFT "
     "THE DOOR OPEN THAT NIGHT.", {}, True),
    ("change_case:english_capital", "THE WATER IN the RIVER IS COLD.", {}, False),
    ("change_case:english_capital", "DAS WASSER IST SEHR KALT UND TIEF.", {}, False),
    ("change_case:english_lowercase", "the water in the river is cold.", {}, True),
    ("change_case:english_lowercase", "The water in the river is cold.", {}, False),
    ("punctuation:no_comma", "a; b", {}, True),
    ("punctuation:no_comma", "a, b", {}, False),
]  # fmt: skip


@pytest.mark.parametrize(("id", "response", "arguments", "followed"), CASES)
def test_cases(id: str, response: str, arguments: dict[str, Any], followed: bool) -> None:
    assert check(id, response, **arguments) is followed


def one_of_each() -> dict[str, dict[str, Any]]:
    return {id: arguments for id, _, arguments, _ in CASES}


def test_every_type_has_a_case_each_way() -> None:
    for id in CHECKS:
        assert {followed for i, _, _, followed in CASES if i == id} == {True, False}
    assert len(CHECKS) == 25


@pytest.mark.parametrize("id", CHECKS)
@pytest.mark.parametrize("blank", ["", "   ", "\n\n"])
def test_a_blank_response_follows_nothing(id: str, blank: str) -> None:
    assert not check(id, blank, **one_of_each()[id])


@pytest.mark.parametrize("id", CHECKS)
def test_described_in_words_with_its_arguments(id: str) -> None:
    arguments = one_of_each()[id]
    said = describe(id, **arguments)
    for name, value in arguments.items():
        for part in value if isinstance(value, list) else [value]:
            if name != "language":
                assert str(part) in said
    assert said[0].isupper()
    assert CHECKS[id].name == id.partition(":")[2].replace("_", " ")
    assert CHECKS[id].doc


def test_a_language_is_named() -> None:
    assert "German" in describe("language:response_language", language="de")


# what is refused


@pytest.mark.parametrize(
    ("id", "arguments", "said"),
    [
        ("keywords:existance", {}, "did you mean 'keywords:existence'"),
        ("keywords:existence", {}, "`keywords` is missing"),
        ("keywords:existence", {"keywords": []}, "at least one text"),
        ("keywords:existence", {"keywords": ["a", " "]}, "must not be empty"),
        ("keywords:existence", {"keywords": "cat"}, "must be a list"),
        ("punctuation:no_comma", {"num_words": 3}, "unknown argument `num_words`"),
        ("length_constraints:number_words", {"num_words": 0, "relation": "at least"}, "1 or more, not 0"),
        ("length_constraints:number_words", {"num_words": -2, "relation": "at least"}, "1 or more, not -2"),
        ("length_constraints:number_words", {"num_words": True, "relation": "at least"}, "whole number"),
        ("length_constraints:number_words", {"num_words": 3.0, "relation": "at least"}, "whole number"),
        (
            "length_constraints:number_words",
            {"num_words": 3, "relation": "more than"},
            '"less than" or "at least"',
        ),
        (
            "keywords:letter_frequency",
            {"letter": "ab", "let_frequency": 1, "let_relation": "at least"},
            "one char",
        ),
        ("language:response_language", {"language": "xx"}, "language code"),
        ("language:response_language", {"language": ["de"]}, "language code"),
        ("combination:repeat_prompt", {"prompt_to_repeat": " "}, "must not be empty"),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "a"},
            "only 2 paragraphs",
        ),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "it's"},
            "one word",
        ),
    ],
)
def test_refused(id: str, arguments: dict[str, Any], said: str) -> None:
    for act in (
        lambda: check(id, "x", **arguments),
        lambda: describe(id, **arguments),
        lambda: demand(id, arguments),
    ):
        with pytest.raises(RecipeError, match="mistake") as error:
            act()
        assert said in str(error.value)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(RecipeError) as error:
        check("length_constraints:number_words", "x", num_words=0, relation="about", colour="red")
    for said in ("3 mistakes", "`num_words`", "`relation`", "`colour`"):
        assert said in error.value.message
    with pytest.raises(RecipeError) as error:
        follows("x", [("punctuation:no_coma", {}), ("startend:end_checker", {"end_phrase": ""})])
    for said in ("2 mistakes", "no_comma", "`end_phrase`"):
        assert said in error.value.message


# languages


def test_a_language_does_not_hang_on_what_was_asked_before_or_on_the_global_seed() -> None:
    import langdetect

    text = "la casa de la mar e il sole"  # near a border between languages
    first = language.detect(text)
    for seed in range(20):
        langdetect.DetectorFactory.seed = seed
        langdetect.detect("der Hund bellt")
        language.detect("une phrase courte")
        random.seed(seed)
        assert language.detect(text) == first
    langdetect.DetectorFactory.seed = None


def test_without_langdetect_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.startswith("langdetect"):
            raise ModuleNotFoundError("No module named 'langdetect'", name="langdetect")
        return real(name, *rest)

    language._factory.cache_clear()
    monkeypatch.setattr(builtins, "__import__", absent)
    try:
        with pytest.raises(MissingExtraError, match=r"isheep\[eval\]"):
            check("language:response_language", "text", language="de")
        assert check("punctuation:no_comma", "text")
    finally:
        language._factory.cache_clear()


def test_the_package_is_light() -> None:
    code = (
        "import sys, isheep.verify, isheep.verify.ifeval, isheep.verify.exam;"
        "assert not {'langdetect', 'lm_eval', 'nltk', 'numpy', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# what must hold whatever the text

TEXTS = st.text(alphabet="aZ ,.*\n[]\"'-#<>!?é1\t", max_size=60) | st.text(max_size=40)
COUNTED = {
    "length_constraints:number_sentences": "num_sentences",
    "length_constraints:number_words": "num_words",
}


@given(TEXTS, st.sampled_from(sorted(CHECKS)))
@settings(deadline=None)
def test_no_text_breaks_a_check(text: str, id: str) -> None:
    wanted = demand(id, one_of_each()[id])
    assert wanted.met(text) == wanted.met(text)


@given(TEXTS.filter(str.strip), st.integers(1, 30), st.sampled_from(sorted(COUNTED)))
def test_less_than_is_the_opposite_of_at_least_and_both_are_monotone(text: str, n: int, id: str) -> None:
    def met(count: int, relation: str) -> bool:
        return check(id, text, **{COUNTED[id]: count, "relation": relation})

    assert met(n, "less than") != met(n, "at least")
    assert met(n, "at least") >= met(n + 1, "at least")
    assert met(n, "less than") <= met(n + 1, "less than")


@given(TEXTS, TEXTS)
def test_a_comma_breaks_no_comma(one: str, two: str) -> None:
    assert not check("punctuation:no_comma", f"{one},{two}")


@given(TEXTS.filter(str.strip), st.integers(1, 5))
def test_more_placeholders_never_hurt(text: str, n: int) -> None:
    was = check("detectable_content:number_placeholders", text, num_placeholders=n)
    assert check("detectable_content:number_placeholders", f"{text}\n[x]", num_placeholders=n) >= was
    assert check("detectable_content:number_placeholders", text + "\n[x]" * n, num_placeholders=n)


@given(TEXTS)
def test_quoted_texts_end_as_they_end(text: str) -> None:
    assert check("startend:quotation", f'"{text}"')
    assert check("startend:end_checker", f'"{text} the end"', end_phrase="THE END")


@given(st.lists(st.sampled_from(["river", "cat", "a.b", "c++"]), min_size=1, max_size=4), TEXTS)
def test_what_is_present_is_not_absent(words: list[str], text: str) -> None:
    response = f"{text} {' '.join(words)} {text}"
    assert check("keywords:existence", response, keywords=words)
    assert not check("keywords:forbidden_words", response, forbidden_words=words)
