"""Text into markup, safely: the only door through which a string enters the page.

Everything that is not already `Html` is escaped on its way in, so nobody can forget to. Model text is data: characters
that would hide or reorder what stands beside them are shown as what they are.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from typing import TypeAlias


class Html(str):
    """A string that is markup already. Made by `el` and `join` alone."""

    __slots__ = ()


Child: TypeAlias = "str | int | float | Iterable[Child] | None"

_VOID = frozenset({"meta", "br", "hr"})
#: Joiners that Persian, the Indic scripts and emoji need; anywhere else they only hide something.
_JOINERS = "\u200c\u200d"
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


def el(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """An element. `cls` is class, `stroke_width` is stroke-width; an attribute of None or False is left out."""
    shown = "".join(f" {_name(key)}={_quoted(value)}" for key, value in attributes.items() if _given(value))
    if name in _VOID:
        return Html(f"<{name}{shown}/>")
    return Html(f"<{name}{shown}>{join(children)}</{name}>")


def join(children: Child, between: str = "") -> Html:
    """Children one after another: markup as it is, everything else escaped."""
    if children is None:
        return Html("")
    if isinstance(children, Html):
        return children
    if isinstance(children, str):
        return Html(html.escape(visible(children)))
    if isinstance(children, int | float):
        return Html(html.escape(str(children)))
    return Html(html.escape(between).join(join(child) for child in children))


def visible(text: str) -> str:
    """The text with nothing hidden in it: control characters, direction marks, zero-width characters, tags, stray
    surrogates and the like become pictures (␀) or their number (⟦U+202E⟧). New line and tab stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(text[i - 1] if i else "", letter) for i, letter in enumerate(text))


def cut(text: str, limit: int) -> str:
    """The text, or its beginning with an ellipsis and how long the whole is."""
    text = text.strip()
    return text if len(text) <= limit else f"{text[:limit].rstrip()} … ({len(text):,} characters)"


def _shown(before: str, letter: str) -> str:
    if letter in "\n\t" or not _hidden(letter) or (letter in _JOINERS and before > "\x7f"):
        return letter
    code = ord(letter)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟦U+{code:04X}⟧"


def _hidden(letter: str) -> bool:
    """Whether a character draws nothing of its own, or is none at all."""
    category = unicodedata.category(letter)
    if (
        category == "Cn"
    ):  # unassigned: perhaps only newer than this Python; noncharacters never will be assigned
        return ord(letter) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(letter) <= 0xFDEF
    # U+115F, U+1160, U+3164 and U+FFA0 count as letters, yet draw nothing.
    return category in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} or letter in "\u115f\u1160\u3164\uffa0"


def _given(value: object) -> bool:
    return value is not None and value is not False


def _name(key: str) -> str:
    name = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
    assert _ATTRIBUTE.fullmatch(name), name
    return name


def _quoted(value: object) -> str:
    if value is True:
        return '""'
    if isinstance(value, float):
        value = f"{value:.2f}".rstrip("0").rstrip(".")
    return f'"{html.escape(visible(str(value)))}"'
