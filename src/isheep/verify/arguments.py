"""The arguments of the checks: what each may be, and what is wrong with a given one.

Knows types, limits and languages; knows no check. A count is at least 1: "at least 0" asks for nothing, "less than 0"
cannot be, and the harness's reference replaces a 0 by a random number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: How a count is held against its threshold: IFEval knows these two.
LESS_THAN, AT_LEAST = RELATIONS = ("less than", "at least")

#: Codes langdetect 1.0.9 can answer, with English names. "zh" stands for both ways of writing Chinese.
LANGUAGES: Mapping[str, str] = {
    "af": "Afrikaans", "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French", "gu": "Gujarati", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese",
    "kn": "Kannada", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian", "ml": "Malayalam",
    "mr": "Marathi", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "so": "Somali",
    "sq": "Albanian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai",
    "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
    "zh-cn": "simplified Chinese", "zh-tw": "traditional Chinese",
}  # fmt: skip

#: What an argument's value may be, once checked.
Value = int | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its type in words, and a rule that says what a value is not ("" when all is well)."""

    type: str
    problem: Callable[[object], str]


def _count(value: object) -> str:
    # bool is an int to Python, not to a reader
    if isinstance(value, bool) or not isinstance(value, int):
        return f"must be a whole number, not {value!r}"
    return "" if value >= 1 else f"must be 1 or more, not {value}"


def _relation(value: object) -> str:
    return "" if value in RELATIONS else f'must be "less than" or "at least", not {value!r}'


def _text(value: object) -> str:
    if not isinstance(value, str):
        return f"must be a text, not {value!r}"
    return "" if value.strip() else "must not be empty"


def _texts(value: object) -> str:
    if not isinstance(value, list | tuple) or not value:
        return f"must be a list of at least one text, not {value!r}"
    return next((f"holds an entry that {said}" for entry in value if (said := _text(entry))), "")


def _character(value: object) -> str:
    if isinstance(value, str) and len(value) == 1 and not value.isspace():
        return ""
    return f"must be one character, not {value!r}"


#: What ends the first word of a paragraph, as IFEval reads it.
WORD_ENDS = ".,?!'\""


def _word(value: object) -> str:
    said = _text(value)
    if said or not isinstance(value, str):
        return said
    wrong = value.strip() != value or len(value.split()) > 1 or any(mark in value for mark in WORD_ENDS)
    return f"must be one word without spaces or punctuation, not {value!r}" if wrong else ""


def _language(value: object) -> str:
    if isinstance(value, str) and value in LANGUAGES:
        return ""
    return f"must be a language code such as {', '.join([*LANGUAGES][:6])}, not {value!r}"


COUNT = Argument("whole number, 1 or more", _count)
RELATION = Argument('"less than" or "at least"', _relation)
TEXT = Argument("text", _text)
TEXTS = Argument("list of texts", _texts)
CHARACTER = Argument("one character", _character)
WORD = Argument("one word", _word)
LANGUAGE = Argument("language code", _language)


def holds(relation: object, number: int, threshold: int) -> bool:
    """Whether `number` is less than, or at least, the threshold."""
    return number < threshold if relation == LESS_THAN else number >= threshold
