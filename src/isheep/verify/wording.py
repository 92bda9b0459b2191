"""The instructions behind the checks, in our own words: what a model is told when a check is to be met."""

from __future__ import annotations

import json
from collections.abc import Sequence

from isheep.verify.arguments import LANGUAGES
from isheep.verify.form import ANSWERS, DIVIDER


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(map(_quoted, texts))


def _many(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def existence(keywords: Sequence[str]) -> str:
    return f"Use each of these keywords somewhere in your answer: {_listed(keywords)}."


def frequency(keyword: str, frequency: int, relation: str) -> str:
    return f"Let the word {_quoted(keyword)} appear {relation} {_many(frequency, 'time')} in your answer."


def forbidden_words(forbidden_words: Sequence[str]) -> str:
    return f"Do not use any of these words: {_listed(forbidden_words)}."


def letter_frequency(letter: str, let_frequency: int, let_relation: str) -> str:
    return (
        f"Let the character {_quoted(letter)} appear {let_relation} {_many(let_frequency, 'time')}; "
        "small and capital letters both count."
    )


def response_language(language: str) -> str:
    return f"Write the whole answer in {LANGUAGES[language]} and in no other language."


def number_sentences(num_sentences: int, relation: str) -> str:
    return f"Write {relation} {_many(num_sentences, 'sentence')}."


def number_words(num_words: int, relation: str) -> str:
    return f"Write {relation} {_many(num_words, 'word')}."


def number_paragraphs(num_paragraphs: int) -> str:
    return f"Write exactly {_many(num_paragraphs, 'paragraph')}, with the divider *** between paragraphs."


def nth_paragraph_first_word(num_paragraphs: int, nth_paragraph: int, first_word: str) -> str:
    return (
        f"Write exactly {_many(num_paragraphs, 'paragraph')}, with one empty line between paragraphs and nowhere "
        f"else; let paragraph {nth_paragraph} begin with the word {_quoted(first_word)}."
    )


def capital_word_frequency(capital_frequency: int, capital_relation: str) -> str:
    return f"Write {capital_relation} {_many(capital_frequency, 'word')} entirely in capital letters."


def english_capital() -> str:
    return "Write in English and use capital letters only."


def english_lowercase() -> str:
    return "Write in English and use small letters only, without a single capital letter."


def number_placeholders(num_placeholders: int) -> str:
    return f"Leave at least {_many(num_placeholders, 'placeholder')} in square brackets, such as [place]."


def postscript(postscript_marker: str) -> str:
    return f"Close with a postscript that begins with {_quoted(postscript_marker)}."


def number_bullet_lists(num_bullets: int) -> str:
    return f'Include exactly {_many(num_bullets, "bullet point")}, each on a line of its own that begins with "* ".'


def constrained_response() -> str:
    return f"Give one of these answers, word for word: {_listed(ANSWERS)}."


def number_highlighted_sections(num_highlights: int) -> str:
    return f"Highlight at least {_many(num_highlights, 'passage')} with Markdown stars, *like this*."


def multiple_sections(section_spliter: str, num_sections: int) -> str:
    return (
        f"Divide the answer into at least {_many(num_sections, 'section')}; "
        f"open each with the word {_quoted(section_spliter)} and its number, as in {section_spliter} 1."
    )


def json_format() -> str:
    return "Give the whole answer as one piece of valid JSON; a Markdown code fence around it is allowed."


def title() -> str:
    return "Give the answer a title in double angular brackets, such as <<a fine day>>."


def two_responses() -> str:
    return f"Give two different answers, with six asterisks ({DIVIDER}) between them and nowhere else."


def repeat_prompt(prompt_to_repeat: str) -> str:
    return (
        "Before you answer, repeat the following request word for word, with nothing before it: "
        f"{_quoted(prompt_to_repeat)}"
    )


def end_checker(end_phrase: str) -> str:
    return f"End with exactly these words and add nothing after them: {_quoted(end_phrase)}"


def quotation() -> str:
    return "Put the whole answer between double quotation marks."


def no_comma() -> str:
    return "Do not use any commas."
