"""What a judge wrote -> a verdict, or None where it cannot be told.

Knows the forms our prompts and FastChat's ask for ("Verdict: A", "[[A]]", "Grade: 7", "[[7]]"), and the probabilities
of a first token. Does not know what the judge was shown. Nothing unreadable ever becomes a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import exp

from isheep.text.parse import parse_rating

#: What a choice is worth to the text shown first.
_WORTH = {"a": 1.0, "b": 0.0, "c": 0.5, "tie": 0.5, "draw": 0.5}

_MARKUP = "*_`\"'# \t([{"
_BRACKETED = re.compile(r"\[\[([^\[\]\n]{1,24})\]\]")
#: One bracket, neither a link nor an index.
_BACKUP = re.compile(r"(?<![\[\w])\[([0-9]{1,2}(?:\.[0-9]+)?)\](?![\](])")
#: What stands behind "verdict" on its line is looked at, not used up: another one may follow.
_VERDICT = re.compile(
    r"\b(?:verdict|choice|winner|decision)\b[*_`]*\s*(?:is\b)?\s*[:=]?(?=(?P<rest>[^\n]*))", re.IGNORECASE
)
_GRADE = re.compile(
    r"\b(?:grade|rating|score)\b[*_`]*\s*(?:is\b)?\s*[:=]?(?=(?P<rest>[^\n]*))", re.IGNORECASE
)
_WHOSE = r"(?:(?i:assistant|answer|response|model)\s+)?"
#: "a" is a word of its own, so a label is a capital that a sentence may end with or go on from, and no list of them.
_LABEL = re.compile(
    _WHOSE + r"(?P<label>[ABC])(?!\s*(?:(?:or|and)\s+|[/,&]\s*)" + _WHOSE + r"(?:[ABC]\b|(?i:tie\b|draw\b)))"
    r"(?=\s*(?:$|[^\w\s'’]|(?:is|was|wins|served|did|because|as|since)\b))"
    r"|(?i:(?:a\s+)?(?P<tie>tie|draw)\b)"
)
_ALONE = re.compile(_WHOSE + r"(?P<label>[A-Ca-c])|(?i:(?:a\s+)?(?P<tie>tie|draw))")
_NUMBER_ALONE = re.compile(r"[0-9]{1,2}(?:\.[0-9]+)?(?:\s*/\s*10)?")

#: Below this much of the first token's probability for "A" and "B" together, the judge was not about to choose. Ours:
#: AlpacaEval normalises the two whatever is left beside them.
MIN_MASS = 0.01


def parse_choice(text: str) -> float | None:
    """1 when the judge chose the text shown first (A), 0 for the second (B), 0.5 for a tie; None when unreadable.

    The last line that holds a verdict decides, as a judge told to explain first may weigh both before it. Two
    different verdicts on that line are none: a judge that repeats what it was told to write has not chosen. FastChat
    takes "[[A]]" wherever it stands, and before any "[[B]]".
    """
    lines = [line for line in text.splitlines() if line.strip()]
    alone = _ALONE.fullmatch(lines[-1].strip(_MARKUP + ")]}.")) if lines else None
    if alone:
        return _worth(alone)
    for line in reversed(lines):
        found = {_WORTH[m.casefold()] for m in _BRACKETED.findall(line) if m.casefold() in _WORTH}
        found = found or set(_named(line))
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _named(line: str) -> Iterator[float]:
    """What the line calls the verdict, in words."""
    for match in _VERDICT.finditer(line):
        label = _LABEL.match(match["rest"].lstrip(_MARKUP))
        if label:
            yield _worth(label)


def _worth(match: re.Match[str]) -> float:
    return _WORTH[(match["label"] or match["tie"]).casefold()]


def parse_grade(text: str) -> float | None:
    """The grade from 1 to 10 that the judge gave, or None when unreadable; never clipped into the scale.

    Read in this order, the last line that has one deciding: "[[8]]"; "Grade: 8", "Rating: 8/10" or the like; "[8]",
    which FastChat accepts too; a last line that is nothing but a number. Two different grades on the deciding line are
    none. FastChat takes the first "[[8]]", and any number in it.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    for find in (_bracketed_grades, _graded, _BACKUP.findall):
        for line in reversed(lines):
            marks = find(line)
            if marks:
                found = {parse_rating(mark) for mark in marks}
                return found.pop() if len(found) == 1 else None
    last = lines[-1].strip(_MARKUP + ")]}.") if lines else ""
    return parse_rating(last) if _NUMBER_ALONE.fullmatch(last) else None


def _bracketed_grades(line: str) -> list[str]:
    return [mark for mark in _BRACKETED.findall(line) if any(c.isdecimal() for c in mark)]


def _graded(line: str) -> list[str]:
    """What stands behind "grade" on a line, where that begins with a number."""
    rests = [match["rest"].lstrip(_MARKUP) for match in _GRADE.finditer(line)]
    return [rest for rest in rests if rest[:1].isdecimal()]


def expected_choice(logprobs: Iterable[tuple[str, float]]) -> float | None:
    """The probability of "A" against "B" as the judge's first token, from (token, log-probability) pairs.

    None where the two together have less than `MIN_MASS`. A label that is not among the given tokens counts as nothing:
    it is less probable than all that are.
    """
    mass = {"A": 0.0, "B": 0.0}
    for token, logprob in logprobs:
        if token.strip() in mass:
            mass[token.strip()] += exp(min(logprob, 0.0))
    total = sum(mass.values())
    return mass["A"] / total if total >= MIN_MASS else None
