"""Where sentences end. Standard library only: no model, no download, the same answer everywhere.

A sentence ends at a run of . ! ? or … (with the quotes and brackets that close on it) that stands before white space
or at the end of the text, and at the marks of scripts that put no space behind them. A full stop does not end one
after an abbreviation (three kinds, below), an initial, or the number of a list at the start of a line; three dots do
not before a small letter. A line break alone ends nothing: headings and bullets without a full stop belong to what
follows, as in the published definition.
"""

from __future__ import annotations

import re

#: Abbreviations, in small letters and without their last full stop. These never end a sentence,
ALWAYS = frozenset(
    {"capt", "cf", "col", "dr", "e.g", "gen", "gov", "hon", "i.e", "lt", "messrs", "mr", "mrs", "ms", "mt", "prof",
     "rev", "sen", "sgt", "st", "viz", "vs"}
)  # fmt: skip
#: these do not before a number,
BEFORE_NUMBER = frozenset(
    {"approx", "apr", "art", "aug", "ca", "ch", "dec", "eq", "feb", "fig", "figs", "jan", "jul", "jun", "mar", "no",
     "nos", "nov", "oct", "op", "p", "pp", "sec", "sep", "sept", "vol", "vols"}
)  # fmt: skip
#: and these only before a capital letter.
BEFORE_CAPITAL = frozenset(
    {"a.m", "al", "ave", "bldg", "blvd", "co", "corp", "dept", "est", "etc", "inc", "jr", "ltd", "p.m", "ph.d", "sr",
     "u.k", "u.s"}
)  # fmt: skip

_END = re.compile(r"(?P<marks>(?<![.!?…])[.!?…]++)[\"'”’»)\]}*_]*(?=\s|$)|[。！？｡]+[”’」』）]*|[।॥؟۔]+")
_LAST_WORD = re.compile(r"[^\s(\[{\"“‘'*_]+$")
_LIST_NUMBER = re.compile(r"(?:^|\n)[ \t>*_#-]*\(?\d{1,3}$")
_VISIBLE = re.compile(r"\w")
#: How far back an abbreviation or a list number may begin, in characters.
_BACK = 40


def sentences(text: str) -> list[str]:
    """The sentences of a text in order, stripped. A text without any end mark is one; pieces without a letter or a
    digit are none."""
    found: list[str] = []
    start = 0
    for end in _END.finditer(text):
        if _is_end(text, end):
            found.append(text[start : end.end()])
            start = end.end()
    found.append(text[start:])
    return [part.strip() for part in found if _VISIBLE.search(part)]


def _is_end(text: str, end: re.Match[str]) -> bool:
    marks = end.group("marks")
    if marks is None:
        return True
    follows = text[end.end() :].lstrip()[:1]
    if marks == "…" or (len(marks) > 1 and not marks.strip(".")):
        return not follows.islower()
    if marks != "." or not follows:
        return True
    before = text[max(0, end.start() - _BACK) : end.start()]
    if _LIST_NUMBER.search(before):
        return False
    found = _LAST_WORD.search(before)
    word = found.group() if found else ""
    short = word.lower()
    return not (
        (len(word) == 1 and word.isupper() and word != "I")  # an initial
        or short in ALWAYS
        or (short in BEFORE_NUMBER and follows.isdigit())
        or (short in BEFORE_CAPITAL and not follows.isupper())
    )
