"""The rules by name, and the reason the first of them gives: each keeps an instruction or an answer, or drops it.

Ours are in task_rules.py and answer_rules.py and are the default; those of the released code are in released.py. A
recipe's list of rules may name any of them. Knows: strings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

from isheep.errors import RecipeError
from isheep.text.answer_rules import RESPONSE_RULES
from isheep.text.released import (
    ALL_INSTRUCTION_RULES,
    ALL_RESPONSE_RULES,
    DEFAULT_INSTRUCTION_RULES,
    DEFAULT_RESPONSE_RULES,
    RELEASED_INSTRUCTION_RULES,
    RELEASED_RESPONSE_RULES,
    named_rules,
)
from isheep.text.rule import InstructionSubject, ResponseSubject, Rule, S
from isheep.text.task_rules import INSTRUCTION_RULES

__all__ = [
    "ALL_INSTRUCTION_RULES",
    "ALL_RESPONSE_RULES",
    "DEFAULT_INSTRUCTION_RULES",
    "DEFAULT_RESPONSE_RULES",
    "INSTRUCTION_RULES",
    "RELEASED_INSTRUCTION_RULES",
    "RELEASED_RESPONSE_RULES",
    "RESPONSE_RULES",
    "InstructionSubject",
    "ResponseSubject",
    "Rule",
    "instruction_reason",
    "named_rules",
    "response_reason",
]


def instruction_reason(
    instruction: str, input: str, enabled: Collection[str], min_words: int = 4, max_words: int = 150
) -> str | None:
    """The name of the first enabled rule that drops a task the model wrote, or None to keep it.

    4 to 150 words are the released code's limits; a small world may have shorter tasks.
    """
    subject = InstructionSubject(instruction.strip(), input.strip(), min_words, max_words)
    return _first_reason(_of_instructions(tuple(enabled)), subject)


def response_reason(
    instruction: str, input: str, response: str, finish: str, enabled: Collection[str]
) -> str | None:
    """The name of the first enabled rule that drops an answer, or None to keep it. `finish` is the Completion's."""
    subject = ResponseSubject(instruction.strip(), input.strip(), response.strip(), finish)
    return _first_reason(_of_responses(tuple(enabled)), subject)


def _first_reason(rules: Sequence[Rule[S]], subject: S) -> str | None:
    for rule in rules:
        if rule.drops(subject):
            return rule.name
    return None


@lru_cache(maxsize=64)
def _of_instructions(names: tuple[str, ...]) -> list[Rule[InstructionSubject]]:
    return _in_order(ALL_INSTRUCTION_RULES, names)


@lru_cache(maxsize=64)
def _of_responses(names: tuple[str, ...]) -> list[Rule[ResponseSubject]]:
    return _in_order(ALL_RESPONSE_RULES, names)


def _in_order(known: Mapping[str, Rule[S]], names: Collection[str]) -> list[Rule[S]]:
    for name in sorted(set(names).difference(known)):
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise RecipeError(f"there is no rule {name!r}", f"{hint}the rules are {', '.join(known)}")
    return [rule for name, rule in known.items() if name in names]
