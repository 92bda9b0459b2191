"""A lock that the operating system releases when its holder dies: `flock`, for disks of one machine.

Knows: lock files. Does not know: what is guarded.

It is held by an open file, so SIGKILL, a crash or a power cut release it; nothing has to be cleaned up, and it cannot
be lost. A forked child shares its parent's lock until both are gone. That is what we want (the child may still write),
but worker processes should be spawned, not forked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path

from isheep.errors import StoreError
from isheep.store.disk import in_words


class Flock:
    """A held lock. Let go of it with `release`."""

    token = ""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle

    def check(self) -> None:
        """It cannot be lost."""

    def release(self) -> None:
        """Remove the lock file, then let go. Only the holder removes it, and `take` notices a removed
        file."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        os.close(self._handle)


class FlockFile:
    """The lock at one path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self) -> Flock | None:
        """Take the lock if nobody holds it; None when somebody does."""
        path = self.path
        with in_words(f"cannot lock {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            while True:
                handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                try:
                    if _lock(handle, path):
                        if _is_at(handle, path):
                            os.ftruncate(handle, 0)
                            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
                            return Flock(path, handle)
                        # The last holder removed this file between our open and our lock: take the new one.
                    elif _is_at(handle, path):
                        os.close(handle)
                        return None
                except BaseException:
                    os.close(handle)
                    raise
                os.close(handle)

    def holder(self) -> str:
        """Who holds it, in words, as far as its file tells."""
        try:
            return self.path.read_text(errors="replace").strip() or "another process"
        except OSError:
            return "another process"


def _lock(handle: int, path: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StoreError(
            f"the disk under {path.parent} does not know file locks: {error.strerror}",
            "set ISHEEP_LOCKS=lease on every machine that uses this store, or put it on a local disk with --store DIR",
        ) from error
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file is still the one at this path."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
