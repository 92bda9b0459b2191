"""What has happened so far in a run, told by its events: which step is at work, how fast, how the scores go.

Knows: figures and words. Does not know: terminals and colours (view_live.py).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from isheep.events import Event

#: Seconds a rate looks back, and seconds between two looks that are remembered.
WINDOW, LOOK = 60.0, 1.0
#: A mean of these is a grade, not a share.
_GRADES = ("grade",)
_BARS = "▁▂▃▄▅▆▇█"


class Pace:
    """How fast a step goes: over the last minute while it works, over all of this go once it is done."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int, int]] = deque()
        self._first: tuple[float, int, int] | None = None
        self._last: tuple[float, int, int] | None = None

    def see(self, event: Event) -> None:
        """A progress event. The clock starts at the first one: what an interrupted go had done is no speed."""
        now = (self._clock(), event.done, event.tokens)
        self._first = self._first or now
        self._last = now
        if not self._seen or now[0] - self._seen[-1][0] >= LOOK:
            self._seen.append(now)
        while len(self._seen) > 2 and now[0] - self._seen[1][0] > WINDOW:
            self._seen.popleft()

    def rates(self, whole: bool = False) -> tuple[float | None, float | None]:
        """(things, tokens) a second; None while that cannot be told."""
        since = self._first if whole else (self._seen[0] if self._seen else None)
        if since is None or self._last is None or self._last[0] <= since[0]:
            return None, None
        spent = self._last[0] - since[0]
        done, tokens = (max(0, self._last[n] - since[n]) / spent for n in (1, 2))
        return done or None, tokens or None

    def left(self, event: Event) -> float | None:
        """Seconds left at this pace."""
        rate, _ = self.rates()
        return (event.total - event.done) / rate if rate and event.total else None


class Watch:
    """Takes in the events of a run one by one. `steps` 0: how many there will be is not known."""

    def __init__(self, steps: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.steps = steps
        self.finished = 0
        #: The last event of the step at work, None between two steps.
        self.at: Event | None = None
        self.pace = Pace(clock)
        #: Headline -> (iteration, value), in the order they came.
        self.scores: dict[str, list[tuple[int, float]]] = {}
        self._clock = clock

    def take(self, event: Event) -> None:
        if event.kind == "start":
            self.at, self.pace = event, Pace(self._clock)
        elif event.kind == "progress":
            self.at = event
            self.pace.see(event)
        elif event.kind in ("done", "cached"):
            self.finished += 1
            self.at = None
            for name, value in event.scores.items():
                self.scores.setdefault(name, []).append((event.iteration, value))

    def place(self) -> str:
        """ "[ 3/35]" for the step that just ended."""
        of = f"/{self.steps}" if self.steps else ""
        return f"[{self.finished:>{len(str(self.steps)) if self.steps else 1}}{of}]"

    def figures(self, event: Event) -> list[str]:
        """What there is to say of a step, the most important first."""
        if event.kind == "cached":
            return ["from the store"]
        over = event.kind == "done"
        said = [seconds(event.seconds)] if over else []
        if event.unit:
            whole = over and (event.done == event.total or not event.total)
            said.append(
                f"{event.done:,} {event.unit}" if whole else f"{event.done:,}/{event.total:,} {event.unit}"
            )
        left = None if over else self.pace.left(event)
        if left is not None:
            said.append(f"{clock(left)} left")
        rate, tokens = self.pace.rates(whole=over)
        if event.kept is not None and event.unit != "kept":
            said.append(f"kept {event.kept:,} of {event.written:,}")
        if rate:
            one = event.unit.removesuffix("s") or "one"
            said.append(
                f"{rate:,.0f}/s"
                if rate >= 10
                else f"{rate:.1f}/s"
                if rate >= 1
                else f"{1 / rate:,.1f} s/{one}"
            )
        if tokens:
            said.append(f"{tokens:,.0f} tokens/s")
        return said

    def trends(self, pictures: bool = True) -> list[str]:
        """Each headline by iteration: "lamb accuracy_greedy  ▁▇█  57.0, 73.4, 74.2 %"."""
        lines = []
        for name, points in self.scores.items():
            values = [value for _, value in sorted(points)]
            grade = name.rpartition("/")[2].startswith(_GRADES)
            numbers = ", ".join(f"{v:.2f}" if grade else f"{100 * v:.1f}" for v in values)
            picture = f"  {sparkline(values)}" if pictures else ""
            lines.append(f"{name.replace('/', ' ')}{picture}  {numbers}{'' if grade else ' %'}")
        return lines

    def safe(self) -> str:
        """For who stops a run: what is kept of it."""
        of = f" of {self.steps}" if self.steps else ""
        said = f"{self.finished}{of} steps are finished and kept"
        if self.at is None:
            return said
        so_far = (
            f" its {self.at.done:,} {self.at.unit}"
            if self.at.unit and self.at.done
            else " what it had written"
        )
        return f"{said}; {self.at.step} keeps{so_far} too, and does at most its last batch again"


def sparkline(values: Sequence[float]) -> str:
    """A row of bars from the least to the greatest value."""
    low, high = min(values), max(values)
    if high == low:
        return _BARS[3] * len(values)
    return "".join(_BARS[round((v - low) / (high - low) * (len(_BARS) - 1))] for v in values)


def seconds(spent: float) -> str:
    """Of a step that is done."""
    return f"{spent:.1f} s" if spent < 60 else clock(spent)


def clock(spent: float) -> str:
    """42 s, 3:20, 1:03:20."""
    minutes, rest = divmod(round(spent), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
