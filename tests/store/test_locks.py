"""Both kinds of lock keep one contract; and what only a lease does: be taken over, be lost, be given back."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from isheep.errors import StoreError
from isheep.store import lease, lock, owner
from isheep.store.lease import Lease, LeaseFile
from isheep.store.mounts import is_shared, kind_of

LOCKER = Path(__file__).with_name("locker.py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "score-0123.lock"


@contextlib.contextmanager
def locker(path: Path, turns: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, str(LOCKER), str(path), str(path.parent.parent / "counter"), str(turns), *more]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def hear(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"


def wait_for(place: lock.LockFile) -> lock.Lock:
    while (held := place.take()) is None:
        time.sleep(0.02)
    return held


# ---------------------------------------------------------------- the contract


def test_one_holds_it_and_says_who(path: Path, locks: str) -> None:
    first = lock.take(path)
    assert first is not None
    assert bool(first.token) == (locks == "lease")
    assert lock.take(path) is None
    assert lock.at(path).holder().startswith(f"process {os.getpid()} on ")
    first.check()
    first.release()
    assert list(path.parent.iterdir()) == []
    assert lock.at(path).holder() == "another process"
    second = lock.take(path)
    assert second is not None
    assert second.token != first.token or locks == "flock"
    second.release()


def test_of_many_one_at_a_time(path: Path, locks: str) -> None:
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(locker(path, 5)) for _ in range(5)]
        for one in many:
            assert one.wait(60) == 0
    assert (path.parent.parent / "counter").read_text() == "25"
    assert list(path.parent.iterdir()) == []


def test_a_holder_that_is_killed_is_replaced_at_once(path: Path, locks: str) -> None:
    with locker(path, 0) as process:
        hear(process)
        assert lock.take(path) is None
        process.kill()
        process.wait()
        begun = time.monotonic()
        held = wait_for(lock.at(path))
        assert time.monotonic() - begun < lease.lease_seconds() / 3, "not by waiting for the lease to end"
        held.check()
        held.release()


def test_the_kind_goes_by_the_file_system_or_by_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ISHEEP_LOCKS", raising=False)
    for shared, kind in ((True, "lease"), (False, "flock")):
        monkeypatch.setattr("isheep.store.lock.is_shared", lambda folder, shared=shared: shared)
        assert lock.kind_for(tmp_path) == kind
    monkeypatch.setenv("ISHEEP_LOCKS", "lease")
    assert lock.kind_for(tmp_path) == "lease"
    monkeypatch.setenv("ISHEEP_LOCKS", "hope")
    with pytest.raises(StoreError, match="ISHEEP_LOCKS=hope") as caught:
        lock.kind_for(tmp_path)
    assert caught.value.hint == "choose one of auto, flock, lease"


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "inf"])
def test_a_lease_is_a_number_of_seconds(seconds: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISHEEP_LEASE_SECONDS", seconds)
    with pytest.raises(StoreError, match="is no lease"):
        lease.lease_seconds()


def test_mounts(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "some one"
    text = (
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        f"30 27 0:30 / {tmp_path}/home rw shared:2 master:1 - nfs4 server:/home rw,vers=4.2\n"
        f"31 30 0:31 / {tmp_path}/home/some\\040one rw - xfs /dev/vdb rw\n"
        f"32 30 0:32 / {tmp_path}/homes rw - fuse.sshfs somewhere: rw\n"
        f"33 30 0:33 / {tmp_path}/twice rw - lustre a rw\n"
        f"34 30 0:34 / {tmp_path}/twice rw - tmpfs b rw\n"
        "nonsense\n\n"
    )
    mounts = tmp_path / "mountinfo"
    mounts.write_text(text)
    kinds = {
        tmp_path / "home": "nfs4",
        tmp_path / "home" / "not" / "yet": "nfs4",
        folder / "x": "xfs",
        tmp_path / "homes": "fuse.sshfs",
        tmp_path / "home2": "ext4",
        tmp_path / "twice": "tmpfs",
    }
    for place, kind in kinds.items():
        assert kind_of(place, mounts) == kind, place
        assert is_shared(place, mounts) == (kind in ("nfs4", "fuse.sshfs"))
    assert kind_of(tmp_path, tmp_path / "absent") == ""
    assert not is_shared(tmp_path, tmp_path / "absent")


# ---------------------------------------------------------------- leases


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setenv("ISHEEP_LOCKS", "lease")
    monkeypatch.setenv("ISHEEP_LEASE_SECONDS", "2")
    return 2.0


def test_a_lease_that_is_renewed_is_never_taken(path: Path, short: float) -> None:
    with locker(path, 0, "elsewhere") as process:
        hear(process)
        place = lock.at(path)
        end = time.monotonic() + 2 * short
        while time.monotonic() < end:
            assert place.take() is None
            time.sleep(0.05)


@pytest.mark.parametrize("stamp", [0, 4_000_000_000])
def test_one_of_another_machine_is_taken_when_it_stands_still_whatever_its_clock(
    path: Path, short: float, stamp: int
) -> None:
    with locker(path, 0, "elsewhere") as process:
        hear(process)
        process.kill()
        process.wait()
        os.utime(path, (stamp, stamp))
        place = lock.at(path)
        begun = time.monotonic()
        held = wait_for(place)
        assert time.monotonic() - begun >= short - 0.1
        held.release()


def test_the_promise_of_the_holder_counts_not_the_patience_of_the_waiter(
    path: Path, short: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locker(path, 0, "elsewhere") as process:
        hear(process)
        os.kill(process.pid, signal.SIGSTOP)
        monkeypatch.setenv("ISHEEP_LEASE_SECONDS", "0.01")
        place = lock.at(path)
        assert place.take() is None
        time.sleep(0.1)
        assert place.take() is None


def test_who_slept_too_long_is_told(path: Path, short: float) -> None:
    first = lock.take(path)
    assert isinstance(first, Lease)
    freeze(first)
    second = wait_for(LeaseFile(path))
    with pytest.raises(StoreError, match="another has taken over") as caught:
        first.check()
    assert "run the same command again" in caught.value.hint
    first.release()
    second.check()
    assert lock.at(path).take() is None, "the release of a lost lock frees nothing"
    second.release()


def test_who_slept_too_long_alone_goes_on(path: Path, short: float) -> None:
    first = lock.take(path)
    assert isinstance(first, Lease)
    freeze(first)
    first._confirmed -= 100
    before = path.read_bytes()
    first.check()
    assert path.read_bytes() != before, "it beats again"
    first.release()
    assert not path.exists()


def test_a_disk_that_cannot_be_reached_is_said(
    path: Path, short: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lock.take(path)
    assert isinstance(first, Lease)
    freeze(first)
    first._confirmed -= 100

    def stale(*args: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(lease, "_read", stale)
        with pytest.raises(StoreError, match="cannot renew the lock"):
            first.check()
    first.release()


def test_a_fresh_lock_that_was_taken_by_mistake_is_given_back(path: Path, short: float) -> None:
    """A waiter that was slow between looking and renaming finds another lock than the one it looked at."""
    first = lock.take(path)
    assert first is not None
    assert not lease._remove(path, lambda text: False)
    first.check()
    assert owner.parse(path.read_bytes())["token"] == first.token
    assert len(list(path.parent.iterdir())) == 1
    first.release()


def freeze(held: Lease) -> None:
    """As if its process were stopped."""
    held._stop.set()
    held._thread.join()
    held._stop.clear()
    held._confirmed -= held._mine["lease"]


# what network file systems answer


def test_the_answer_to_link_may_be_lost(path: Path, short: float, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def again(source: Any, target: Any) -> None:
        real(source, target)
        raise FileExistsError(errno.EEXIST, "the second try of a request that was done")

    monkeypatch.setattr(os, "link", again)
    held = lock.take(path)
    assert held is not None
    held.release()


def test_the_answer_to_rename_may_be_lost(path: Path, short: float, monkeypatch: pytest.MonkeyPatch) -> None:
    held = lock.take(path)
    assert held is not None
    real = os.rename

    def again(source: Any, target: Any) -> None:
        real(source, target)
        raise FileNotFoundError(errno.ENOENT, "the second try of a request that was done")

    monkeypatch.setattr(os, "rename", again)
    held.release()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_without_hard_links(path: Path, short: float, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*args: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    first = lock.take(path)
    assert isinstance(first, Lease)
    assert lock.take(path) is None
    assert not lease._remove(path, lambda text: False)
    first.check()
    freeze(first)
    second = wait_for(LeaseFile(path))
    with pytest.raises(StoreError, match="another has taken over"):
        first.check()
    first.release()
    second.release()
    assert list(path.parent.iterdir()) == []


def test_a_refusal_for_another_reason_is_said(
    path: Path, short: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StoreError, match=r"cannot lock .*No space left"):
        lock.take(path)
    assert list(path.parent.iterdir()) == []


# whether a process is gone


def test_a_process_of_another_place_is_never_gone() -> None:
    me = owner.whoami()
    gone: Callable[..., bool] = lambda **other: owner.is_gone({**me, **other})  # noqa: E731
    assert not gone()
    assert gone(pid=2**22 + 5), "no such process"
    assert gone(started="1"), "another process has its number now"
    assert not gone(pid=2**22 + 5, boot="another"), "after a reboot, or on another machine"
    assert not gone(pid=2**22 + 5, pids="pid:[1]"), "in another container"
    for text in (b"", b"{", b"[]", b"5", b'{"pid": "x"}', b"process 5 on host", json.dumps(me).encode()[:-1]):
        assert not owner.is_gone(owner.parse(text))
    assert owner.in_words({}) == "another process"


def test_where_there_is_no_proc_nobody_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "_PROC", tmp_path)
    owner._boot.cache_clear()
    try:
        assert not owner.is_gone({**owner.whoami(), "pid": 2**22 + 5})
    finally:
        owner._boot.cache_clear()
