"""The rules as the released code has them, over-killing and all, under names of their own: "released_length", ...

Written from a description of what they drop, to measure what that costs. They look for words without their borders and
for marks without their place: "e.g.", "U.S.A.", "(a)", HTML, "nonetheless" and "mapping" are all dropped. Never a
default. Knows: strings.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from typing import Literal

from isheep.text.answer_rules import RESPONSE_RULES
from isheep.text.rule import InstructionSubject, ResponseSubject, Rule, registry, rule
from isheep.text.task_rules import INSTRUCTION_RULES

# ---------------------------------------------------------------- on instructions


@rule("released_length", "as released: fewer than 4 or more than 150 pieces between spaces")
def _length(s: InstructionSubject) -> bool:
    """No other script than ours is read: a Chinese sentence is one piece. The limits are the recipe's."""
    return not s.min_words <= len(s.instruction.split()) <= s.max_words


_BLACKLIST = re.compile(
    "image|graph|picture|file|map|draw|plot|go to|video|audio|music|flowchart|diagram", re.IGNORECASE
)


@rule(
    "released_blacklist",
    "as released: holds the letters of a word for what is not text, even inside another word",
)
def _blacklist(s: InstructionSubject) -> bool:
    """Drops "paragraph", "profile", "mapping", "conclusions to draw"."""
    return bool(_BLACKLIST.search(s.instruction))


@rule("released_leading_symbol", "as released: begins with punctuation or with anything that is not ASCII")
def _leading_symbol(s: InstructionSubject) -> bool:
    """Drops a task that opens with a quotation mark, a price, or an accented letter."""
    first = s.instruction[:1]
    return bool(first) and (first in string.punctuation or not first.isascii())


#: A single letter, or a number that begins a line, with a period or bracket behind it: taken for the mark of a list.
_MARK = re.compile(r"(?<![A-Za-z])[A-Za-z][.)]|^[ \t]*[0-9]+[.)]", re.MULTILINE)


@rule("released_list_marker", "as released: a letter with a period or bracket, wherever it stands")
def _list_marker(s: InstructionSubject) -> bool:
    """Drops "e.g.", "U.S.A." and "(a)"."""
    return bool(_MARK.search(s.instruction) or _MARK.search(s.input))


@rule("released_link", "as released: holds http or www")
def _link(s: InstructionSubject) -> bool:
    """Drops a question about HTTP."""
    return bool(re.search("http|www", f"{s.instruction}\n{s.input}", re.IGNORECASE))


#: "none" and "no input" with or without borders, and anything in angle brackets, taken for "<noinput>".
_NO_INPUT = re.compile(r"no ?input|none|<[^<>]*>", re.IGNORECASE)


@rule("released_noinput", "as released: holds noinput, none or angle brackets")
def _noinput(s: InstructionSubject) -> bool:
    """Drops "nonetheless" and every line of HTML."""
    return bool(_NO_INPUT.search(s.instruction) or _NO_INPUT.search(s.input))


# ---------------------------------------------------------------- on answers


@rule("released_empty", "as released: no answer")
def _empty(s: ResponseSubject) -> bool:
    return not s.response


_SPEAKER = re.compile(r"^\s*(?:assistant|system|human|question|output|user)", re.IGNORECASE | re.MULTILINE)


@rule("released_second_speaker", "as released: a line begins with the letters of a speaker's name")
def _second_speaker(s: ResponseSubject) -> bool:
    """Drops "Users like it", "Systematic work pays" and every dialogue that was asked for."""
    return bool(_SPEAKER.search(s.response))


@rule("released_answer_choices", "as released: a letter with a period or bracket, wherever it stands")
def _answer_choices(s: ResponseSubject) -> bool:
    """Drops "e.g.", "U.S.A." and "(a)"."""
    return bool(_MARK.search(s.response)) or "choices:" in s.response.lower()


@rule("released_asks_back", "as released: a question to the user, or a question at the end")
def _asks_back(s: ResponseSubject) -> bool:
    """Drops an answer that is a question because one was asked for."""
    return s.response.endswith("?") or bool(re.search(r"\byou\b[^.!?\n]*\?", s.response, re.IGNORECASE))


@rule("released_cjk", "as released: any Chinese, Japanese or Korean character")
def _cjk(s: ResponseSubject) -> bool:
    """Drops a translation into Chinese."""
    return bool(re.search("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]", s.response))


@rule("released_input_repeated", "as released: the letters of the input stand in the instruction")
def _input_repeated(s: ResponseSubject) -> bool:
    """Drops the input "cat" under an instruction with "category"."""
    return bool(s.input) and s.input in s.instruction


@rule("released_noinput", "as released: holds noinput, none or angle brackets")
def _leaked_noinput(s: ResponseSubject) -> bool:
    """Drops "nonetheless" and every line of HTML."""
    return bool(_NO_INPUT.search(s.response))


# ---------------------------------------------------------------- all rules, and their sets

_ON_INSTRUCTIONS = registry(_length, _blacklist, _leading_symbol, _list_marker, _link, _noinput)
_ON_RESPONSES = registry(
    _empty, _second_speaker, _answer_choices, _asks_back, _cjk, _input_repeated, _leaked_noinput
)

#: Every rule a recipe may name, in order of trial.
ALL_INSTRUCTION_RULES: Mapping[str, Rule[InstructionSubject]] = {**INSTRUCTION_RULES, **_ON_INSTRUCTIONS}
ALL_RESPONSE_RULES: Mapping[str, Rule[ResponseSubject]] = {**RESPONSE_RULES, **_ON_RESPONSES}

DEFAULT_INSTRUCTION_RULES = tuple(INSTRUCTION_RULES)
DEFAULT_RESPONSE_RULES = tuple(RESPONSE_RULES)
RELEASED_INSTRUCTION_RULES = tuple(_ON_INSTRUCTIONS)
RELEASED_RESPONSE_RULES = tuple(_ON_RESPONSES)

#: What a list of rules is about -> the names that stand for several rules at once.
RULE_SETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "instruction": {"ours": DEFAULT_INSTRUCTION_RULES, "released": RELEASED_INSTRUCTION_RULES},
    "response": {"ours": DEFAULT_RESPONSE_RULES, "released": RELEASED_RESPONSE_RULES},
}


def named_rules(names: Iterable[str], about: Literal["instruction", "response"]) -> tuple[str, ...]:
    """A recipe's list of rules with "ours" and "released" written out; every other name stays as it is.

    A rule that is also named by itself stands where it is named. Unknown and repeated names are left to the caller.
    """
    names = tuple(names)
    sets = RULE_SETS[about]
    return tuple(
        rule
        for name in names
        for rule in ((r for r in sets[name] if r not in names) if name in sets else (name,))
    )
