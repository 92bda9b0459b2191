"""The checks on words, letters, case, language and length. Each docstring says what counts, and where it differs from
the reference: the checkers that lm-evaluation-harness 0.4.13 carries on from the paper's authors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import category

from isheep.verify.arguments import WORD_ENDS, holds
from isheep.verify.language import is_in
from isheep.verify.sentences import sentences

#: Between words as NLTK's tokenizer parts them, as far as it can part letters: white space, brackets, quotes, dashes of
#: typography, and a comma or colon that no digit follows.
_PARTS = re.compile(
    r"[\s«»“”‘’„`;@#$%&?!*()\[\]{}<>\"\u2012-\u2015]+|\.{2,}|--|''|[:,](?!\d)",
)

#: Zero-width joiner and non-joiner: they shape words of Persian and Hindi, and part none.
_JOINERS = "\u200c\u200d"


def _occurrences(text: str, word: str) -> int:
    return len(re.findall(re.escape(word), text, flags=re.IGNORECASE))


def existence(text: str, keywords: Sequence[str]) -> bool:
    """Every keyword stands somewhere in the response, also inside a longer word, in any case.

    Differs: the reference reads a keyword as a regular expression ("c++" is an error to it); here it is itself.
    """
    return all(_occurrences(text, word) for word in keywords)


def frequency(text: str, keyword: str, frequency: int, relation: str) -> bool:
    """The keyword occurs less than, or at least, so often; also inside longer words, in any case, not overlapping.

    Differs: the reference reads the keyword as a regular expression; here it is itself.
    """
    return holds(relation, _occurrences(text, keyword.strip()), frequency)


def forbidden_words(text: str, forbidden_words: Sequence[str]) -> bool:
    """None of the words occurs as a word of its own, in any case.

    Differs: the reference reads a word as a regular expression, and finds none that begins or ends in punctuation
    beside a space; here it is itself.
    """
    return not any(
        re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags=re.IGNORECASE) for word in forbidden_words
    )


def letter_frequency(text: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    """The character occurs less than, or at least, so often, in either case.

    Differs: the reference replaces a character outside a-z by a random letter (two published prompts ask for "#" and
    "!"); here it is counted.
    """
    return holds(let_relation, text.lower().count(letter.lower()), let_frequency)


def response_language(text: str, language: str) -> bool:
    """langdetect, with a fixed seed, finds the language most probable for the whole response.

    Differs: the reference is not seeded unless the caller does it; and a text with nothing to tell a language by
    (digits, dots) follows for the reference, and does not here. The code "zh" is known here, not to the reference.
    """
    return is_in(text, language)


def number_sentences(text: str, num_sentences: int, relation: str) -> bool:
    """Less than, or at least, so many sentences, as `isheep.verify.sentences` splits them.

    Differs: the reference needs NLTK's trained punkt data. Ours is a short list of rules: the number of a list
    item is no sentence, and the full stops of Hindi, Urdu, Chinese and Japanese end sentences too.
    """
    return holds(relation, len(sentences(text)), num_sentences)


def number_words(text: str, num_words: int, relation: str) -> bool:
    """Less than, or at least, so many words: runs of letters, digits, underscores and the marks that combine with
    them ("don't" is two; vowel signs part no word of Hindi)."""
    plain = "".join(char for char in text if char not in _JOINERS and not category(char).startswith("M"))
    return holds(relation, len(re.findall(r"\w+", plain)), num_words)


def number_paragraphs(text: str, num_paragraphs: int) -> bool:
    """Exactly so many paragraphs with the divider *** between them; it may also stand first or last, but two
    dividers with nothing between them fail."""
    first, *rest = (part.strip() for part in text.split("***"))
    if not rest:
        return num_paragraphs == 1
    *inner, last = rest
    return all(inner) and bool(first) + len(inner) + bool(last) == num_paragraphs


def nth_paragraph_first_word(text: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    """Exactly so many paragraphs parted by one empty line, and the nth begins with the word, in any case.

    As in the reference, empty paragraphs (three line breaks and more) are not counted, but do take a place: the nth
    must then stand at its place all the same. Quotes before the word and what follows a . , ? ! or quote in it do not
    count. Differs: an nth beyond the number is an error here; the reference draws another at random.
    """
    paragraphs = [part.strip() for part in text.split("\n\n")]
    wanted = paragraphs[nth_paragraph - 1] if nth_paragraph <= len(paragraphs) else ""
    if len([part for part in paragraphs if part]) != num_paragraphs or not wanted:
        return False
    begin = wanted.split()[0].lstrip("'").lstrip('"')
    word = re.split(f"[{re.escape(WORD_ENDS)}]", begin, maxsplit=1)[0]
    return word.lower() == first_word.lower()


def capital_word_frequency(text: str, capital_frequency: int, capital_relation: str) -> bool:
    """Less than, or at least, so many words all in capitals ("I", "A" and "CO2" are such words).

    Differs: words are parted by rules here, by NLTK's tokenizer (which needs punkt data) in the reference. That one
    cuts contractions in two ("CAN'T", "I'M", "CANNOT", "GONNA"); here each is one word.
    """
    return holds(capital_relation, sum(map(str.isupper, _PARTS.split(text))), capital_frequency)


def english_capital(text: str) -> bool:
    """English (as langdetect sees it in small letters) without a small letter.

    Differs: langdetect skips the inner letters of words in capitals, so to the reference a plain English sentence or
    two may seem another language; here it is shown small letters. And a text whose language cannot be told fails; for
    the reference it follows.
    """
    return text.isupper() and is_in(text.lower(), "en")


def english_lowercase(text: str) -> bool:
    """English (as langdetect sees it) without a capital letter.

    Differs: a text whose language cannot be told fails; for the reference it follows.
    """
    return text.islower() and is_in(text, "en")
