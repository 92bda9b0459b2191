"""Terminals and signals: the command line in processes of its own."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ctrl_c import heard, stopped
from isheep.runs import Run, open_run
from isheep.store import Store
from toy import toy_file, write_lines


def start(folder: Path, *words: str, **env: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "isheep", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **env},
        start_new_session=True,
        preexec_fn=heard,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_with_few_letters(tmp_path: Path, encoding: str) -> None:
    toy_file(tmp_path)
    write_lines(tmp_path / "t\u00e9\u4e2d.jsonl", [{"instruction": "Zwei plus zwei?", "answers": ["vier"]}])
    words = ["run", "toy.yaml", "--set", "iterations=0", "--set", "evaluate.tasks=['t\u00e9\u4e2d.jsonl']"]
    out, err = (child := start(tmp_path, *words, PYTHONIOENCODING=encoding)).communicate(timeout=60)
    assert child.returncode == 0, err
    assert "\\u4e2d" in out.decode(encoding)


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_ctrl_c_says_how_to_go_on(tmp_path: Path, finished: Run, isolation: str) -> None:
    toy_file(tmp_path)
    endless = ("--set", "instructions.count=1000000", "--set", "instructions.overlap.threshold=1.0")
    words = ("run", "toy.yaml", "--set", f"runtime.isolation={isolation}", *endless)
    child = start(tmp_path, *words)
    store = tmp_path / "isheep-store"
    deadline = time.monotonic() + 60
    while not list(store.glob("work/instructions/*/journal.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.01)
    out, err = stopped(child)
    assert child.returncode == 130, (out, err)
    again = shlex.join(["isheep", *words])
    what, how = re.fullmatch(r"\n(.*)\n\n(.*)\n", err.decode()).groups()  # type: ignore[union-attr]
    # A step in a process of its own may be stopped before the first word of it came.
    assert re.fullmatch(
        r"5 of 23 steps are finished and kept(; instructions\.0 keeps (its [\d,]+ tasks|what it had written) too, "
        r"and does at most its last batch again)?",
        what,
    )
    assert isolation == "process" or ";" in what
    assert how == f"stopped; everything written so far is safe. Go on with: {again}"
    assert not open_run("last", store).complete
    (step,) = [s for s in open_run("last", store).steps if s.name == "instructions.0"]
    with Store(store).claim("instructions", step.key):
        pass  # nobody holds on to the step


def test_a_reader_that_has_seen_enough(tmp_path: Path, finished: Run) -> None:
    for words in (["show", "--json"], ["show"], ["recipes", "--schema"]):
        child = start(tmp_path, *words, *(["--store", str(finished.store.root)] if "show" in words else []))
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        said = child.stderr.read()
        child.wait(timeout=60)
        child.stderr.close()
        assert b"Traceback" not in said
        assert b"bug" not in said


def terminal_says(folder: Path, width: int, *words: str, **env: str) -> str:
    """What a run prints to a terminal of this width."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    child = subprocess.Popen(
        [sys.executable, "-m", "isheep", *words],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "TERM": "xterm-256color", **env},
    )
    os.close(theirs)
    out = io.BytesIO()
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        out.write(piece)
    os.close(ours)
    assert child.wait(timeout=60) == 0
    return out.getvalue().decode()


def test_a_terminal_shows_a_bar_and_gets_its_cursor_back(tmp_path: Path) -> None:
    toy_file(tmp_path)
    said = terminal_says(tmp_path, 80, "run", "toy.yaml", "--set", "iterations=1")
    assert "[14/14] review.0" in said
    assert said.rindex("\x1b[?25h") > said.rindex("\x1b[?25l"), "the cursor is shown again"


def test_no_color(tmp_path: Path) -> None:
    toy_file(tmp_path)
    said = terminal_says(tmp_path, 80, "run", "toy.yaml", "--set", "iterations=0", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", said)


def test_a_narrow_terminal(tmp_path: Path, finished: Run) -> None:
    said = terminal_says(tmp_path, 30, "show", "--store", str(finished.store.root), "--samples", "1")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)
    assert "scores in %" in plain
    assert "dropped, by reason and" in plain
