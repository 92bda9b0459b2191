"""The typed records that flow between steps, their ids, and their JSON form.

Knows: nothing but the standard library and numpy. A record is frozen; a changed record is a new record. Every record
has an `id` that is unique within its step, so a step can tell after an interruption what it had already written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from isheep.errors import StoreError
from isheep.records.base import Record
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

RECORD_TYPES: Mapping[str, type[Record]] = {
    cls.__name__.lower(): cls
    for cls in (
        Task,
        Completion,
        Instruction,
        Pair,
        Verdict,
        Likelihood,
        Vector,
        Preference,
        Measure,
        Outcome,
        Decision,
        ModelRef,
        Question,
        Reply,
        Judgment,
        Item,
        Leak,
        Constraint,
        Answer,
        Score,
    )
}

R = TypeVar("R", bound=Record)


def kind(record: Record | type[Record]) -> str:
    """The name of a record's type as it stands in file names and journals: "pair", "verdict", ..."""
    cls = record if isinstance(record, type) else type(record)
    return cls.__name__.lower()


def to_json(record: Record) -> str:
    """One line of JSON, keys in field order, the same bytes for the same record everywhere."""
    return json.dumps(asdict(record), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def from_json(cls: type[R], line: str | bytes) -> R:
    """Read a record back. Raises StoreError when the line is not one (a damaged file, another version)."""
    try:
        return from_dict(cls, json.loads(line))
    except (ValueError, TypeError) as error:
        raise StoreError(f"not a {kind(cls)} record: {error}", "run `isheep show RUN --verify`") from error


#: Looked up for every record read; dataclasses.fields() is slow.
_FIELDS = {cls: frozenset(f.name for f in fields(cls)) for cls in RECORD_TYPES.values()}


def from_dict(cls: type[R], data: Mapping[str, Any]) -> R:
    """Build a record from a JSON object; lists become tuples. Raises TypeError on unknown or missing fields."""
    unknown = data.keys() - _FIELDS[cls]
    if unknown:
        raise TypeError(f"unknown fields {sorted(unknown)}")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return cls(**values)
