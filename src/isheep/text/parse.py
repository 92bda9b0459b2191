"""What a model wrote -> tasks, or a rating. Never raises, on any text: what cannot be used says why instead.

Knows: the numbered list of `prompts.task_list` and the forms judges answer in. Does not judge the tasks (rules.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# ---------------------------------------------------------------- the numbered list of tasks


@dataclass(frozen=True, slots=True)
class ParsedTask:
    """One item of a list as the model wrote it. `problem` is None, or why the item cannot be used:

    - "empty": it holds no instruction.
    - "cut": the token limit came before its end.
    - "numbering": its number does not follow the one before (the model lost the list, or began another).
    - "format": its label is missing ("7. Write ..." without "Task:"), or it has several inputs.
    """

    number: int
    instruction: str
    input: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Heading:
    number: int
    start: int
    body: int
    labelled: bool


_LABELLED = re.compile(r"^[ \t]*([0-9]{1,6})\.[ \t]*Task[ \t]*:", re.IGNORECASE | re.MULTILINE)
_UNLABELLED = re.compile(r"^[ \t]*([0-9]{1,6})\.[ \t]+(?=[^\W\d_]|[\"'“‘«])", re.MULTILINE)
_NUMBERED_LINE = re.compile(r"[ \t]*[0-9]+[.)]")
_INPUT = re.compile(r"^[ \t]*Input[ \t]*:", re.IGNORECASE | re.MULTILINE)

#: Ways models say "no input" ("<noinput>" is the released code's, after Self-Instruct). Words that can be an input
#: of their own ("empty", "nothing", "NA") count only in brackets.
_NO_INPUT = re.compile(
    r"""\s* (?: [<(\[{]\s* (?:none|empty|blank|n/?a|null|no[ -]?input) \s*[>)\]}]
            | none | n/a | noinput | not\ applicable
            | no\ input (?:\ (?:is\ )?(?:needed|required|necessary|given|provided))?
            | [-–—]+
            ) \.? \s*""",
    re.IGNORECASE | re.VERBOSE,
)


def stop_text(last: int) -> str:
    """The text at which a generator stops a list that should end after item `last`.

    Stop texts are plain substrings, so this one is the whole heading of the next item: "17", "1776", "$17" and
    "17." end nothing (the released code stops at "17" anywhere). A model that drops the label writes on to its token
    limit; `parse_task_list` then cuts at the unlabelled heading.
    """
    return f"\n{last + 1}. Task:"


def parse_task_list(
    text: str, first: int, expected_last: int | None = None, *, finished: bool = True
) -> list[ParsedTask]:
    """The items of a completion that continues a list open at item `first` (so it begins inside that item).

    Items after `expected_last` are left out. `finished` is False when the token limit ended the completion: then its
    last item is "cut", unless a later heading shows that the item was complete.
    """
    text = _normalised(text, first)
    headings = [_Heading(first, 0, 0, True), *_headings(text, first)]
    ends = [heading.start for heading in headings[1:]] + [len(text)]
    items: list[ParsedTask] = []
    expected = first
    for heading, end in zip(headings, ends, strict=True):
        if expected_last is not None and heading.number > expected_last:
            break
        cut = not finished and end == len(text)
        items.append(_item(heading, text[heading.body : end], expected, cut))
        expected = heading.number + 1
    return items


def _normalised(text: str, first: int) -> str:
    """One kind of line end; a heading the model repeats before going on ("6. Task: ...") is taken off."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    repeated = _LABELLED.match(text.lstrip())
    return text.lstrip()[repeated.end() :] if repeated and int(repeated[1]) == first else text


def _headings(text: str, first: int) -> list[_Heading]:
    """Where the items after the first begin.

    A line "7. Task:" always begins an item, whatever its number. A line "7. Write" does so only where item 7 is due, no
    labelled one comes later, and it is not part of a numbered list inside an input (the line before is numbered too).
    """
    labelled = [_Heading(int(m[1]), m.start(), m.end(), True) for m in _LABELLED.finditer(text)]
    found: list[_Heading] = []
    number, start = first, 0
    for heading in [*labelled, _Heading(-1, len(text), len(text), True)]:
        if heading.number != number + 1:
            found += _unlabelled(text, start, heading.start, number + 1)
        found.append(heading)
        number, start = heading.number, heading.body
    return found[:-1]


def _unlabelled(text: str, start: int, end: int, due: int) -> list[_Heading]:
    found: list[_Heading] = []
    for match in _UNLABELLED.finditer(text, start, end):
        line_before = text.rfind("\n", 0, max(0, match.start() - 1)) + 1
        in_a_list = _NUMBERED_LINE.match(text, line_before) and not (found and found[-1].start == line_before)
        if int(match[1]) == due and not in_a_list:
            found.append(_Heading(due, match.start(), match.end(), False))
            due += 1
    return found


def _item(heading: _Heading, body: str, expected: int, cut: bool) -> ParsedTask:
    parts = _INPUT.split(body)
    instruction = parts[0].strip()
    input = "\n".join(parts[1:]).strip()
    if _NO_INPUT.fullmatch(input):
        input = ""
    problem = None
    if cut:
        problem = "cut"
    elif heading.number != expected:
        problem = "numbering"
    elif not instruction:
        problem = "empty"
    elif not heading.labelled or len(parts) > 2:
        problem = "format"
    return ParsedTask(heading.number, instruction, input, problem)


# ---------------------------------------------------------------- a judge's rating

#: The scale of the paper: 1 to 10. Anything else is unreadable, not rounded into it.
LOWEST, HIGHEST = 1.0, 10.0

_NUMBER = r"(?<![\w.,+\-−])([0-9]+(?:\.[0-9]+)?)(?![A-Za-z0-9_%]|[.,:][0-9])"
_OF_TEN = r"\s*(?:stars?|points?)?\s*(?:/|(?:out\s+)?of\b)\s*10(?![\w/]|[.,][0-9])"
_OF = re.compile(r"\s*(?:stars?|points?)?\s*(?:/|(?:out\s+)?of\b)\s*[0-9]", re.IGNORECASE)
_RANGE = re.compile(r"\s*(?:-|–|—|~|to|and|or)\s*[0-9]|[ \t]+[0-9]", re.IGNORECASE)
_MARKUP = "*_`\"'([{<=:|"

#: A mention of the scale itself, "(1-10)" or "from 1 to 10", is not a rating.
_SCALE = re.compile(r"\(?(?<![\w.,])1\s*(?:-|–|—|to)\s*10(?![\w.,]*[0-9])\)?", re.IGNORECASE)
_AT_START = re.compile(_NUMBER)
_WITH_SCALE = re.compile(_NUMBER + _OF_TEN, re.IGNORECASE)
_NAMED = re.compile(
    r"(?:\b(?:score|rating|grade|rate|give|award|quality|following)\w*|评分|得分|分数)(?:[^0-9\n+\-−]|-(?![0-9])){0,24}?"
    + _NUMBER,
    re.IGNORECASE,
)
#: What may follow a number at the very start for it to be a rating, and not the first word of a sentence ("3 errors").
_ALONE = re.compile(r"\s*(?:$|\n|[^\w\s]|points?\b|stars?\b|because\b|分)", re.IGNORECASE)
_LIST = re.compile(r"\s*[0-9]+\.\s.*^[ \t]*[0-9]+\.\s", re.DOTALL | re.MULTILINE)

# What a completion must hold for its rating to be settled, whatever follows. Every condition asks for a character that
# is there: a text that is still being written must never match by what it does not yet hold.
_START = rf"\A\s*[{re.escape(_MARKUP)} \n\t]*"
_SETTLED = r"""(?=
    \s* (?: [^\w\s.,:()%/~\-–—]            # "8||", "**8**", "8;"
          | \( (?!1) \S                     # "8 (good", not "8 (1-10)"
          | [,:] [^0-9(]                    # "8, as", "8: good", not "8,5" or "8:1"
          | \. [^\s0-9(]                    # "8.**", not "8.5"; "8. The" may yet become a numbered list
          | [~/\-–—] \s* [^\s0-9(]          # "8 - good", not "8-9" or "8/5"
          | 分 )
  | \s+ because \W
  | [^\S\n]* \n \s* (?: [^\W\d_taops] | t[^o] | a[^n] | an[^d] | o[^rfu] | s[^t] | p[^o] )
)"""  # the last: a sentence on the next line, but not "to 9", "and 9", "or 9", "out of 5", "stars", "points"
_OF_TEN_SEEN = (
    r"""\s* (?:stars?|points?)? \s* (?: / | (?:out\s+)? of\b ) \s* 10 (?= [^\w/.,] | [.,][^0-9] )"""
)
#: Any text up to a rating, its mentions of the scale read as such; not a text that begins with a number of its own.
_BEFORE = rf"\A (?! [\s{re.escape(_MARKUP)}]* [0-9] ) (?: {_SCALE.pattern} | (?!{_SCALE.pattern}) [\s\S] )*?"

#: A regular expression: cut right after its first match, a completion still reads the same to `parse_rating`.
#:
#: It waits for the character that settles a number ("1" may become "10", "8" become "8.5", "8/10" or "8 to 9"), and
#: never matches what a later form may overrule ("Score: 8" gives way to a "9/10" behind it): such texts run on to a
#: stop or the token limit. It knows "8||", "8, because", "8" above a line of words and "... 8/10 ", not all forms.
RATING_DONE = "(?ix)" + "|".join(
    (
        rf"{_START}[0-9]+(?:\.[0-9]+)?{_SETTLED}",
        rf"(?:{_START}|{_BEFORE}){_NUMBER}{_OF_TEN_SEEN}",
    )
)


def parse_rating(text: str) -> float | None:
    """The rating a judge wrote, from 1 to 10, or None when it cannot be told.

    Read in this order, the first that applies deciding: a number at the very start ("8||reason" is the asked form;
    "8", "**7.5**", "8."); a number out of ten anywhere ("I say 8/10"); a number after "score", "rating" or the like;
    a number at the start of a sentence ("8 The answer is right"). None for a number outside 1..10 (never clipped:
    "100" is not 10), for other scales ("4/5", "80%"), for a range ("between 7 and 9" names no rating), for negative
    numbers, and for a numbered list. The released code takes a number at the start and rounds it.
    """
    text = _SCALE.sub(" ", text.strip()).strip()
    body = text.lstrip(_MARKUP + " \n\t")
    first = None if _LIST.match(body) else _AT_START.match(body)
    if first and (_ALONE.match(body, first.end()) or _OF.match(body, first.end())):
        return _rating(first)
    named = _WITH_SCALE.search(text) or _NAMED.search(text)
    return _rating(named or first)


def _rating(match: re.Match[str] | None) -> float | None:
    if match is None:
        return None
    rest = match.string[match.end(1) :]
    if _RANGE.match(rest) or (_OF.match(rest) and not re.match(_OF_TEN, rest, re.IGNORECASE)):
        return None
    value = float(match[1])
    return value if LOWEST <= value <= HIGHEST else None
