"""What a person sees while a sweep runs, and which runs are one arm."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from isheep.plan import make_plan
from isheep.runs import register
from isheep.step import Event
from isheep.store import Store
from isheep.sweep import JobEvent, arms_of, run_sweep
from isheep.view_sweep import SweepLive
from toy import toy
from toy_sweep import toy_sweep


def shown(folder: Path, **given: bool) -> tuple[SweepLive, io.StringIO]:
    out = io.StringIO()
    return SweepLive(Console(file=out, width=120, **given), toy_sweep(folder)), out  # type: ignore[arg-type]


def test_progress_where_there_is_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isheep.view_sweep.PLAIN_SECONDS", -1.0)
    live, out = shown(tmp_path)
    with live:
        run_sweep(toy_sweep(tmp_path), tmp_path / "store", tell=live.tell)
    lines = out.getvalue().splitlines()
    steps = [line for line in lines if "steps of at most 36" in line]
    assert steps[0].startswith("1 steps of at most 36, 0 s spent, about ")
    assert steps[-1].startswith("36 steps of at most 36")
    assert steps[-1].endswith("about 0 s left")
    assert [line for line in lines if line.startswith("[4/4] random seed 1")]


def test_what_is_in_the_store_counts_as_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_sweep(toy_sweep(tmp_path, only=[0]), tmp_path / "store")
    monkeypatch.setattr("isheep.view_sweep.PLAIN_SECONDS", -1.0)
    live, out = shown(tmp_path)
    with live:
        run_sweep(toy_sweep(tmp_path), tmp_path / "store", tell=live.tell)
    assert "\n19 steps of at most 36" in out.getvalue()


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    live, out = shown(tmp_path, force_terminal=True)
    with live:
        run_sweep(toy_sweep(tmp_path), tmp_path / "store", tell=live.tell)
    assert "steps, left" in out.getvalue()
    assert "steps of at most" not in out.getvalue()


def test_why_a_run_failed_cannot_drive_the_terminal(tmp_path: Path) -> None:
    live, out = shown(tmp_path)
    live.tell(JobEvent("start", "best", 0))
    live.tell(JobEvent("step", "best", 0, Event("progress", "responses.0", 1, 2, "answers")))
    live.tell(JobEvent("failed", "best", 0, text="it wrote [red]\x1b[31m\u202e"))
    assert out.getvalue().strip().endswith("failed: it wrote [red]\\x1b[31m\\x202e")


def test_runs_that_differ_in_nothing_but_their_seed_are_one_arm(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    runs = [
        register(make_plan(toy(tmp_path, *overrides, seed=seed)), store, name)
        for name, seed, overrides in (
            ("a0", 0, ()),
            ("b0", 0, ("train.epochs=3.0",)),
            ("a1", 1, ("name=other", "description=the same", "runtime.batch_size=3")),
            ("b2", 2, ("train.epochs=3.0",)),
            ("c", 0, ("report.samples=1",)),
        )
    ]
    assert {arm: [run.name for run in found] for arm, found in arms_of(runs).items()} == {
        "a0": ["a0", "a1"],
        "b0": ["b0", "b2"],
        "c": ["c"],
    }
