"""Who a process is, in a form that another process, on this machine or another, can judge: is it surely gone?

Knows: host, boot, process id, start time. Does not know: locks, work folders.
"""

from __future__ import annotations

import json
import os
import socket
from functools import cache
from pathlib import Path
from typing import Any

_PROC = Path("/proc")


def whoami() -> dict[str, Any]:
    """This process. `boot` and `pids` tell whether its number means anything to the reader: numbers start anew with
    each boot, and a container has numbers of its own."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "boot": _boot(),
        "pids": _pids(),
    }


def is_gone(owner: object) -> bool:
    """Whether a process has surely ended: it ran here since this boot, and no process has its number and start time.
    False where that cannot be told (another machine, another container, a text nobody here wrote)."""
    if not isinstance(owner, dict) or not isinstance(owner.get("pid"), int):
        return False
    place = (owner.get("boot"), owner.get("pids"))
    if None in place or place != (_boot(), _pids()):
        return False
    return _started(owner["pid"]) != owner.get("started")


def parse(text: bytes) -> dict[str, Any]:
    """An owner as it was written; {} for a text that is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def in_words(owner: dict[str, Any]) -> str:
    """For a message."""
    return (
        f"process {owner['pid']} on {owner['host']}" if {"pid", "host"} <= set(owner) else "another process"
    )


def _started(pid: int) -> str | None:
    """When a process began, in clock ticks since boot; None when there is no such process."""
    try:
        # The name in parentheses may hold anything, also spaces and ")"; the start time is field 22 (man 5 proc).
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


@cache
def _boot() -> str | None:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def _pids() -> str | None:
    try:
        return os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return None
