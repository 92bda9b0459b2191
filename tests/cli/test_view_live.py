"""What is shown of a run while it works: figures, the live line at any width, lines without a terminal, JSON."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from isheep.errors import YieldError
from isheep.events import Event, Seldom, Teller
from isheep.records import Decision, Instruction, ModelRef, Pair
from isheep.view_live import JsonLines, Lines, Screen, display
from isheep.watch import Pace, Watch, clock, sparkline


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def progress(done: int, tokens: int = 0, **more: Any) -> Event:
    return Event("progress", "responses.0", done, 100, "answers", tokens=tokens, **more)


def console(width: int = 80, terminal: bool = True) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, legacy_windows=False)


def said(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def test_a_rate_counts_this_go_alone_and_looks_back_a_minute() -> None:
    time = Clock()
    pace = Pace(time)
    pace.see(progress(40, 4000))  # what an interrupted go had done
    assert pace.rates() == (None, None)
    time.now += 10
    pace.see(progress(50, 4500))
    assert pace.rates() == (1.0, 50.0)
    assert pace.left(progress(50)) == 50.0
    for _ in range(40):
        time.now += 10
        pace.see(progress(50, 4500))
    assert pace.rates() == (None, None), "it stands still"
    assert pace.rates(whole=True) == pytest.approx((10 / 410, 500 / 410))


def test_a_step_counts_what_it_wrote_and_kept() -> None:
    told: list[Event] = []
    teller = Teller(told.append, "instructions.0", 0)
    teller.count([Instruction(str(n), "x", "", (), "s", None if n else "length") for n in range(3)])
    teller.count([Pair("a", "x", "", "y", "stop", True, 5, 7)])
    teller.report(2, 9, "tasks")
    assert told == [Event("progress", "instructions.0", 2, 9, "tasks", tokens=7, kept=2, written=3)]
    teller.count([Decision("a", False, "x", None, None), ModelRef("m", "f", "q", trained_tokens=30)])
    teller.say("done", seconds=1.5)
    assert told[-1] == Event("done", "instructions.0", 2, 9, "tasks", "", 1.5, 0, 37, 2, 4)


def test_progress_is_passed_on_now_and_then_and_always_its_end() -> None:
    heard: list[Event] = []
    tell = Seldom(heard.append, 3600)
    for event in (Event("start", "a"), *map(progress, range(1, 101)), Event("note", "a"), Event("done", "a")):
        tell(event)
    assert [(e.kind, e.done) for e in heard] == [
        ("start", 0), ("progress", 1), ("progress", 100), ("note", 0), ("done", 0),
    ]  # fmt: skip


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_a_sparkline_has_a_bar_for_each_score_and_the_greatest_is_highest(values: list[float]) -> None:
    line = sparkline(values)
    assert len(line) == len(values)
    assert line[values.index(max(values))] == max(line)
    assert line[values.index(min(values))] == min(line)


def test_scores_by_iteration_are_a_trend() -> None:
    watch = Watch(3)
    for t, value in enumerate((0.57, 0.734, 0.718)):
        watch.take(Event("done", f"evaluate.{t}", iteration=t, scores={"lamb/accuracy_greedy": value}))
    watch.take(Event("cached", "judged.0", scores={"talk/grade": 7.25}))
    assert watch.trends() == ["lamb accuracy_greedy  ▁█▇  57.0, 73.4, 71.8 %", "talk grade  ▄  7.25"]
    assert watch.trends(pictures=False)[0] == "lamb accuracy_greedy  57.0, 73.4, 71.8 %"


@pytest.mark.parametrize("width", [10, 30, 50, 80, 200])
def test_the_live_line_fits_any_terminal(width: int) -> None:
    time = Clock()
    shown = console(width)
    screen = Screen(shown, Watch(9, time))
    with screen:
        screen.tell(Event("start", "turn2.responses.10", iteration=10))
        screen.tell(progress(1, 10, kept=1, written=1))
        time.now += 10
        screen.watch.take(progress(51, 1010, kept=40, written=51))
        screen.watch.take(Event("done", "evaluate.1", iteration=1, scores={"lamb/accuracy_greedy": 0.5}))
        screen.watch.take(progress(51, 1010, kept=40, written=51))
        lines = [
            "".join(segment.text for segment in line).rstrip()
            for line in shown.render_lines(screen._drawn(), pad=False)
        ]
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    if width == 200:
        for figure in ("51/100 answers", "10 s left", "kept 40 of 51", "5.0/s", "100 tokens/s"):
            assert figure in lines[0]
    if width >= 50:
        assert "51/100 answers" in lines[0]
        assert "▄  50.0 %" in lines[1]


def test_lines_hold_no_control_characters() -> None:
    shown = console(terminal=False)
    with display(shown, 2) as live:
        assert isinstance(live, Lines)
        live.tell(Event("start", "a"))
        live.tell(progress(3))
        live.tell(Event("note", "a", text="[red]\x1b[31m\u202e"))
        live.tell(Event("done", "a", 3, 3, "tasks", seconds=75, iteration=1, scores={"t\x1b/acc": 0.5}))
    assert said(shown).splitlines() == [
        "a: started",
        "  a: [red]\\x1b[31m\\x202e",
        "[1/2] a                  1:15, 3 tasks",
        "  t\\x1b acc  50.0 %",
    ]


def test_a_progress_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isheep.view_live.PLAIN_SECONDS", -1.0)
    shown = console(terminal=False)
    with display(shown) as live:
        live.tell(progress(3))
    assert said(shown) == "responses.0: 3/100 answers\n"


def test_json_fields_are_always_the_same() -> None:
    out = io.StringIO()
    lines = JsonLines(Watch(2), out)
    for event in (Event("start", "a"), progress(3, 7, kept=1, written=2), Event("cached", "b")):
        lines.tell(event)
    with pytest.raises(YieldError), lines:
        raise YieldError("nothing left", "try more")
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    common = ["time", "event", "step", "iteration", "done", "total", "unit", "rate", "eta_seconds", "tokens"]
    fields = [*common, "tokens_per_second", "kept", "written", "seconds", "scores", "text"]
    assert [list(one) for one in told[:3]] == [fields] * 3
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told[0]["time"])
    assert (told[1]["done"], told[1]["tokens"], told[1]["kept"], told[1]["written"]) == (3, 7, 1, 2)
    assert (told[3]["event"], told[3]["text"], told[3]["hint"]) == ("error", "nothing left", "try more")


def test_times_in_words() -> None:
    assert [clock(s) for s in (0.4, 59, 60, 3599.6, 3800)] == ["0 s", "59 s", "1:00", "1:00:00", "1:03:20"]
