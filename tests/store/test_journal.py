"""The journal: whatever byte an interruption ends at, every whole line is kept and the rest is cut off."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.errors import StoreError
from isheep.records import Completion, Instruction, Record, Score, Verdict
from isheep.store import Journal

RECORDS: list[Record] = [
    Completion("b", "ünï \u2028 😀 \n\r\x00 end", "stop", 3, 4),
    Score("b", "task", "accuracy", 1.0, 3, 0.25, 1),
    Completion("a", "", "length", 0, 0, ended=True),
    Verdict("a/quality", "a", "quality", None),
    Instruction("i", "do it", "", ("s1", "s2"), "c", "too short"),
]


def write(path: Path, records: list[Record]) -> bytes:
    journal = Journal(path)
    for record in records:
        journal.append(record)
    journal.close()
    return path.read_bytes()


def everything(journal: Journal) -> list[Record]:
    return [
        record
        for cls in (Completion, Score, Verdict, Instruction)
        for record in journal.read(cls)  # type: ignore[type-var]
    ]


def test_a_line_is_a_type_and_a_record(tmp_path: Path) -> None:
    assert (
        write(tmp_path / "j", [Completion("a", "é", "stop", 1, 2)])
        == (
            '{"type":"completion","record":{"id":"a","text":"é","finish":"stop","prompt_tokens":1,"tokens":2,'
            '"ended":false}}\n'
        ).encode()
    )


def test_reading_keeps_the_order_written_and_the_types(tmp_path: Path) -> None:
    write(tmp_path / "j", RECORDS)
    journal = Journal(tmp_path / "j")
    assert journal.read(Completion) == [RECORDS[0], RECORDS[2]]
    assert journal.read(Instruction) == [RECORDS[4]]
    assert len(journal) == len(RECORDS)
    assert journal.types() == [Completion, Score, Verdict, Instruction]
    journal.close()
    journal.close()
    with pytest.raises(StoreError, match="closed"):
        journal.append(RECORDS[0])


def test_a_line_torn_at_any_byte_heals(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", RECORDS)
    path = tmp_path / "torn"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n")
        journal = Journal(path)
        assert sorted(everything(journal), key=str) == sorted(RECORDS[:kept], key=str)
        assert path.read_bytes() == whole[: whole[:cut].rfind(b"\n") + 1]
        for record in RECORDS:  # as a stage does that repeats what it may have lost
            journal.append(record)
        journal.close()
        assert path.read_bytes() == whole


@given(st.binary(max_size=40), st.integers(0, len(RECORDS)))
@settings(max_examples=60)
def test_rubbish_at_the_end_is_cut_off(rubbish: bytes, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "j")
        whole = write(path, RECORDS[:count])
        path.write_bytes(whole + b"\xff" + rubbish.replace(b"\n", b"") + b"\n" * (len(rubbish) % 2))
        Journal(path).close()
        assert path.read_bytes() == whole


def test_zeros_left_by_a_power_cut_are_cut_off(tmp_path: Path) -> None:
    whole = write(tmp_path / "j", RECORDS)
    (tmp_path / "j").write_bytes(whole + bytes(4096))
    assert len(Journal(tmp_path / "j")) == len(RECORDS)
    assert (tmp_path / "j").read_bytes() == whole


@pytest.mark.parametrize("line", range(len(RECORDS) - 1))
def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path, line: int) -> None:
    lines = write(tmp_path / "j", RECORDS).splitlines(keepends=True)
    lines[line] = lines[line][:20] + b"\n"
    (tmp_path / "j").write_bytes(b"".join(lines))
    with pytest.raises(StoreError, match=f"line {line + 1} is not JSON") as caught:
        Journal(tmp_path / "j")
    assert str(tmp_path) in caught.value.hint
    assert (tmp_path / "j").read_bytes() == b"".join(lines), "nothing is repaired by guessing"


@pytest.mark.parametrize(
    "line",
    [b"5\n", b"{}\n", b'{"type":"nobody","record":{}}\n', b'{"type":"score","record":{"id":"a","x":1}}\n'],
)
def test_a_line_of_another_version_is_an_error(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "j").write_bytes(line)
    with pytest.raises(StoreError, match="not a record this version can read"):
        Journal(tmp_path / "j")


def test_an_id_is_written_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(RECORDS[0])
    before = (tmp_path / "j").read_bytes()
    journal.append(RECORDS[0])
    with pytest.raises(StoreError, match="two different completion records with the id 'b'"):
        journal.append(Completion("b", "other", "stop", 3, 4))
    assert (tmp_path / "j").read_bytes() == before
    journal.append(Score("b", "another type", "may share the id", 0, 1, 0, 0))
    (tmp_path / "j").write_bytes(before + before)
    assert Journal(tmp_path / "j").read(Completion) == [RECORDS[0]]
    (tmp_path / "j").write_bytes(before + before.replace(b"stop", b"length"))
    with pytest.raises(StoreError, match="line 2 holds two different"):
        Journal(tmp_path / "j")


def test_half_surrogates_survive(tmp_path: Path) -> None:
    """Servers send them; they have no UTF-8. Two in a row are one character once written, so also before."""
    written = Journal(tmp_path / "j")
    written.append(Completion("a", "half \ud83d", "stop", 1, 1))
    written.append(Completion("b", "whole \ud83d\ude00", "stop", 1, 1))
    assert [record.text for record in written.read(Completion)] == ["half \ud83d", "whole 😀"]
    assert Journal(tmp_path / "j").read(Completion) == written.read(Completion)


@given(st.text())
@settings(max_examples=60)
def test_any_text_comes_back(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "j")
        whole = write(path, [Completion("a", text, "stop", 1, 1), Completion("z", "", "stop", 1, 1)])
        journal = Journal(path)
        assert len(journal) == 2
        if not any("\ud800" <= c <= "\udfff" for c in text):
            assert journal.read(Completion)[0].text == text
        assert write(Path(folder, "again"), list(journal.read(Completion))) == whole


@pytest.mark.parametrize("more", [[], [RECORDS[3], RECORDS[4]]])
def test_a_full_disk_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[Record]
) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(RECORDS[0])
    before = (tmp_path / "j").read_bytes()
    real, calls = os.write, 0

    def full(handle: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            return real(handle, bytes(data)[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreError, match="No space left") as caught:
        journal.extend([RECORDS[2], *more])
    assert "free some space" in caught.value.hint
    assert (tmp_path / "j").read_bytes() == before
    monkeypatch.undo()
    journal.extend([RECORDS[2], *more])
    assert everything(Journal(tmp_path / "j")) == [RECORDS[0], RECORDS[2], *more]


def test_several_at_once_are_the_same_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(RECORDS[0])
    journal.extend([*RECORDS, RECORDS[3]])
    assert (tmp_path / "j").read_bytes() == write(tmp_path / "one by one", RECORDS)
    assert len(journal) == len(RECORDS)


@pytest.mark.parametrize(
    "bad", [Score("a", "t", "m", float("nan"), 1, 0, 1), Completion("b", "other", "stop", 3, 4)]
)
def test_of_several_at_once_all_are_written_or_none(tmp_path: Path, bad: Record) -> None:
    journal = Journal(tmp_path / "j")
    journal.append(RECORDS[0])
    before = (tmp_path / "j").read_bytes()
    with pytest.raises((ValueError, StoreError)):
        journal.extend([RECORDS[1], RECORDS[2], bad, RECORDS[3]])
    assert (tmp_path / "j").read_bytes() == before
    assert everything(journal) == RECORDS[:1]
    journal.extend(RECORDS)
    assert (tmp_path / "j").read_bytes() == write(tmp_path / "one by one", RECORDS)


def test_a_record_that_is_not_json_is_not_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    with pytest.raises(ValueError, match="not JSON"):
        journal.append(Score("a", "t", "m", float("nan"), 1, 0, 1))
    assert len(journal) == 0
    assert (tmp_path / "j").read_bytes() == b""


def test_it_reaches_the_disk_about_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, synced = 100.0, 0

    def sync(handle: int) -> None:
        nonlocal synced
        synced += 1

    monkeypatch.setattr("isheep.store.journal.time.monotonic", lambda: clock)
    monkeypatch.setattr(os, "fsync", sync)
    journal = Journal(tmp_path / "j")
    for i in range(100):
        clock += 0.125
        journal.append(Completion(str(i), "", "stop", 0, 0))
    assert synced == 12
    journal.sync()
    assert synced == 13
