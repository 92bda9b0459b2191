"""One worker per key: an exclusive lock, of one of two kinds.

Knows: which kind belongs to which file system. Does not know: what is guarded, how each kind works.

- `flock` (flock.py) on disks of one machine: held by an open file, so the system releases it when its holder dies.
- `lease` (lease.py) on file systems that other machines see too (mounts.py): a file that its holder renews. A lease can
  be lost by who sleeps too long, so who holds one asks `check` before it writes.

ISHEEP_LOCKS=flock or lease chooses by hand. All who work on one store must use the same kind: they do not see each
other's locks.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from isheep.errors import StoreError
from isheep.store.flock import FlockFile
from isheep.store.lease import LeaseFile
from isheep.store.mounts import is_shared

CHOICES = ("auto", "flock", "lease")


class Lock(Protocol):
    """A held lock."""

    @property
    def token(self) -> str:
        """A name nobody else had or will have, where the lock can be lost; "" where it cannot."""

    def check(self) -> None:
        """Raise StoreError if the lock was lost to somebody else."""

    def release(self) -> None:
        """Let go."""


class LockFile(Protocol):
    """A place where a lock can be taken. One who waits must ask the same object again and again: it remembers what it
    saw."""

    def take(self) -> Lock | None:
        """Take the lock if nobody holds it; None when somebody does."""

    def holder(self) -> str:
        """Who holds it, in words, as far as can be told."""


def at(path: Path) -> LockFile:
    """The lock at this path."""
    return LeaseFile(path) if kind_for(path.parent) == "lease" else FlockFile(path)


def take(path: Path) -> Lock | None:
    """Take the lock if nobody holds it; None when somebody does. For one try; who waits uses `at`."""
    return at(path).take()


def kind_for(folder: Path) -> str:
    """ "flock" or "lease": as ISHEEP_LOCKS says, else by the file system."""
    asked = os.environ.get("ISHEEP_LOCKS") or "auto"
    if asked not in CHOICES:
        raise StoreError(f"ISHEEP_LOCKS={asked} is no kind of lock", f"choose one of {', '.join(CHOICES)}")
    if asked != "auto":
        return asked
    return "lease" if is_shared(folder) else "flock"
