"""Where and with what a step was made: recorded in its manifest, never part of a key.

Knows: versions, the host, the clock. Does not know: devices (a backend's business; the caller adds them).
Never fails: what cannot be found out is None. Imports none of the packages it names.
"""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

#: Packages whose version can change a result.
PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "peft",
    "trl",
    "accelerate",
    "datasets",
    "numpy",
    "vllm",
    "lm_eval",
    "ray",
)


def collect() -> dict[str, Any]:
    """What to write into a manifest."""
    return {
        "isheep": _version("isheep"),
        "git": git_revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
        "host": socket.gethostname(),
        "cpus": os.cpu_count(),
    }


def now() -> str:
    """The time, in UTC, to the second: 2025-01-31T23:59:59Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def git_revision() -> str | None:
    """The commit of the checkout this package runs from, with "+changes" after it if its code was edited."""
    package = Path(__file__).resolve().parents[1]
    top = _git(package, "rev-parse", "--show-toplevel")
    # An installed package may lie in a virtual environment inside somebody else's repository.
    if top is None or Path(top).resolve() / "src" / "isheep" != package:
        return None
    revision = _git(package, "rev-parse", "HEAD")
    changed = _git(package, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{revision}+changes" if revision and changed else revision


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError, UnicodeError):
        return None
    return done.stdout.strip()


@cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
