"""What a heuristic rule is: a name, a reason in words, and whether it drops what it looks at.

A rule's name is the reason kept with a dropped record and counted in reports, so names are stable. Knows: strings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar


@dataclass(frozen=True, slots=True)
class InstructionSubject:
    """A task the model wrote, stripped; the limits are in words."""

    instruction: str
    input: str
    min_words: int
    max_words: int


@dataclass(frozen=True, slots=True)
class ResponseSubject:
    """An answer with its request, stripped; `finish` is the Completion's."""

    instruction: str
    input: str
    response: str
    finish: str


S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Rule(Generic[S]):
    """One rule: `why` is for people, `drops` decides. Calling it gives the reason (its name), or None to keep."""

    name: str
    why: str
    drops: Callable[[S], bool]

    def __call__(self, subject: S) -> str | None:
        return self.name if self.drops(subject) else None


def rule(name: str, why: str) -> Callable[[Callable[[S], bool]], Rule[S]]:
    """Make a rule of the function that decides."""
    return lambda drops: Rule(name, why, drops)


def registry(*rules: Rule[S]) -> Mapping[str, Rule[S]]:
    """Rules by name, in order of trial."""
    return {rule.name: rule for rule in rules}
