"""Children that hear Ctrl-C, and that never outlive the test that stops them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess


def heard() -> None:
    """For a child before it starts: hear Ctrl-C even where the tests themselves run in the background, deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stopped(child: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Send Ctrl-C to all of a child's session, as a terminal does; what it said before it ended."""
    try:
        os.killpg(child.pid, signal.SIGINT)
        return child.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
