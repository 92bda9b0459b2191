"""The last fence: Python's own audit events. Refuses what a program asks of Python, not what it asks of the kernel.

It stands where the kernel's fences stand too, and alone where they cannot be had. It stops what a program does by
mistake or in passing; whoever knows CPython well can get around it (the documentation of audit hooks says so). Run
inside the sandbox's child only, which loads it by its path: imports nothing but the standard library.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

#: Events refused outright, by the name before the first full stop, or in full.
REFUSED_ROOMS = frozenset(
    {"socket", "subprocess", "ctypes", "pty", "winreg", "_winapi", "msvcrt", "urllib", "ftplib"}
)
REFUSED = frozenset(
    {
        "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "os.startfile",
        "os.kill", "os.killpg", "os.chmod", "os.chown", "os.lockf", "os.chroot", "os.setxattr", "os.removexattr",
        "os.utime", "os.chflags", "os.add_dll_directory", "os.putenv", "os.unsetenv", "resource.prlimit",
        "resource.setrlimit", "signal.pthread_kill", "fcntl.ioctl", "fcntl.flock", "fcntl.fcntl", "syslog.openlog",
        "gc.get_objects", "gc.get_referrers", "gc.get_referents", "sys._current_frames",
    }
)  # fmt: skip
#: Events that change files -> how many of their arguments, from the first, are paths.
CHANGES = {
    "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.truncate": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2,
    "shutil.rmtree": 1, "shutil.move": 2, "shutil.unpack_archive": 2, "shutil.make_archive": 1, "shutil.copyfile": 0,
    "sqlite3.connect": 1,
}  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def stand(folder: str) -> None:
    """Refuse from now on, for good. Files may be changed in `folder` only (an absolute path without links)."""
    sys.addaudithook(_hook(folder))


def _hook(folder: str) -> Callable[[str, tuple[object, ...]], None]:
    real, null, inside = os.path.realpath, os.devnull, folder + os.sep

    def outside(path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False  # a file that is open already
        found = real(os.fsdecode(path))
        return not (found + os.sep).startswith(inside) and found != null

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITES and outside(path):
                raise PermissionError(f"the sandbox refuses to write to {path!r}")
        elif event in CHANGES:
            if any(outside(path) for path in arguments[: CHANGES[event]]):
                raise PermissionError(f"the sandbox refuses {event} outside its folder")
        elif event in REFUSED or event.partition(".")[0] in REFUSED_ROOMS:
            raise PermissionError(f"the sandbox refuses {event}")

    return refuse
