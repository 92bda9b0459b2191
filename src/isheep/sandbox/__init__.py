"""Where code that a model wrote is run: in a process of its own, behind fences, within limits. See docs/sandbox.md."""

from __future__ import annotations

from isheep.sandbox.programs import extract_code, humaneval_program, mbpp_program
from isheep.sandbox.running import (
    DEFAULT_LIMITS,
    Isolation,
    Limits,
    Outcome,
    Program,
    Status,
    isolation,
    run_checks,
)

__all__ = [
    "DEFAULT_LIMITS",
    "Isolation",
    "Limits",
    "Outcome",
    "Program",
    "Status",
    "extract_code",
    "humaneval_program",
    "isolation",
    "mbpp_program",
    "run_checks",
]
