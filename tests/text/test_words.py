"""Words: rouge_score's for Latin text, something instead of nothing for the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.tokenize import tokenize

from isheep.text.words import tokens, word_count

# Everything up to U+036F: Latin with all its accents, IPA, and combining accents.
LATIN = st.text(st.characters(max_codepoint=0x36F))


@given(LATIN)
def test_latin_text_is_cut_as_rouge_score_cuts_it(text: str) -> None:
    assert tokens(text) == tokenize(text, None)


@given(st.text())
def test_any_text_holds_at_least_the_tokens_of_rouge_score(text: str) -> None:
    """Only letters rouge_score throws away are added; its own tokens stay, in order."""
    assert [token for token in tokens(text) if token.isascii()] == tokenize(text, None)


@given(st.text(st.characters()))
def test_never_raises_and_never_gives_an_empty_token(text: str) -> None:
    assert all(tokens(text))
    assert word_count(text) >= 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What's 2+2?", ["what", "s", "2", "2"]),
        ("naïve café — x² ½ ™", ["na", "ve", "caf", "x"]),
        ("写一首诗。", ["写", "一", "首", "诗"]),
        ("用GPT写诗", ["用", "gpt", "写", "诗"]),
        ("ひらがなとカナ", list("ひらがなとカナ")),
        ("Напиши стихотворение!", ["напиши", "стихотворение"]),
        ("한국어로 써 줘", ["한국어로", "써", "줘"]),
        ("हिन्दी में लिखो", ["हिन्दी", "में", "लिखो"]),
        ("اكتب قصة ٣", ["اكتب", "قصة", "٣"]),
        ("?! ... 。", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("What is 2 + 2 ?", 6),
        ("Name one animal.", 3),
        ("写一首诗", 4),
        ("用GPT写", 3),
        ("Напиши стих", 2),
    ],
)
def test_word_count(text: str, count: int) -> None:
    assert word_count(text) == count


def test_thai_is_counted_by_characters() -> None:
    assert word_count("เขียนบทกวี") >= 4
