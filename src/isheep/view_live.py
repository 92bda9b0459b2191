"""The four ways to watch a run: a live display on a terminal, log lines, nothing at all, JSON for machines.

Knows: how an event is shown. What the figures are is told by watch.py.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live as RichLive
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from isheep.errors import IsheepError
from isheep.events import Event, Listener, Seldom
from isheep.view import PLAIN_SECONDS, visible
from isheep.watch import Watch

How = Literal["shown", "quiet", "json"]

#: Width of a step's name, and of the bar.
NAME, BAR = 18, 16
#: Times a second the live display is drawn.
FRAMES = 8
#: Seconds between two progress events for machines.
JSON_SECONDS = 1.0


class Display(Protocol):
    """Something that shows a run. Use it as a context, and hand `tell` to the run."""

    tell: Listener

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, *trace: object
    ) -> None: ...


def display(console: Console, steps: int = 0, how: How = "shown") -> Display:
    """How to watch a run: on a terminal or as lines, whichever `console` is; quietly; as JSON on standard output."""
    if how == "json":
        return JsonLines(Watch(steps))
    if how == "quiet":
        return Quiet(Watch(steps))
    return Screen(console, Watch(steps)) if console.is_terminal else Lines(console, Watch(steps))


class Quiet:
    """Shows nothing but, on Ctrl-C, what is safe."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.tell: Listener = self.watch.take

    def __enter__(self) -> Quiet:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *trace: object) -> None:
        if isinstance(error, KeyboardInterrupt):
            print(f"\n{self.watch.safe()}", file=sys.stderr, flush=True)  # noqa: T201 - to people, not a log


class Lines(Quiet):
    """Where there is no terminal: a line when a step begins and ends, and now and then between."""

    def __init__(self, console: Console, watch: Watch) -> None:
        super().__init__(watch)
        self.console = console
        self._said = time.monotonic()
        self.tell = self._tell

    def _tell(self, event: Event) -> None:
        self.watch.take(event)
        if event.kind == "progress":
            self._now_and_then(event)
        elif event.kind == "start":
            self._said = time.monotonic()
            self._line(f"{event.step}: started")
        elif event.kind in ("note", "wait"):
            self._line(f"  {event.step}: {visible(event.text)}")
        else:
            self._line(finished(self.watch, event))
            for line in self.watch.trends(pictures=False) if event.scores else ():
                self._line(f"  {visible(line)}")

    def _now_and_then(self, event: Event) -> None:
        now = time.monotonic()
        if now - self._said > PLAIN_SECONDS:
            self._said = now
            self._line(f"{event.step}: {', '.join(self.watch.figures(event))}")

    def _line(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)


class Screen(Quiet):
    """On a terminal: a line for each finished step, below them the one at work and the scores so far."""

    def __init__(self, console: Console, watch: Watch) -> None:
        super().__init__(watch)
        self.console = console
        self._live = RichLive(
            console=console, get_renderable=self._drawn, refresh_per_second=FRAMES, transient=True
        )
        self.tell = Seldom(self._tell)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *trace: object) -> None:
        self._live.stop()
        super().__exit__(kind, error, *trace)

    def _tell(self, event: Event) -> None:
        self.watch.take(event)
        if event.kind in ("note", "wait"):
            self.console.print(Text(f"  {event.step}: {visible(event.text)}", style="yellow"))
        elif event.kind in ("done", "cached"):
            dim = "dim" if event.kind == "cached" else ""
            self.console.print(
                Text(finished(self.watch, event), style=dim), no_wrap=True, overflow="ellipsis"
            )

    def _drawn(self) -> RenderableType:
        parts: list[RenderableType] = [] if self.watch.at is None else [self._at_work(self.watch.at)]
        pictures = not self.console.options.ascii_only
        for line in self.watch.trends(pictures):
            parts.append(Text(visible(line), no_wrap=True, overflow="ellipsis"))
        return Group(*parts)

    def _at_work(self, event: Event) -> Table:
        """Name, bar, and as many figures as there is room for."""
        row = Table.grid(padding=(0, 1))
        row.add_column(no_wrap=True, min_width=min(NAME, self.console.width // 2))
        cells: list[RenderableType] = [Text(event.step, style="bold")]
        room = self.console.width - max(NAME, len(event.step)) - 1
        if room >= 3 * BAR:
            row.add_column(width=BAR, no_wrap=True)
            cells.append(ProgressBar(total=event.total or None, completed=event.done, pulse=not event.total))
            room -= BAR + 1
        row.add_column(no_wrap=True)
        figures = self.watch.figures(event) or ["starting"]
        while len(figures) > 1 and len("  ".join(figures)) > room:
            figures.pop()
        cells.append(Text("  ".join(figures), overflow="ellipsis"))
        row.add_row(*cells)
        return row


class JsonLines(Quiet):
    """One JSON object per event and line, for machines; docs/progress.md says what its fields are."""

    def __init__(self, watch: Watch, out: IO[str] | None = None) -> None:
        super().__init__(watch)
        self._out = out
        self.tell = Seldom(self._tell, JSON_SECONDS)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *trace: object) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.say({"event": "stopped", "text": self.watch.safe()})
        elif isinstance(error, IsheepError):
            self.say({"event": "error", "text": error.message, "hint": error.hint})

    def _tell(self, event: Event) -> None:
        self.watch.take(event)
        over = event.kind in ("done", "cached")
        rate, tokens = self.watch.pace.rates(whole=over) if event.kind != "cached" else (None, None)
        left = self.watch.pace.left(event) if event.kind == "progress" else None
        self.say(
            {
                "event": event.kind,
                "step": event.step,
                "iteration": event.iteration,
                "done": event.done,
                "total": event.total,
                "unit": event.unit,
                "rate": rate and round(rate, 3),
                "eta_seconds": left and round(left, 1),
                "tokens": event.tokens,
                "tokens_per_second": tokens and round(tokens, 1),
                "kept": event.kept,
                "written": event.written,
                "seconds": event.seconds,
                "scores": dict(event.scores),
                "text": event.text,
            }
        )

    def result(self, name: str, folder: Path, summary: Mapping[str, Any]) -> None:
        """The last line: where the run is and what it came to."""
        rows = [{"iteration": i["iteration"], **row} for i in summary["iterations"] for row in i["scores"]]
        self.say({"event": "result", "run": name, "folder": str(folder), "report": str(folder / "report.html"),
                  "result": summary["result"], "stopped": summary["stopped"], "scores": rows})  # fmt: skip

    def say(self, fields: dict[str, Any]) -> None:
        """Any event, with its time."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        out = self._out or sys.stdout
        out.write(json.dumps({"time": now, **fields}, allow_nan=False) + "\n")
        out.flush()


def finished(watch: Watch, event: Event) -> str:
    """The line of a step that is over."""
    return f"{watch.place()} {event.step:<{NAME}} {', '.join(watch.figures(event))}"
