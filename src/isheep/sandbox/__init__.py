"""Where code that a model wrote is run: in a process of its own, behind fences, within limits. See docs/sandbox.md."""

from __future__ import annotations

from isheep.sandbox.programs import extract_code, humaneval_program, mbpp_program
from isheep.sandbox.running import isolation, run_checks
from isheep.sandbox.terms import DEFAULT_LIMITS, Isolation, Limits, Outcome, Program, Status

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
