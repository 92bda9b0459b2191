"""The 25 instruction types of IFEval under their published ids, and the one way to ask for and to grade them.

Knows which function tests and which words describe a type, and which arguments it takes; the rules themselves are in
`words` and `form`. Nothing here is random and nothing is downloaded.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from isheep.errors import RecipeError
from isheep.verify import form, wording, words
from isheep.verify.arguments import (
    CHARACTER,
    COUNT,
    LANGUAGE,
    RELATION,
    TEXT,
    TEXTS,
    WORD,
    Argument,
    Value,
)


@dataclass(frozen=True, slots=True)
class Check:
    """One instruction type: what it takes, how it is worded, how it is tested."""

    id: str
    #: Name -> type and rule of each argument; all are needed.
    arguments: Mapping[str, Argument]
    #: (response, **arguments) -> followed; the response is never blank.
    test: Callable[..., bool]
    #: (**arguments) -> the instruction in words.
    wording: Callable[..., str]

    @property
    def name(self) -> str:
        """The last part of the id, in words: "number words"."""
        return self.id.rpartition(":")[2].replace("_", " ")

    @property
    def doc(self) -> str:
        """What counts, and each deliberate difference from the reference."""
        return inspect.getdoc(self.test) or ""

    def problems(self, given: Mapping[str, object]) -> list[str]:
        """Everything wrong with a set of arguments, in words."""
        found = []
        for name in given:
            if name not in self.arguments:
                takes = ", ".join(self.arguments) or "none"
                found.append(f"unknown argument `{name}`; it takes {takes}")
        for name, argument in self.arguments.items():
            if name not in given:
                found.append(f"`{name}` is missing ({argument.type})")
            elif said := argument.problem(given[name]):
                found.append(f"`{name}` {said}")
        nth, count = given.get("nth_paragraph"), given.get("num_paragraphs")
        if not found and isinstance(nth, int) and isinstance(count, int) and nth > count:
            found.append(f"`nth_paragraph` is {nth}, but there are only {count} paragraphs")
        return found


def _checks() -> Iterable[Check]:
    for module, group, name, arguments in (
        (words, "keywords", "existence", {"keywords": TEXTS}),
        (words, "keywords", "frequency", {"keyword": TEXT, "frequency": COUNT, "relation": RELATION}),
        (words, "keywords", "forbidden_words", {"forbidden_words": TEXTS}),
        (
            words, "keywords", "letter_frequency",
            {"letter": CHARACTER, "let_frequency": COUNT, "let_relation": RELATION},
        ),
        (words, "language", "response_language", {"language": LANGUAGE}),
        (words, "length_constraints", "number_sentences", {"num_sentences": COUNT, "relation": RELATION}),
        (words, "length_constraints", "number_paragraphs", {"num_paragraphs": COUNT}),
        (words, "length_constraints", "number_words", {"num_words": COUNT, "relation": RELATION}),
        (
            words, "length_constraints", "nth_paragraph_first_word",
            {"num_paragraphs": COUNT, "nth_paragraph": COUNT, "first_word": WORD},
        ),
        (form, "detectable_content", "number_placeholders", {"num_placeholders": COUNT}),
        (form, "detectable_content", "postscript", {"postscript_marker": TEXT}),
        (form, "detectable_format", "number_bullet_lists", {"num_bullets": COUNT}),
        (form, "detectable_format", "constrained_response", {}),
        (form, "detectable_format", "number_highlighted_sections", {"num_highlights": COUNT}),
        (form, "detectable_format", "multiple_sections", {"section_spliter": TEXT, "num_sections": COUNT}),
        (form, "detectable_format", "json_format", {}),
        (form, "detectable_format", "title", {}),
        (form, "combination", "two_responses", {}),
        (form, "combination", "repeat_prompt", {"prompt_to_repeat": TEXT}),
        (form, "startend", "end_checker", {"end_phrase": TEXT}),
        (form, "startend", "quotation", {}),
        (
            words, "change_case", "capital_word_frequency",
            {"capital_frequency": COUNT, "capital_relation": RELATION},
        ),
        (words, "change_case", "english_capital", {}),
        (words, "change_case", "english_lowercase", {}),
        (form, "punctuation", "no_comma", {}),
    ):  # fmt: skip
        yield Check(f"{group}:{name}", arguments, getattr(module, name), getattr(wording, name))


#: Published id -> check.
CHECKS: Mapping[str, Check] = {check.id: check for check in _checks()}

#: Types that need langdetect (extra `eval`).
NEED_LANGUAGE = frozenset(
    {"language:response_language", "change_case:english_capital", "change_case:english_lowercase"}
)


def problems(id: object, given: Mapping[str, object]) -> list[str]:
    """Everything wrong with an id and its arguments, in words; empty when the check can be made."""
    if not isinstance(id, str) or id not in CHECKS:
        near = difflib.get_close_matches(str(id), CHECKS, 1)
        return [f"unknown instruction {id!r}" + (f"; did you mean {near[0]!r}?" if near else "")]
    return [f"{id}: {said}" for said in CHECKS[id].problems(given)]


def refusal(what: str, mistakes: list[str]) -> RecipeError:
    """One error for all mistakes."""
    head = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return RecipeError(
        f"{what} has {head}:\n  " + "\n  ".join(mistakes),
        "docs/verify.md lists the instructions and their arguments",
    )


class Demand(NamedTuple):
    """One instruction asked for: an id and its arguments, known to be possible. Made by `demand`."""

    id: str
    #: (name, value), in the check's own order.
    values: tuple[tuple[str, Value], ...] = ()

    @property
    def check(self) -> Check:
        return CHECKS[self.id]

    @property
    def arguments(self) -> dict[str, Value]:
        return dict(self.values)

    @property
    def text(self) -> str:
        """The instruction in our own words."""
        return self.check.wording(**self.arguments)

    def met(self, response: str) -> bool:
        """Whether a response follows; a blank one follows nothing."""
        return bool(response.strip()) and self.check.test(response, **self.arguments)


def demand(id: str, given: Mapping[str, object]) -> Demand:
    """An id and its arguments as a Demand. Raises RecipeError naming every mistake."""
    if mistakes := problems(id, given):
        raise refusal("the instruction", mistakes)

    def value(given: Any) -> Value:
        return tuple(given) if isinstance(given, list | tuple) else given

    return Demand(id, tuple((name, value(given[name])) for name in CHECKS[id].arguments))


def check(id: str, response: str, /, **arguments: object) -> bool:
    """Whether a response follows one instruction. Raises RecipeError for an unknown id or impossible arguments, and
    MissingExtraError where a language is to be told without langdetect."""
    return demand(id, arguments).met(response)


def describe(id: str, /, **arguments: object) -> str:
    """The instruction in our own words. Raises RecipeError for an unknown id or impossible arguments."""
    return demand(id, arguments).text
