"""Several processes, and processes that are killed: one result, equal to that of an unbroken one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import isheep.store
from isheep.records import Completion
from isheep.store import Claim, Store, lock

sys.path.insert(0, str(Path(__file__).parent))
from worker import work

Picture = Callable[[Path], dict[str, bytes]]
pytestmark = pytest.mark.usefixtures("locks")
WORKER = Path(__file__).with_name("worker.py")
CODE = str(Path(isheep.store.__file__).parent)


def start(store: Store, key: str, count: int, pause: float) -> subprocess.Popen[str]:
    words = [sys.executable, str(WORKER), str(store.root), key, str(count), str(pause)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return said.strip()


def unbroken(folder: Path, key: str, count: int, picture: Picture) -> dict[str, bytes]:
    with Store(folder / "unbroken").claim("score", key) as claim:
        assert isinstance(claim, Claim)
        return picture(work(claim, count, 0).folder)


def finish(store: Store, key: str, count: int, picture: Picture) -> dict[str, bytes]:
    with store.claim("score", key) as held:
        made = work(held, count, 0) if isinstance(held, Claim) else held
    assert store.verify(made) == []
    assert not store.work_folder("score", key).exists()
    return picture(made.folder)


def test_killed_at_random_moments_it_ends_equal(store: Store, key: str, picture: Picture) -> None:
    whole = unbroken(store.root.parent, key, 40, picture)
    rng = random.Random(7)
    before = 0
    for _ in range(8):
        process = start(store, key, 40, 0.01)
        heard = hear(process)
        if heard == "found":
            break
        assert heard == f"claimed {before}"
        time.sleep(rng.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = store.journalled("score", key)
    assert finish(store, key, 40, picture) == whole


@pytest.mark.slow
def test_killed_at_any_line_of_the_store_it_ends_equal(tmp_path: Path, key: str, picture: Picture) -> None:
    """A forked child kills itself at the n-th executed line, for n = 1, 1 + step, ... until it ends."""
    whole = unbroken(tmp_path, key, 3, picture)
    step, moment, ended = 17, 1, False
    while not ended:
        store = Store(tmp_path / str(moment))
        child = os.fork()
        if child == 0:
            die_at(moment)
            with store.claim("score", key) as claim:
                assert isinstance(claim, Claim)
                work(claim, 3, 0)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        ended = os.WIFEXITED(status)
        assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)
        assert finish(store, key, 3, picture) == whole, moment
        moment += step
    assert moment > 30 * step


def die_at(moment: int) -> None:
    left = moment

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(CODE):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def test_one_works_the_other_waits_and_gets_it(store: Store, key: str, picture: Picture) -> None:
    first = start(store, key, 20, 0.1)
    assert hear(first) == "claimed 0"
    second = start(store, key, 20, 0)
    waiting = hear(second)
    assert waiting.startswith(f"waiting score {key[:12]} is being worked on by process {first.pid} on ")
    assert end(first) == "published"
    assert end(second) == "found"
    made = store.find("score", key)
    assert made is not None
    assert made.manifest["process"] == first.pid
    assert picture(made.folder) == unbroken(store.root.parent, key, 20, picture)
    assert list((store.root / "locks").iterdir()) == []


def test_when_the_first_dies_the_second_goes_on(store: Store, key: str, picture: Picture) -> None:
    first = start(store, key, 6, 0.4)
    assert hear(first) == "claimed 0"
    second = start(store, key, 6, 0)
    assert hear(second).startswith("waiting")
    while store.journalled("score", key) < 2:
        time.sleep(0.01)
    first.kill()
    first.communicate()
    said = end(second).splitlines()
    assert said[-1] == "published"
    assert int(said[0].removeprefix("claimed ")) >= 2
    assert finish(store, key, 6, picture) == unbroken(store.root.parent, key, 6, picture)


def test_a_crowd_publishes_once(store: Store, key: str) -> None:
    said = [end(process) for process in [start(store, key, 3, 0.02) for _ in range(5)]]
    assert sum("published" in one for one in said) == 1
    assert sum(one.endswith("found") for one in said) == 4
    assert list((store.root / "trash").iterdir()) == []


def test_garbage_collection_leaves_working_steps_alone(store: Store, key: str) -> None:
    process = start(store, key, 10, 0.03)
    assert hear(process) == "claimed 0"
    while process.poll() is None:
        assert store.collect_garbage({key}) == []
        if store.find("score", key) is None:
            assert store.collect_garbage(set()) == []
        time.sleep(0.02)
    assert "published" in end(process)


def test_a_lock_file_replaced_by_another_is_noticed(tmp_path: Path) -> None:
    """Its holder removes the file when it lets go; who opened the old file must take the new one."""
    path = tmp_path / "locks" / "one.lock"
    first = lock.take(path)
    assert first is not None
    assert lock.take(path) is None
    assert lock.at(path).holder().startswith(f"process {os.getpid()} on ")
    first.release()
    assert lock.at(path).holder() == "another process"
    second = lock.take(path)
    assert second is not None
    assert lock.take(path) is None
    second.release()
    assert not path.exists()


def test_records_are_readable_while_somebody_works(store: Store, key: str) -> None:
    with store.claim("score", key) as claim:
        assert isinstance(claim, Claim)
        claim.journal.append(Completion("a", "x", "stop", 1, 1))
        assert Store(store.root).journalled("score", key) == 1
        assert Store(store.root).find("score", key) is None
