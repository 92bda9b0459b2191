"""A lock for file systems that several machines see: a file that its holder renews, and others take over when it does
not.

Knows: lock files. Does not know: what is guarded.

- Taking: a file of our own is linked to the lock's name, which succeeds for one only, on every version of NFS. Whether
  it did is read from the lock itself, as the answer to `link` can be lost on the way.
- Holding: a thread counts a beat up in the file a few times per lease.
- Taking over: who waits and sees the same beat for a whole lease, by its own clock, takes the lock. No two clocks are
  ever compared, so clocks that differ do no harm. A holder that ran on this machine and is gone is replaced at once.
- Losing: a process that was stopped for longer than the lease, or could not reach the disk, may come back to a lock
  that is somebody else's. `check` says so. It is asked before every write, but between its answer and the write the
  process can be stopped again; so whoever takes over also leaves the other's work folder to it (works.py), and a late
  write hits nothing.

A lease belongs to one process: a forked child does not keep it alive.
"""

from __future__ import annotations

import contextlib
import errno
import json
import operator
import os
import threading
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from isheep.errors import StoreError
from isheep.store import owner
from isheep.store.disk import in_words

#: Seconds without a beat after which a lock may be taken over, unless ISHEEP_LEASE_SECONDS says otherwise. Long enough
#: for a disk that hangs for a moment, short against the steps that it guards.
LEASE_SECONDS = 60.0
#: Beats per lease.
BEATS = 6
#: What systems answer that have no hard links (SMB, some FUSE).
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
#: A lock that is absent is looked at again this often, with these seconds between, before it counts as lost: somebody
#: may just be giving back what they took by mistake.
_LOOKS, _PAUSE = 10, 0.02


class Lease:
    """A held lock. Let go of it with `release`."""

    def __init__(self, path: Path, handle: int, mine: dict[str, Any]) -> None:
        self.path = path
        self.token: str = mine["token"]
        self._handle = handle
        self._mine = mine
        self._beat = 0
        self._confirmed = _clock()
        self._lost = False
        self._busy = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease {path.name}", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise StoreError if the lock was lost. Costs nothing while the last beat is fresh."""
        if not self._lost and _clock() - self._confirmed > self._mine["lease"] / 2:
            with in_words(f"cannot renew the lock {self.path}"):
                self._renew()
        if self._lost:
            raise StoreError(
                f"this process did not renew its lock {self.path.name} for too long (it was stopped, or could not "
                "reach the disk), and another has taken over",
                "run the same command again: it waits for the other and uses its result",
            )

    def release(self) -> None:
        """Stop renewing and remove the lock, if it is still ours."""
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            _remove(self.path, self._is_ours)
        os.close(self._handle)

    def _keep(self) -> None:
        while not self._lost and not self._stop.wait(self._mine["lease"] / BEATS):
            with contextlib.suppress(OSError):  # `check` tries again, and says what is wrong
                self._renew()

    def _renew(self) -> None:
        """One beat. Written into our own file, wherever it may have been moved: never into somebody else's lock."""
        with self._busy:
            begun = _clock()
            if not self._still_there():
                self._lost = True
                return
            self._beat += 1
            os.pwrite(self._handle, _text(self._mine, self._beat), 0)
            os.fsync(self._handle)
            self._confirmed = begun

    def _still_there(self) -> bool:
        for _ in range(_LOOKS):
            found = _read(self.path)
            if found is not None:
                return self._is_ours(found)
            time.sleep(_PAUSE)
        return False

    def _is_ours(self, text: bytes) -> bool:
        return owner.parse(text).get("token") == self.token


class LeaseFile:
    """The lock at one path, as one waiter sees it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: bytes | None = None
        self._since = 0.0

    def take(self) -> Lease | None:
        """Take the lock if it is free, or if its holder is gone or has not renewed it while this object watched."""
        with in_words(f"cannot lock {self.path}"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while True:
                there = _read(self.path)
                if there is not None:
                    if not owner.is_gone(owner.parse(there)) and not self._unchanged(there):
                        return None
                    _remove(self.path, partial(operator.eq, there))
                lease = _create(self.path)
                if lease is not None:
                    return lease

    def holder(self) -> str:
        """Who holds it, in words, as far as its file tells."""
        try:
            return owner.in_words(owner.parse(_read(self.path) or b""))
        except OSError:
            return owner.in_words({})

    def _unchanged(self, there: bytes) -> bool:
        """Whether this object has seen the lock like this for as long as its holder promised to renew it."""
        if there != self._seen:
            self._seen, self._since = there, _clock()
        promised = owner.parse(there).get("lease")
        lease = float(promised) if isinstance(promised, int | float) else lease_seconds()
        return _clock() - self._since >= lease


def lease_seconds() -> float:
    """How long a lock of this process may go without a beat: ISHEEP_LEASE_SECONDS, or LEASE_SECONDS."""
    asked = os.environ.get("ISHEEP_LEASE_SECONDS")
    try:
        seconds = float(asked) if asked else LEASE_SECONDS
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= 86400:
        raise StoreError(f"ISHEEP_LEASE_SECONDS={asked} is no lease", "give seconds, such as 60")
    return seconds


def _create(path: Path) -> Lease | None:
    """Make the lock, if there is none."""
    mine = {**owner.whoami(), "lease": lease_seconds(), "token": uuid.uuid4().hex}
    own = path.with_name(f".{path.name}.{mine['token']}")
    handle = _new(own, mine)
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    except OSError as error:
        os.close(handle)
        if error.errno not in _NO_LINKS:
            raise
        try:
            return Lease(path, _new(path, mine), mine)
        except FileExistsError:
            return None
    finally:
        own.unlink(missing_ok=True)
    if owner.parse(_read(path) or b"").get("token") == mine["token"]:
        return Lease(path, handle, mine)
    os.close(handle)
    return None


def _new(path: Path, mine: dict[str, Any]) -> int:
    """A file that was not there before, with its content on the server."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        os.pwrite(handle, _text(mine, 0), 0)
        os.fsync(handle)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _remove(path: Path, expected: Callable[[bytes], bool]) -> bool:
    """Remove a lock by renaming it, so that only one can, and look at what we got: another than the expected one is
    given back."""
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):  # NFS may say so of a rename that it did
        path.rename(aside)
    text = _read(aside)
    if text is None:
        return False
    if not expected(text):
        with contextlib.suppress(FileExistsError):
            _give_back(aside, path)
    aside.unlink(missing_ok=True)
    return expected(text)


def _give_back(aside: Path, path: Path) -> None:
    """Put a lock back, unless somebody took it meanwhile; then its holder will notice that it lost it."""
    try:
        os.link(aside, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if not path.exists():
            aside.rename(path)


def _read(path: Path) -> bytes | None:
    """What is in a lock file; None when there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return os.read(handle, 4096)
    except OSError as error:
        if error.errno == errno.ESTALE:  # removed on the server between opening and reading
            return None
        raise
    finally:
        os.close(handle)


def _text(mine: dict[str, Any], beat: int) -> bytes:
    """Of one length whatever the beat, so that it is replaced in one write."""
    return json.dumps({**mine, "beat": f"{beat:09}"}).encode() + b"\n"


def _clock() -> float:
    """Seconds that also pass while the machine sleeps, where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
