"""Instructions whose following can be checked by program: the 25 types of IFEval, light and repeatable.

Standard library only, but for telling languages (extra `eval`). See docs/verify.md for every rule and every difference
from the reference checkers.
"""

from isheep.verify.checks import CHECKS, Check, Demand, check, demand, describe
from isheep.verify.grading import (
    METRICS,
    Graded,
    follows,
    from_json,
    grade,
    loose_variants,
    prompt_scores,
    to_json,
)

__all__ = [
    "CHECKS",
    "METRICS",
    "Check",
    "Demand",
    "Graded",
    "check",
    "demand",
    "describe",
    "follows",
    "from_json",
    "grade",
    "loose_variants",
    "prompt_scores",
    "to_json",
]
