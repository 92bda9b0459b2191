"""A run that is broken off, killed, shared by two processes, or done step by step in processes of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from isheep.backends.base import Runtime
from isheep.errors import BackendError, StoreError
from isheep.plan import Step, make_plan
from isheep.recipe_sections import RuntimeSettings
from isheep.runs import Run, open_run
from isheep.step import Event, Listener, do_step, fetch
from isheep.store import Artifact, Store
from isheep.walk import loads, needs_own_process, run
from isheep.worker import Worker
from listening import Ear
from toy import contents, toy, toy_file

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One finished toy run; read it, change nothing."""
    folder = tmp_path_factory.mktemp("finished")
    return run(toy(folder), folder / "store")


def test_interrupted_at_any_event_and_resumed(tmp_path: Path, finished: Run) -> None:
    """One run, broken off again and again after a few more events each time, ends like the unbroken one."""
    store = tmp_path / "store"
    times = 0
    made: Run | None = None
    while made is None and times < 400:
        times += 1
        heard = 0

        def tell(event: Event) -> None:
            nonlocal heard
            heard += event.kind != "cached"
            if heard > 11:
                raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt):
            made = run(toy(tmp_path), store, tell=tell)
    assert made is not None
    assert times > 10
    assert contents(made) == contents(finished)


@pytest.mark.slow
def test_killed_after_every_record_and_resumed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, HERE / "kill_everywhere.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    assert done.returncode == 0, done.stderr
    kills, _, _, steps, _ = done.stdout.split()
    assert int(kills) > 300
    assert int(steps) > 35


def command(folder: Path, store: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "isheep", "run", str(folder / "toy.yaml"), "--store", str(store), *words]


def test_two_processes_on_one_store_share_the_work(tmp_path: Path, finished: Run) -> None:
    toy_file(tmp_path)
    store = tmp_path / "store"
    workers = [
        subprocess.Popen(command(tmp_path, store), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [worker.communicate(timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    made = open_run("last", store)
    assert contents(made) == contents(finished)
    for step in made.steps:
        lines = [line for out, _ in said for line in out.splitlines() if f"] {step.name} " in line]
        assert len(lines) == 2
        assert sum("from the store" not in line for line in lines) == 1, (
            f"{step.name} was done twice: {lines}"
        )


def test_a_run_whose_process_is_killed_goes_on(tmp_path: Path, finished: Run) -> None:
    toy_file(tmp_path)
    store = tmp_path / "store"
    child = subprocess.Popen(command(tmp_path, store), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(store.glob("artifacts/responses/*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    child.kill()
    child.wait()
    assert contents(run(toy(tmp_path), store)) == contents(finished)


# a process for each step


def last_step(loaded: Any, store: Path) -> Step:
    """Do all but evaluate.0, and return that."""
    plan = make_plan(loaded)
    for step in plan.of("seeds"):
        do_step(step, Store(store), Runtime(), lambda event: None)
    return next(step for step in plan.steps if step.name == "evaluate.0")


def test_a_step_in_its_own_process_is_the_same_step(tmp_path: Path) -> None:
    ear = Ear()
    loaded = toy(tmp_path, "runtime.isolation=process", "iterations=1", "evaluate.tasks=[]")
    made = run(loaded, tmp_path / "store", tell=ear)
    alone = toy(tmp_path, "iterations=1", "evaluate.tasks=[]")
    assert contents(made) == contents(run(alone, tmp_path / "other"))
    assert ear.steps("done") == [step.name for step in made.steps]
    seen = [e.done for e in ear.events if e.kind == "progress" and e.step == "responses.0"]
    assert (seen, seen[0], seen[-1]) == (sorted(set(seen)), 0, 12)  # now and then, and always the last
    assert sorted(path.name.split("-")[0] for path in (tmp_path / "store" / "logs").iterdir()) == sorted(
        step.name for step in make_plan(loaded).steps if loads(step)
    )
    again = Ear()
    run(loaded, tmp_path / "store", tell=again)
    assert {event.kind for event in again.events} == {"cached"}


def do_apart(step: Step, store: Path, tell: Listener = lambda event: None) -> Artifact:
    """One step in a process that ends with it."""
    with contextlib.closing(Worker(Store(store), Runtime(), tell)) as worker:
        return worker.do(step)


def test_an_error_of_the_child_comes_back_as_it_was(tmp_path: Path) -> None:
    loaded = toy(tmp_path)
    store = tmp_path / "store"
    step = next(s for s in make_plan(loaded).steps if s.name == "instructions.0")
    with pytest.raises(StoreError) as caught:
        do_apart(step, store)
    assert "is not in the store" in caught.value.message
    assert caught.value.hint == "run the recipe again to make it"


def crashing(folder: Path, code: str) -> str:
    """A folder to put on the path, so that the child, and only the child, runs `code` when it starts."""
    (folder / "crash").mkdir()
    (folder / "crash" / "sitecustomize.py").write_text(
        f"import os, sys, signal\nif 'isheep.worker' in sys.orig_argv:\n    {code}\n"
    )
    return str(folder / "crash")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('last words', file=sys.stderr); os._exit(7)", "ended with code 7:\nlast words"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed (signal 9"),
    ],
)
def test_a_child_that_crashes_leaves_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    step = last_step(toy(tmp_path), tmp_path / "store")
    monkeypatch.setenv("PYTHONPATH", crashing(tmp_path, code))
    with pytest.raises(BackendError) as caught:
        do_apart(step, tmp_path / "store")
    assert said in caught.value.message
    assert "logs/evaluate.0-" in caught.value.hint
    monkeypatch.delenv("PYTHONPATH")
    do_apart(step, tmp_path / "store")
    assert fetch(Store(tmp_path / "store"), step.ref).verify() == []


def test_a_listener_that_raises_ends_the_child(tmp_path: Path) -> None:
    step = last_step(toy(tmp_path), tmp_path / "store")

    def tell(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        do_apart(step, tmp_path / "store", tell)
    with Store(tmp_path / "store").claim(step.stage, step.key):
        pass  # the child let go of its lock


def test_modules_in_the_working_directory_do_not_get_into_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = last_step(toy(tmp_path), tmp_path / "store")
    (tmp_path / "random.py").write_text("raise SystemExit('the wrong random')")
    monkeypatch.chdir(tmp_path)
    do_apart(step, tmp_path / "store")


@pytest.mark.parametrize(
    ("settings", "own"),
    [
        ({"isolation": "process"}, True),
        ({"isolation": "none", "device": "cuda"}, False),
        ({"device": "cuda:1"}, True),
        ({"device": "cpu"}, False),
    ],
)
def test_who_gets_a_process_of_its_own(settings: dict[str, Any], own: bool) -> None:
    assert needs_own_process(RuntimeSettings(**settings)) == own
