"""Records as JSON: quick, and the very bytes that json writes, for digests rest on them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.errors import StoreError
from isheep.records import (
    RECORD_TYPES,
    Decision,
    Instruction,
    Pair,
    Record,
    Verdict,
    from_dict,
    from_json,
    to_json,
)

TEXT = st.text(st.characters())  # lone surrogates, controls and all
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "str": TEXT,
    "int": st.integers(-(2**63), 2**64 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**64 - 1),
    "bool": st.booleans(),
    "None": st.none(),
    "tuple[str, ...]": st.lists(TEXT, max_size=3).map(tuple),
}


@st.composite
def records(draw: st.DrawFn) -> Record:
    cls = draw(st.sampled_from(list(RECORD_TYPES.values())))
    kinds = {f.name: str(f.type).split(" | ") for f in fields(cls)}
    return cls(**{name: draw(st.one_of(*(VALUES[one] for one in of))) for name, of in kinds.items()})


@given(records())
@settings(max_examples=300)
def test_written_as_json_writes_it_and_read_back(record: Record) -> None:
    text = to_json(record)
    assert text == json.dumps(asdict(record), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    assert from_json(type(record), text) == from_dict(type(record), json.loads(text))
    text.encode(errors="backslashreplace")
    halves = any("\ud800" <= letter <= "\udfff" for letter in text)
    assert halves or from_json(type(record), text.encode()) == record


def test_numbers_of_numpy_are_written_as_json_writes_them() -> None:
    assert '"score":0.1,' in to_json(Verdict("a/q", "a", "q", np.float64(0.1)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json(Verdict("a/q", "a", "q", value))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"5",
        b"[]",
        b'"text"',
        b'["id","kept","reason","quality","following"]',
        b"{}",
        b'{"id":"a"}',
        b'{"id":"a","kept":true,"reason":null,"quality":1,"following":1,"more":1}',
        b'{"id":"a","kept":true,"reason":null,"quality":1,"following":1',
        b'{"id":"a","kept":true,"reason":null,"quality":1,"following":1}}',
        b'{"id":"\xff","kept":true,"reason":null,"quality":1,"following":1}',
    ],
)
def test_what_is_not_a_record_is_named(line: bytes) -> None:
    with pytest.raises(StoreError, match="not a decision record"):
        from_json(Decision, line)


def test_lists_are_read_as_tuples_and_what_was_given_stays_as_it_was() -> None:
    data = {"id": "i", "instruction": "a", "input": "", "shots": ["s1"], "source": "c"}
    assert from_dict(Instruction, data).shots == ("s1",)
    assert data["shots"] == ["s1"]


def test_fields_may_stand_in_any_order_and_defaults_be_left_out() -> None:
    found = from_json(Verdict, b'{"score":9,"scale":"quality","pair":"a","id":"a/quality"}')
    assert found == Verdict("a/quality", "a", "quality", 9)


def test_words_that_come_again_and_again_are_held_once() -> None:
    line = to_json(Pair("a", "b", "", "c", "st" + "op", True, 1, 1))
    one, two = from_json(Pair, line), from_json(Pair, line.encode())
    assert one.finish is two.finish
