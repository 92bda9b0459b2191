"""Records as JSON and back: one line each, the same bytes for the same record everywhere.

Knows: the record types by name. Does not know: files. Artifacts are told apart by the digests of these bytes, so what
`json.dumps` would write is what is written; only faster, for there may be millions of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from json.encoder import encode_basestring
from operator import attrgetter
from sys import intern
from typing import Any, TypeVar

import orjson

from isheep.errors import StoreError
from isheep.records import evaluation, loop
from isheep.records.base import Record

RECORD_TYPES: Mapping[str, type[Record]] = {
    cls.__name__.lower(): cls
    for cls in (
        loop.Task,
        loop.Completion,
        loop.Instruction,
        loop.Pair,
        loop.Verdict,
        loop.Likelihood,
        loop.Vector,
        loop.Preference,
        loop.Measure,
        loop.Outcome,
        loop.Decision,
        loop.ModelRef,
        evaluation.Question,
        evaluation.Reply,
        evaluation.Judgment,
        evaluation.Item,
        evaluation.Leak,
        evaluation.Constraint,
        evaluation.Answer,
        evaluation.Score,
    )
}

R = TypeVar("R", bound=Record)

#: Fields that say one of a few words in millions of records: each word is held once in memory.
_FEW_WORDS = frozenset({"finish", "scale", "reason"})


def kind(record: Record | type[Record]) -> str:
    """The name of a record's type as it stands in file names and journals: "pair", "verdict", ..."""
    cls = record if isinstance(record, type) else type(record)
    return cls.__name__.lower()


def to_json(record: Record) -> str:
    """One line of JSON, keys in field order, the same bytes for the same record everywhere.

    Raises ValueError for NaN and infinities, which are not JSON.
    """
    shape, values = _SHAPE[type(record)]
    return shape % tuple([_TEXT.get(type(value), _any)(value) for value in values(record)])


def from_json(cls: type[R], line: str | bytes) -> R:
    """Read a record back. Raises StoreError when the line is not one (a damaged file, another version).

    Whole numbers are exact as far as 64 bits go.
    """
    try:
        try:
            data = orjson.loads(line)
        except orjson.JSONDecodeError:  # half a surrogate pair, which some servers send and json takes
            data = json.loads(line)
        if type(data) is not dict:
            raise TypeError("not an object")
        return _made(cls, data)
    except (ValueError, TypeError) as error:
        raise StoreError(f"not a {kind(cls)} record: {error}", "run `isheep show RUN --verify`") from error


def from_dict(cls: type[R], data: Mapping[str, Any]) -> R:
    """Build a record from a JSON object; lists become tuples. Raises TypeError on unknown or missing fields."""
    return _made(cls, dict(data))


def _made(cls: type[R], data: dict[str, Any]) -> R:
    names, smaller = _FIELDS[cls]
    for name, make in smaller:
        if name in data:
            data[name] = make(data[name])
    # By place where all are there in order, as in every line of ours: Python takes twice as long by name.
    return cls(*data.values()) if tuple(data) == names else cls(**data)


def _number(value: float) -> str:
    if value - value != 0:  # NaN or infinite
        raise ValueError(f"{value} is not JSON compliant")
    return float.__repr__(value)


def _any(value: object) -> str:
    """What json makes of a value of any other type."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


#: How a value is written, by its type: the quick way to what `_any` writes.
_TEXT: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: int.__repr__,
    float: _number,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
}


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _word(value: Any) -> Any:
    return intern(value) if type(value) is str else value


def _shape(cls: type[Record]) -> tuple[str, Callable[[Any], tuple[Any, ...]]]:
    """A record's JSON with a place for each value, and what gets the values of one."""
    names = [f.name for f in fields(cls)]
    return "{" + ",".join(f'"{name}":%s' for name in names) + "}", attrgetter(*names)


def _fields(cls: type[Record]) -> tuple[tuple[str, ...], list[tuple[str, Callable[[Any], Any]]]]:
    """The names of a record's fields; and of those not taken as JSON gives them, with what is made of them."""
    smaller: list[tuple[str, Callable[[Any], Any]]] = []
    for f in fields(cls):
        if f.name in _FEW_WORDS:
            smaller.append((f.name, _word))
        elif str(f.type).startswith("tuple"):
            smaller.append((f.name, _tuple))
    return tuple(f.name for f in fields(cls)), smaller


_SHAPE = {cls: _shape(cls) for cls in RECORD_TYPES.values()}
_FIELDS = {cls: _fields(cls) for cls in RECORD_TYPES.values()}
