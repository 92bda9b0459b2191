"""Talking through a pipe and in a terminal: commands, columns, votes, and text that would like to be more than text."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from echo import BASE, ONE, TWO, Echo
from rich.console import Console
from typer.testing import CliRunner

from isheep.cli import app
from isheep.errors import IsheepError
from isheep.records import Completion
from isheep.runs import Run
from isheep.talk.blind import SIDES, Blind
from isheep.talk.conversation import Conversation, Decoding, Models
from isheep.talk.preferences import read
from isheep.talk.terminal import Screen, blind, chat


def reading(*lines: str) -> Callable[[str], str | None]:
    left = iter(lines)
    return lambda prompt: next(left, None)


def screen(width: int, *names: str, terminal: bool = False) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, markup=False, color_system=None)
    return Screen(console, names), out


def chatted(*lines: str) -> str:
    shown, out = screen(80, "M0 (base)", "M1")
    chat(Conversation(Models(Echo(), (BASE, ONE), Decoding(9))), shown, reading(*lines))
    return out.getvalue()


def test_questions_and_commands_on_a_pipe() -> None:
    assert chatted("a", "/retry", "/reset", "/retry", "", "//b", "/quit", "c") == (
        "M0 (base): None.1\nM1: 0.2\nM0 (base): None.3\nM1: 0.4\nforgotten\nnothing was asked yet\n"
        "M0 (base): None.5\nM1: 0.6\n"
    )


def test_an_answer_that_was_cut_says_so_on_a_pipe() -> None:
    for as_json, said in ((False, "None.1\n(cut at --max-tokens)\n"), (True, '"notes": {"M0": "cut at')):
        shown, out = screen(80, "M0 (base)")
        shown.as_json = as_json
        chat(Conversation(Models(Echo("length"), (BASE,), Decoding(9))), shown, reading("a"))
        assert said in out.getvalue()


def test_help_lists_the_commands_and_others_are_no_question() -> None:
    said = chatted("/help", "/nonsense at all")
    assert all(word in said for word in ("/retry", "/reset", "/help", "/quit"))
    assert said.endswith("no command /nonsense; /help lists them\n")


def test_columns_where_there_is_room() -> None:
    for width, rows in ((100, 1), (60, 2)):
        shown, out = screen(width, "M0 (base)", "M1", terminal=True)
        chat(Conversation(Models(Echo(), (BASE, ONE), Decoding(9))), shown, reading("a"))
        last = out.getvalue().rpartition("\x1b[2K")[2]  # what stays when the live picture is taken away
        assert last.count("╭") == 2
        assert len([line for line in last.splitlines() if "╭" in line]) == rows


def test_what_a_model_writes_stays_text() -> None:
    class Hostile(Echo):
        def answer(self, adapter: int | None, request: object, tell: Callable[[str], None]) -> Completion:
            text = "\x1b[31m[bold]red[/bold]\u202e"
            tell(text)
            return Completion("x", text, "stop", 1, 1)

    for terminal in (False, True):
        shown, out = screen(80, "M0 (base)", terminal=terminal)
        chat(Conversation(Models(Hostile(), (BASE,), Decoding(9))), shown, reading("a"))
        assert "␛[31m[bold]red[/bold]⟦U+202E⟧" in out.getvalue()
        assert "\x1b[31m" not in out.getvalue()


def test_ctrl_c_breaks_one_answer_off() -> None:
    class Slow(Echo):
        def answer(self, adapter: int | None, request: object, tell: Callable[[str], None]) -> Completion:
            if len(self.asked) == 1:
                self.asked.append(self.asked[0])
                raise KeyboardInterrupt
            return super().answer(adapter, request, tell)  # type: ignore[arg-type]

    shown, out = screen(80, "M0 (base)")
    chat(Conversation(Models(Slow(), (BASE,), Decoding(9))), shown, reading("a", "b", "c"))
    assert out.getvalue() == "None.1\nbroken off; it is not part of the conversation\nNone.3\n"


def test_a_blind_session(own_run: Run) -> None:
    session = Blind(own_run, Models(Echo("length"), (BASE, TWO), Decoding(9)))
    shown, out = screen(200, *SIDES)
    blind(session, shown, reading("q", "better?", "A", "r", "skip", "s", "tie", "t", "/quit", "u"))
    assert [(vote.question, vote.vote) for vote in read(session.path)] == [
        ("q", "a"),
        ("r", "skip"),
        ("s", "tie"),
    ]
    said = out.getvalue()
    assert "answer a, b, tie or skip" in said
    assert "cut" not in said  # a note would give one of them away
    before, _, closing = said.rpartition("\n" + session.closing().split(":")[0])
    assert closing
    assert "M0" not in before
    assert "M2" not in before


# ---------------------------------------------------------------- the verb


def start(run: Run, *words: str, **streams: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "isheep", "chat", "last", "--store", str(run.store.root), *words]
    return subprocess.Popen(command, **streams)  # type: ignore[call-overload,no-any-return]


def test_the_verb_on_a_pipe(own_run: Run) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    child = start(own_run, "--json", "--iterations", "0,2", **pipes)
    out, err = child.communicate(b"Name a fruit.\n/nonsense\nAnother?\n")
    assert (child.returncode, err) == (0, b"")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["question"] for row in rows] == ["Name a fruit.", "Another?"]
    assert all(list(row["answers"]) == ["M0", "M2"] for row in rows)
    assert rows[0]["answers"]["M0"] != rows[0]["answers"]["M2"]


def test_the_verb_in_a_terminal(own_run: Run) -> None:
    """Through a pseudo-terminal: asked, answered in columns, voted, and told what came of it."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": "100", "LINES": "40", "TERM": "xterm"}
    child = start(own_run, "--blind", stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    seen = ""
    try:
        for expected, typed in (
            (r"> ", "Name a fruit.\n"),
            (r"skip\? ", "b\n"),
            (r"> ", "/quit\n"),
            (r"even", ""),
        ):
            seen = until(ours, expected)
            os.write(ours, typed.encode())
        assert child.wait(60) == 0
    finally:
        child.kill()
        os.close(ours)
    assert "win rate" in seen
    (vote,) = read(own_run.folder / "preferences.jsonl")
    assert (vote.question, vote.vote, vote.winner) == ("Name a fruit.", "b", vote.order[1])


def until(terminal: int, pattern: str) -> str:
    """Read what the other side writes, up to this."""
    seen, deadline = "", time.monotonic() + 60
    while not re.search(pattern, seen):
        assert time.monotonic() < deadline, seen
        seen += os.read(terminal, 4096).decode(errors="replace")
    return seen


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--iterations", "0,9"), "no model 9"),
        (("--iterations", "x"), "no list of numbers"),
        (("--blind", "--iterations", "0"), "between two models"),
    ],
)
def test_mistakes_are_said_before_a_model_is_loaded(
    own_run: Run, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isheep.talk.models.open_models", lambda *_: pytest.fail("a model was loaded"))
    with pytest.raises(IsheepError, match=said):
        CliRunner().invoke(
            app, ["chat", "last", "--store", str(own_run.store.root), *words], catch_exceptions=False
        )


@pytest.mark.parametrize(
    ("verb", "words"), [("chat", ("--blind", "--web", "/retry")), ("serve", ("--iteration", "curl", "vllm"))]
)
def test_help_teaches(verb: str, words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(app, [verb, "--help"]).output
    assert all(word in said for word in words)
