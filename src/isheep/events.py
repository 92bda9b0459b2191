"""What is told during a run: events, for whoever shows them or writes them down.

Knows: what a step counts as it goes. Does not know: how a step is done (step.py), how it is shown (view_live.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from isheep.records import Decision, Instruction, Preference, Record

#: Seconds between two progress events of one step, where each of them costs something.
SELDOM = 0.1
#: Records that say whether they are kept: `reason` is None.
_SIFTED = (Instruction, Decision, Preference)


@dataclass(frozen=True, slots=True)
class Event:
    """What happens during a run, for whoever shows it."""

    kind: Literal["start", "progress", "note", "wait", "done", "cached"]
    step: str
    done: int = 0
    total: int = 0
    unit: str = ""
    text: str = ""
    seconds: float = 0.0
    iteration: int = 0
    #: Tokens the step has written so far (trained on, for training), an interrupted go included.
    tokens: int = 0
    #: Records kept so far, and out of how many; None where the step sifts none.
    kept: int | None = None
    written: int | None = None
    #: Once a test is over: "task/metric" of each headline -> value.
    scores: Mapping[str, float] = field(default_factory=dict)


Listener = Callable[[Event], None]


class Teller:
    """Tells of one step at work, with what has passed by: tokens, and records kept."""

    def __init__(self, tell: Listener, step: str, iteration: int) -> None:
        self._tell, self._step, self._iteration = tell, step, iteration
        self._at = (0, 0, "")
        self._tokens = 0
        self._kept = self._written = 0
        #: Type -> the field that counts its tokens, and whether its records say that they are kept.
        self._types: dict[type[Record], tuple[str, bool]] = {}

    def count(self, records: Iterable[Record]) -> None:
        """These were written."""
        for record in records:
            cls = type(record)
            known = self._types.get(cls)
            if known is None:
                names = [name for name in ("tokens", "trained_tokens") if hasattr(cls, name)]
                known = self._types[cls] = (names[0] if names else "", cls in _SIFTED)
            tokens, sifted = known
            if tokens:
                self._tokens += getattr(record, tokens)
            if sifted:
                self._written += 1
                self._kept += getattr(record, "reason", None) is None

    def report(self, done: int, total: int, unit: str) -> None:
        """So far: `done` of `total`."""
        self._at = (done, total, unit)
        self.say("progress")

    def say(self, kind: Any, text: str = "", seconds: float = 0.0) -> None:
        """An event of this step, with the figures as they stand."""
        kept = (self._kept, self._written) if self._written else (None, None)
        self._tell(Event(kind, self._step, *self._at, text, seconds, self._iteration, self._tokens, *kept))


class Seldom:
    """A listener that passes on progress only now and then, and everything else at once."""

    def __init__(self, tell: Listener, seconds: float = SELDOM) -> None:
        self._tell, self._seconds = tell, seconds
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        if event.kind == "progress":
            now = time.monotonic()
            if now - self._last < self._seconds and event.done < event.total:
                return
            self._last = now
        elif event.kind == "start":
            self._last = 0.0
        self._tell(event)
