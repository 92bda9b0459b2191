"""A worker that lost its lease can neither write into the next one's journal nor publish, whenever it wakes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isheep.errors import StoreError
from isheep.records import Completion
from isheep.store import Artifact, Claim, Store, owner
from isheep.store.works import Works

sys.path.insert(0, str(Path(__file__).parent))
from worker import work

Picture = Callable[[Path], dict[str, bytes]]
WORKER = Path(__file__).with_name("worker.py")
COUNT = 12


@pytest.fixture(autouse=True)
def _leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISHEEP_LOCKS", "lease")
    monkeypatch.setenv("ISHEEP_LEASE_SECONDS", "1")


@contextlib.contextmanager
def working(store: Store, key: str, pause: float) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, str(WORKER), str(store.root), key, str(COUNT), str(pause)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def whole(folder: Path, key: str, picture: Picture) -> dict[str, bytes]:
    with Store(folder / "unbroken").claim("score", key) as claim:
        assert isinstance(claim, Claim)
        return picture(work(claim, COUNT, 0).folder)


def test_stopped_and_woken_after_the_other_has_published(store: Store, key: str, picture: Picture) -> None:
    with working(store, key, 0.05) as first:
        until(lambda: store.journalled("score", key) >= 2)
        first.send_signal(signal.SIGSTOP)
        with store.claim("score", key) as second:
            assert isinstance(second, Claim)
            assert len(second.journal) >= 2, "it goes on from what the first one had written"
            made = work(second, COUNT, 0)
        first.send_signal(signal.SIGCONT)
        said, error = first.communicate(timeout=60)
        assert first.returncode == 1
        assert "published" not in said
        assert "another has taken over" in error
    assert made.manifest["process"] == os.getpid()
    assert picture(made.folder) == whole(store.root.parent, key, picture)
    assert made.verify() == []
    assert list((store.root / "work" / "score").iterdir()) == []
    assert list((store.root / "locks").iterdir()) == []


def test_stopped_and_woken_while_the_other_works(store: Store, key: str, picture: Picture) -> None:
    with working(store, key, 0.05) as first:
        until(lambda: store.journalled("score", key) >= 2)
        first.send_signal(signal.SIGSTOP)
        with working(store, key, 0.1) as second:
            assert second.stdout is not None
            line = second.stdout.readline()
            while not line.startswith("claimed"):
                line = second.stdout.readline()
            first.send_signal(signal.SIGCONT)
            _, error = first.communicate(timeout=60)
            assert first.returncode == 1
            assert "another has taken over" in error
            said, _ = second.communicate(timeout=60)
            assert second.returncode == 0
            assert said.strip() == "published"
    made = store.find("score", key)
    assert made is not None
    assert made.manifest["process"] == second.pid
    assert picture(made.folder) == whole(store.root.parent, key, picture)


def test_a_write_between_asking_and_losing_hits_nothing(store: Store, key: str, picture: Picture) -> None:
    """The first is stopped just after it was told that its lock is its own. All it does then is too late."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(store.claim("score", key))
        assert isinstance(first, Claim)
        first.journal.append(Completion("c0000", "line 0\nwith ünicode \u2028", "stop", 0, 0))
        (first.folder / ".checkpoints").mkdir()
        (first.folder / ".checkpoints" / "last").write_text("half way")
        open_file = stack.enter_context((first.folder / "adapter").open("wb", buffering=0))
        frozen = asleep(first)
        with store.claim("score", key) as second:
            assert isinstance(second, Claim)
            assert len(second.journal) == 1
            assert (second.folder / ".checkpoints" / "last").read_text() == "half way"
            (second.folder / "adapter").unlink()
            second.journal.append(Completion("c0001", "line 1\nwith ünicode \u2028", "stop", 1, 1))
            before = second.journal.path.read_bytes()

            first.journal.append(Completion("late", "", "stop", 0, 0))
            first.journal.sync()
            open_file.write(b"late")
            with pytest.raises(FileNotFoundError):
                (first.folder / "late").write_text("late")
            with pytest.raises(StoreError):
                first.publish({}, [Completion])
            assert store.find("score", key) is None
            assert second.journal.path.read_bytes() == before
            made = work(second, COUNT, 0)
        assert frozen._lost is False, "it was never asked again"
    assert picture(made.folder) == whole(store.root.parent, key, picture)
    assert [path.name for path in (store.root / "work" / "score").iterdir()] == []


def test_a_late_publish_of_the_whole_is_kept(store: Store, key: str) -> None:
    """Between taking the lock and taking the folder, the first may come back and publish: its result stands."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(store.claim("score", key))
        assert isinstance(first, Claim)
        asleep(first)
        place = Works.claim

        def late(self: Works, token: str) -> Path:
            Works.claim = place  # type: ignore[method-assign]
            assert isinstance(first, Claim)
            work(first, COUNT, 0)
            return place(self, token)

        Works.claim = late  # type: ignore[method-assign]
        with store.claim("score", key) as second:
            assert isinstance(second, Claim)
            made = work(second, COUNT, 0)
    assert made.verify() == []
    assert len(made.read(Completion)) == COUNT
    assert list((store.root / "work" / "score").iterdir()) == []


def test_who_wakes_up_with_all_its_records_written_is_told_why(store: Store, key: str) -> None:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(store.claim("score", key))
        assert isinstance(first, Claim)
        asleep(first, told=True)
        with store.claim("score", key) as second:
            assert isinstance(second, Claim)
            with pytest.raises(StoreError, match="another has taken over"):
                first.publish({}, [])


def asleep(claim: Claim, told: bool = False) -> object:
    """Stop the thread that renews this claim's lock; whatever its holder asks later, it is told all is well, unless
    `told`."""
    held = claim._check.__self__  # type: ignore[attr-defined]
    held._stop.set()
    held._thread.join()
    held._confirmed -= 1
    if not told:
        claim._check = claim.journal._check = lambda: None
    return held


# ---------------------------------------------------------------- what is left in work/


def left(store: Store, key: str, name: str, lines: int, who: object = None) -> Path:
    folder = store.root / "work" / "score" / name
    (folder / "files").mkdir(parents=True)
    line = (
        '{"type":"completion","record":{"id":"c%d","text":"","finish":"stop","prompt_tokens":0,"tokens":0}}\n'
    )
    (folder / "journal.jsonl").write_text("".join(line % i for i in range(lines)))
    if who is not None:
        (folder / "owner").write_text(json.dumps(who))
    return folder


@pytest.mark.parametrize("kind", ["lease", "flock"])
def test_the_next_takes_the_longest_and_clears_the_rest(
    store: Store, key: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISHEEP_LOCKS", kind)
    dead = {**owner.whoami(), "pid": 2**22 + 5}
    elsewhere = {**dead, "boot": "another"}
    left(store, key, f"{key}~aaa", 2, elsewhere)
    left(store, key, f"{key}~bbb", 3, dead)
    left(store, key, f"{key}~ccc.new", 4, elsewhere)
    left(store, key, f"{key}~ddd", 0)
    other = left(store, key, f"{key[:-1]}9~eee", 5, elsewhere)
    assert store.journalled("score", key) == 4
    with store.claim("score", key) as claim:
        assert isinstance(claim, Claim)
        assert len(claim.journal) == 3
        assert sorted(p.name.split("~")[0] for p in (store.root / "work" / "score").iterdir()) == [
            key[:-1] + "9",
            key,
        ]
    assert (store.root / "work" / "score" / key).is_dir(), "let go, it is nobody's"
    assert other.is_dir()
    assert store.collect_garbage([]) == [f"work/score/{key[:-1]}9", f"work/score/{key}"]
    assert list((store.root / "work" / "score").iterdir()) == []


def test_the_folder_of_a_dead_process_is_renamed_and_of_a_doubtful_one_copied(store: Store, key: str) -> None:
    dead = {**owner.whoami(), "pid": 2**22 + 5}
    for who, same in ((dead, True), ({**dead, "boot": "another"}, False), (None, False)):
        old = left(store, key, f"{key}~aaa", 2, who)
        number = (old / "journal.jsonl").stat().st_ino
        held_open = (old / "journal.jsonl").open("rb")  # so that its number is not given to the copy
        with store.claim("score", key) as claim:
            assert isinstance(claim, Claim)
            assert len(claim.journal) == 2
            assert (claim.journal.path.stat().st_ino == number) == same
        held_open.close()
        assert store.collect_garbage([]) == [f"work/score/{key}"]


def test_a_finished_step_leaves_no_work_behind(store: Store, key: str) -> None:
    with store.claim("score", key) as claim:
        assert isinstance(claim, Claim)
        work(claim, COUNT, 0)
    left(store, key, f"{key}~aaa", 2, {**owner.whoami(), "boot": "another"})
    with store.claim("score", key) as found:
        assert isinstance(found, Artifact)
    assert list((store.root / "work" / "score").iterdir()) == []
