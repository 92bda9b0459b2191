"""Answers that are read while they are written, from one base model and several adapters on it.

Knows: what a streamer can be asked, and how much of an unfinished text can no longer change. Imports no heavy library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from isheep.backends.base import Request
from isheep.records import Completion
from isheep.text.prompts import CHATML_SYSTEM, Layout

#: Told the next piece of an answer; what it raises ends the answer.
Tell = Callable[[str], None]

#: What an unfinished character decodes to.
_UNFINISHED = "\ufffd"


class Streamer(Protocol):
    """One base model, loaded once, and the adapters it was opened with."""

    device_name: str
    #: How it is asked: the layout it was opened with, resolved for the base model.
    layout: Layout

    def answer(self, adapter: int | None, request: Request, tell: Tell) -> Completion:
        """Continue one prompt with the n-th adapter (None: the bare base), as an engine would.

        The pieces told, one after another, are the completion's text without the white space around it.
        """
        ...

    def close(self) -> None:
        """Give the model's memory back."""
        ...


class Pieces:
    """Hands on a growing text piece by piece, and never a letter that a stop text may still take back."""

    def __init__(self, stops: Sequence[str], tell: Tell) -> None:
        self._stops = [stop for stop in stops if stop]
        self._tell = tell
        self._said = 0

    def grown(self, text: str) -> None:
        """The text as it is now; no stop text has been found in it."""
        self._hand_on(settled(text, self._stops))

    def finished(self, text: str) -> None:
        """The whole text, cut where it ends."""
        self._hand_on(text.strip())

    def _hand_on(self, text: str) -> None:
        if len(text) > self._said:
            self._tell(text[self._said :])
            self._said = len(text)


def settled(text: str, stops: Sequence[str]) -> str:
    """The beginning of an unfinished text, with no stop text in it yet, that stays as it is whatever comes next;
    without white space around it."""
    text = text.rstrip(_UNFINISHED)
    return text[: len(text) - max((_begun(text, stop) for stop in stops), default=0)].strip()


def _begun(text: str, stop: str) -> int:
    """How many letters at the end of the text are the beginning of this stop text."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)


def with_system(layout: Layout, system: str) -> Layout:
    """The layout with these words before the first request: in place of ChatML's own line of that kind, or, where a
    layout has no room for one, as a paragraph above the conversation."""
    system = system.strip()
    if not system:
        return layout
    again = layout.again or f"\n\n{layout.before}"  # what stood between turns stays what it was
    if CHATML_SYSTEM in layout.before:
        return replace(layout, before=layout.before.replace(CHATML_SYSTEM, system), again=again)
    return replace(layout, before=f"{system}\n\n{layout.before}", again=again)
