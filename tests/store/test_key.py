"""Canonical JSON and digests: what counts as a difference, and golden values that must never change."""

from __future__ import annotations

import enum
import json
import math
import os
import random
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.errors import StoreError
from isheep.store import canonical, digest, file_digest
from isheep.store import key as key_module

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        names = list(value)
        rng.shuffle(names)
        return {name: shuffled(value[name], rng) for name in names}
    if isinstance(value, list):
        return tuple(shuffled(item, rng) for item in value)
    return value


@given(values, st.randoms(use_true_random=False))
def test_order_of_keys_and_kind_of_row_do_not_count(value: Any, rng: random.Random) -> None:
    assert canonical(shuffled(value, rng)) == canonical(value)


@given(values)
def test_it_is_json_of_the_same_value_and_a_fixed_point(value: Any) -> None:
    again = json.loads(canonical(value))
    assert again == value
    assert canonical(again) == canonical(value)


@given(numbers, numbers)
def test_numbers_are_one_exactly_when_equal(a: float, b: float) -> None:
    assert (canonical(a) == canonical(b)) == (a == b)


@given(st.integers(-(2**53), 2**53))
def test_a_whole_float_is_its_integer(n: int) -> None:
    assert canonical(float(n)) == canonical(n) == str(n)


@given(values, values)
def test_different_values_have_different_texts(a: Any, b: Any) -> None:
    def typed(value: Any) -> Any:  # Python says True == 1; JSON does not
        if isinstance(value, bool):
            return ("bool", value)
        if isinstance(value, list):
            return [typed(item) for item in value]
        return {k: typed(v) for k, v in value.items()} if isinstance(value, dict) else value

    assert (canonical(a) == canonical(b)) == (typed(a) == typed(b))


def test_golden_values() -> None:
    value = {"stage": "responses", "temperature": 0.7, "top_p": 1.0, "n": [2, (3,)], "é": None, "a b": True}
    assert canonical(value) == (
        '{"a b":true,"n":[2,[3]],"stage":"responses","temperature":0.7,"top_p":1,"é":null}'
    )
    assert digest(value) == "d9e0387c7e5d70e0f669d23887ed9f273eef41fa6808ad3ff0d00ef0bc2610d7"
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert canonical(-0.0) == canonical(0) == "0"
    assert canonical(1e22) == "1" + "0" * 22
    assert canonical(1e-7) == "1e-07"
    assert canonical(True) == "true"
    assert canonical("e\u0301") != canonical("\u00e9")
    assert canonical("\n\u2028\x00") == '"\\n\u2028\\u0000"'
    assert canonical(MappingProxyType({"b": 1, "a": 2})) == '{"a":2,"b":1}'


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": math.nan}, "value.a is nan"),
        ([math.inf], r"value\[0\] is inf"),
        ({"files": [{"path": Path("x")}]}, r"value.files\[0\].path is a PosixPath"),
        ({1: 2}, "key 1"),
        ({None: 2}, "key None"),
        ({"a"}, "is a set"),
        (b"a", "is a bytes"),
        (object(), "is a object"),
        (Colour.RED, "is a Colour"),
        ("\ud83d", "surrogate"),
        ({"\ud83d": 1}, "surrogate"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(value: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        canonical(value)


def test_a_file_is_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("one")
    (tmp_path / "b.md").write_text("one")
    (tmp_path / "link").symlink_to("a.jsonl")
    os.utime(tmp_path / "b.md", (0, 0))
    same = {file_digest(tmp_path / name) for name in ("a.jsonl", "b.md", "link")}
    assert same == {"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"}


def test_a_folder_is_its_names_and_contents(tmp_path: Path) -> None:
    def make(name: str, files: dict[str, str]) -> str:
        for file, text in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return file_digest(tmp_path / name)

    plain = make("plain", {"config.json": "{}", "sub/weights": "w"})
    noise = {"README.md": "card", "sub/.cache/x": "x", ".git/HEAD": "h", "__pycache__/m.pyc": "p"}
    assert make("noisy", {"sub/weights": "w", "config.json": "{}", **noise}) == plain
    assert make("other name", {"config.json": "{}", "sub/weight": "w"}) != plain
    assert make("other place", {"config.json": "{}", "weights": "w"}) != plain
    assert make("other content", {"config.json": "{}", "sub/weights": "v"}) != plain
    assert plain == "99d355c4918b36b33f8239b99c12cd08daf992022587856cff4def010daa651d"


def test_a_folder_of_links_is_followed_and_circles_end(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "abc").write_text("w")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "weights").write_text("w")
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "weights").symlink_to("../blobs/abc")
    (tmp_path / "snapshot" / "round").symlink_to("../snapshot")
    assert file_digest(tmp_path / "snapshot") == file_digest(tmp_path / "real")


def test_a_large_file_is_known_by_its_size_and_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_module, "MIB", 16)
    monkeypatch.setattr(key_module, "WHOLE", 64)
    monkeypatch.setattr(key_module, "SLICES", 4)
    path = tmp_path / "weights"

    def of(content: bytes) -> str:
        path.write_bytes(content)
        return file_digest(path)

    base = bytes(1000)
    for place in (0, 15, 328, 343, 656, 671, 984, 999):
        assert of(base[:place] + b"x" + base[place + 1 :]) != of(base), place
    assert of(base + b"\0") != of(base)
    assert of(base[:500] + b"x" + base[501:]) == of(base), "between the slices: the documented limit"
    assert of(bytes(64)[:40] + b"x" + bytes(23)) != of(bytes(64)), "up to the limit every byte counts"


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*absent.*No such file"):
        file_digest(tmp_path / "absent")
    (tmp_path / "empty" / ".hidden").mkdir(parents=True)
    with pytest.raises(StoreError, match="holds no files"):
        file_digest(tmp_path / "empty")
