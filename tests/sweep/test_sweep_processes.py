"""Seeds side by side in processes of their own: the same bytes, and no one left behind when it is broken off."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ctrl_c import heard, stopped
from isheep.errors import BackendError
from isheep.store import Artifact, Store
from isheep.sweep import JobEvent, open_sweep, run_sweep
from toy_sweep import sweep_file, toy_sweep

#: Work that does not end by itself: every task counts as new.
ENDLESS = {"instructions": {"count": 1_000_000, "lists_per_round": 64, "overlap": {"threshold": 1.0}}}
#: Enough work for a process to be caught at it.
LONG = ("instructions.count=150", "instructions.lists_per_round=32")


def made(store: Path) -> dict[tuple[str, str], str]:
    """(stage, key) -> content of every artifact."""
    return {(a.stage, a.key): a.manifest["content"] for a in Store(store).artifacts()}


def free(store: Path) -> bool:
    """Whether nobody works on anything in a store."""
    for path in (store / "work").glob("*/*"):
        with Store(store).claim(path.parent.name, path.name) as claim:
            assert not isinstance(claim, Artifact)
    return True


def childless() -> bool:
    """Whether no child is left. The pool's own thread may still be about to write down that one has ended."""
    deadline = time.monotonic() + 5
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not multiprocessing.active_children()


def test_two_workers_make_the_same_bytes_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[JobEvent] = []
    monkeypatch.delenv("MALLOC_TOP_PAD_", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    loaded = toy_sweep(tmp_path, seeds=[0, 1, 2])
    alone = run_sweep(loaded, tmp_path / "one")
    together = run_sweep(loaded, tmp_path / "two", workers=2, tell=heard.append)
    assert made(tmp_path / "two") == made(tmp_path / "one")
    assert set(together.entries) == set(alone.entries)
    assert together.arms.keys() == alone.arms.keys()
    for runs in together.arms.values():
        assert [run.recipe.seed for run in runs] == [0, 1, 2]
        assert all(run.complete and run.folder.joinpath("report.html").is_file() for run in runs)
    for seed in range(3):
        said = [(e.kind, e.arm) for e in heard if e.seed == seed and e.kind != "step"]
        assert said == [("start", "best"), ("done", "best"), ("start", "random"), ("done", "random")]
    done = [e for e in heard if e.step and e.step.kind == "done"]
    assert len(done) == len(made(tmp_path / "one"))
    assert "MALLOC_TOP_PAD_" not in os.environ
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert childless()


def test_a_failing_arm_in_a_child_is_written_down(tmp_path: Path) -> None:
    arms = {"strict": {"filter": {"threshold": 10, "keep_fraction": None}}, "best": None}
    record = run_sweep(toy_sweep(tmp_path, arms=arms), tmp_path / "store", workers=2)
    assert {(e.arm, e.seed): e.error[:15] for e in record.entries} == {
        ("strict", 0): "the filter kept", ("best", 0): "", ("strict", 1): "the filter kept", ("best", 1): "",
    }  # fmt: skip


def test_ctrl_c_ends_the_children_and_nothing_is_lost(tmp_path: Path) -> None:
    def tell(event: JobEvent) -> None:
        if event.step and event.step.step == "responses.0" and event.step.kind == "progress":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(toy_sweep(tmp_path, *LONG), tmp_path / "store", workers=2, tell=tell)
    assert childless()
    assert free(tmp_path / "store")
    left = made(tmp_path / "store")
    assert any(stage == "instructions" for stage, _ in left)
    run_sweep(toy_sweep(tmp_path, *LONG), tmp_path / "store", workers=2)
    run_sweep(toy_sweep(tmp_path, *LONG), tmp_path / "other")
    assert made(tmp_path / "store") == made(tmp_path / "other")
    assert left.items() <= made(tmp_path / "store").items()


def test_a_child_that_is_killed_is_said_in_words(tmp_path: Path) -> None:
    killed = threading.Event()

    def tell(event: JobEvent) -> None:
        if not killed.is_set():
            killed.set()
            child = multiprocessing.active_children()[0]
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(BackendError) as caught:
        run_sweep(toy_sweep(tmp_path, *LONG), tmp_path / "store", workers=2, tell=tell)
    assert caught.value.message.startswith("a process of the sweep was killed")
    assert "--workers" in caught.value.hint
    assert childless()
    assert free(tmp_path / "store")


def test_ctrl_c_in_a_child_alone_does_nothing(tmp_path: Path) -> None:
    told: set[int | None] = set()

    def tell(event: JobEvent) -> None:
        for child in multiprocessing.active_children():
            if child.pid is not None and event.step and event.step.step == "responses.0":
                os.kill(child.pid, signal.SIGINT)
                told.add(child.pid)

    record = run_sweep(toy_sweep(tmp_path), tmp_path / "store", workers=2, tell=tell)
    assert len(told) == 2
    assert [entry.error for entry in record.entries] == [""] * 4


# on the command line


def start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """`isheep sweep` in a session of its own; returns when both children are at work."""
    sweep_file(folder, common=ENDLESS)
    child = subprocess.Popen(
        [sys.executable, "-m", "isheep", "sweep", "halves.yaml", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=heard,
    )
    deadline = time.monotonic() + 60
    while len(working(folder)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(working(folder)) == 2
    return child


def working(folder: Path) -> list[Path]:
    return list((folder / "isheep-store" / "work" / "instructions").glob("*/journal.jsonl"))


def gone(group: int) -> bool:
    """Whether no process of a session is left, within some seconds."""
    for _ in range(250):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_ctrl_c_on_a_terminal_says_how_to_go_on_and_nothing_else(tmp_path: Path) -> None:
    child = start(tmp_path, "--workers", "2")
    out, err = stopped(child)
    assert child.returncode == 130, (out, err)
    again = "isheep sweep halves.yaml --workers 2"
    assert err.decode() == f"\nstopped; everything written so far is safe. Go on with: {again}\n"
    assert gone(child.pid)
    assert free(tmp_path / "isheep-store")


def test_when_the_parent_is_killed_its_children_go_too(tmp_path: Path) -> None:
    child = start(tmp_path, "--workers", "2")
    child.kill()
    child.communicate()
    assert gone(child.pid)
    assert free(tmp_path / "isheep-store")


def test_what_a_sweep_wrote_is_whole_when_a_seed_is_done(tmp_path: Path) -> None:
    """The record is on the disk while the other seeds still run, not only at the end."""
    counts: list[int] = []

    def tell(event: JobEvent) -> None:
        path = tmp_path / "store" / "sweeps" / "halves" / "sweep.json"
        if path.is_file():
            counts.append(len(json.loads(path.read_text(encoding="utf-8"))["runs"]))

    run_sweep(toy_sweep(tmp_path, seeds=[0, 1, 2]), tmp_path / "store", workers=2, tell=tell)
    assert {2, 4} & set(counts)
    assert len(open_sweep("halves", tmp_path / "store").entries) == 6
