"""What every local page shares: one address on loopback that only the person who started it can open.

Knows: that the libraries of the extra `browse` may be missing. `isheep.web.local` holds the rest, and needs them.
"""

from __future__ import annotations

import importlib.util

from isheep.errors import MissingExtraError

#: What the extra `browse` brings, by the name it is imported by.
_NEEDED = ("starlette", "uvicorn", "jinja2")


def check_installed() -> None:
    """Raise MissingExtraError, with the line that installs it, unless a local page can be served."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"a local page needs {', '.join(missing)}, which is not installed", "pip install 'isheep[browse]'"
        )
