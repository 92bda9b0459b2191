"""What a call of the command line came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Said:
    """Exit code, standard output, standard error."""

    code: int
    out: str
    err: str


#: The fixture `isheep` of tests/cli: words -> what was said.
Isheep = Callable[..., Said]
