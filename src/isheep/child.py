"""A Python process of our own: how it is started, with what memory settings, and how its end is told.

Knows neither steps nor models.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

#: glibc keeps freed blocks instead of giving every tensor back to the kernel: 1.2 to 4.4 times faster on CPUs here.
MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "134217728",
}


def python(module: str) -> list[str]:
    """The command that runs a module of ours. `-m` puts the working directory first on the path; the child gets it only
    where this process has it too."""
    safe = [] if {"", str(Path.cwd())} & set(sys.path) else ["-P"]
    return [sys.executable, *safe, "-m", module]


def ended(code: int) -> str:
    """What became of a child that did not end well, as the end of a sentence."""
    if code == -signal.SIGKILL:
        return (
            "was killed (signal 9, as the system does when memory runs out: try a lower runtime.batch_size)"
        )
    return f"was killed (signal {-code})" if code < 0 else f"ended with code {code}"
