"""The typed records that flow between steps, their ids, and their JSON form.

Knows: nothing but the standard library, and numpy for a vector's numbers. A record is frozen; a changed record is a
new record. Every record has an `id` that is unique within its step, so a step can tell after an interruption what it
had already written.
"""

from __future__ import annotations

from isheep.records.base import Record
from isheep.records.codec import RECORD_TYPES, R, from_dict, from_json, kind, to_json
from isheep.records.evaluation import (
    Answer,
    Constraint,
    Item,
    Judgment,
    Leak,
    Question,
    Reply,
    Score,
)
from isheep.records.loop import (
    FOLLOWS,
    Completion,
    Decision,
    Instruction,
    Likelihood,
    Measure,
    ModelRef,
    Outcome,
    Pair,
    Preference,
    Task,
    Vector,
    Verdict,
    kept_pairs,
)

__all__ = [
    "FOLLOWS",
    "RECORD_TYPES",
    "Answer",
    "Completion",
    "Constraint",
    "Decision",
    "Instruction",
    "Item",
    "Judgment",
    "Leak",
    "Likelihood",
    "Measure",
    "ModelRef",
    "Outcome",
    "Pair",
    "Preference",
    "Question",
    "R",
    "Record",
    "Reply",
    "Score",
    "Task",
    "Vector",
    "Verdict",
    "from_dict",
    "from_json",
    "kept_pairs",
    "kind",
    "to_json",
]
