"""Whole runs with two workers: record for record what one worker makes, also when one of them dies in the middle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isheep.files import PACKAGE
from isheep.recipe import load_recipe
from isheep.runs import open_run
from isheep.step import Event
from isheep.walk import run
from toy import contents, toy, toy_file, write_lines

pytest.importorskip("ray")
psutil = pytest.importorskip("psutil")

from isheep.backends.ray_pool import Pool  # noqa: E402
from ray_here import kill, pid, ray_here  # noqa: E402


def offspring(process: int) -> Iterator[tuple[int, str]]:
    """All living descendants: (pid, command)."""
    for child in psutil.Process(process).children(recursive=True):
        try:
            yield child.pid, " ".join(child.cmdline())
        except psutil.Error:
            continue


def test_a_run_on_the_command_line(tmp_path: Path) -> None:
    """Steps apart, Ray started for them; a worker is killed. Nothing of Ray is said or left behind."""
    short = [
        "iterations=1",
        "evaluate.tasks=[]",
    ]  # with nothing to ask the trained model, Ray is started once
    expected = contents(run(toy(tmp_path, *short), tmp_path / "one"))
    settings = [*short, "runtime.workers=2", "runtime.device=cpu", "runtime.isolation=process"]
    sets = [word for setting in settings for word in ("--set", setting)]
    where = tmp_path / "where"
    where.mkdir()
    (where / "random.py").write_text("raise SystemExit('not this one')")
    command = [sys.executable, "-P", "-m", "isheep", "run", str(toy_file(tmp_path)), *sets, "--store", "two"]
    seen: dict[int, str] = {}
    killed = None
    with (tmp_path / "said").open("wb") as said:
        child = subprocess.Popen(command, cwd=where, stdout=said, stderr=subprocess.STDOUT)
        while child.poll() is None:
            seen.update(offspring(child.pid))
            if killed is None:
                killed = next(
                    (pid for pid, command in seen.items() if command.startswith("ray::Worker")), None
                )
                if killed is not None:
                    kill(killed)
            time.sleep(0.05)
    words = (tmp_path / "said").read_text()
    assert child.returncode == 0, words
    assert killed is not None
    assert "ray" not in words.replace("runtime.ray", ""), words
    assert contents(open_run("last", where / "two")) == expected
    left = [pid for pid in seen if psutil.pid_exists(pid) and seen[pid] == _command(pid)]
    assert left == []
    drivers = [pid for pid, command in seen.items() if "isheep.worker" in command]
    assert drivers
    assert [p for pid in drivers for p in Path("/tmp/ray").glob(f"session_*_{pid}")] == []


def _command(process: int) -> str:
    try:
        return " ".join(psutil.Process(process).cmdline())
    except psutil.Error:
        return ""


@pytest.mark.slow
def test_lamb_with_a_worker_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        json.loads(line)
        for line in (PACKAGE / "lamb" / "held_out.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    settings = [
        "iterations=1", "instructions.count=60", "instructions.lists_per_round=16", "exam.questions=0",
        "train.epochs=1", f"evaluate.tasks=[{write_lines(tmp_path / 'few.jsonl', rows[:20])}]",
        "evaluate.base_layouts=[]", "runtime.batch_size=4", "runtime.device=cpu", "runtime.threads=1",
        "runtime.isolation=none",
    ]  # fmt: skip
    one = run(load_recipe("lamb", settings), tmp_path / "one")
    # Training is the same with any number of workers, and slow: what is asked of the model is done again.
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    again = ("instructions", "responses", "assessment", "evaluate")
    for stage in again:
        shutil.rmtree(tmp_path / "two" / "artifacts" / stage)
    pools: list[Pool] = []
    start = Pool.start
    monkeypatch.setattr(Pool, "start", lambda pool: (pools.append(pool), start(pool))[1])
    victims: list[int] = []

    def murderer(event: Event) -> None:
        if event.kind == "progress" and event.done and event.step == "responses.0" and not victims:
            victims.append(pid(pools[-1]._hands[1].actor))
            kill(victims[0])

    with ray_here():
        two = run(load_recipe("lamb", [*settings, "runtime.workers=2"]), tmp_path / "two", tell=murderer)
    assert victims
    assert contents(two) == contents(one)
    for stage in again:
        assert {a.manifest["device"] for a in two.artifacts(stage).values()} == {"2 x cpu: 1 threads"}
