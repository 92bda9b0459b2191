"""The records of an unfinished step: an append-only file that survives a kill at any byte.

Knows: lines. Does not know: steps, keys, locks (whoever opens a journal holds its step's lock).

A line is {"type": kind, "record": {...}}. The operating system has it when `append` returns, so a killed
process loses nothing it appended; a power cut loses what was appended after the last sync, about a second.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from isheep.errors import StoreError
from isheep.records import RECORD_TYPES, R, Record, from_dict, kind, to_json
from isheep.store.disk import in_words

#: `append` syncs to the disk when the last sync is this long ago.
SYNC_SECONDS = 1.0


class Journal:
    """One open journal. Opening it cuts off a last line that an interruption left unfinished.

    An id is written once per type: appending an equal record again does nothing (a stage that repeats its
    last batch after an interruption is fine), appending a different one under a known id is an error.
    """

    def __init__(self, path: Path, check: Callable[[], None] = lambda: None) -> None:
        """`check` is asked before each write; it raises StoreError once the journal belongs to somebody else."""
        self.path = path
        self._check = check
        self._records: dict[type[Record], dict[str, Record]] = {}
        with in_words(f"cannot open the journal {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._size = self._load() if path.exists() else 0
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            os.ftruncate(self._handle, self._size)
        self._synced = time.monotonic()
        self._open = True

    def __len__(self) -> int:
        return sum(len(records) for records in self._records.values())

    def read(self, cls: type[R]) -> list[R]:
        """The records of one type, in the order they were written."""
        return cast("list[R]", list(self._records.get(cls, {}).values()))

    def types(self) -> list[type[Record]]:
        """The types of records written so far."""
        return [cls for cls, records in self._records.items() if records]

    def append(self, record: Record) -> None:
        """Write one record. When this returns, only a power cut can lose it."""
        self.extend((record,))

    def extend(self, records: Iterable[Record]) -> None:
        """Write several records at once. When this returns, only a power cut can lose them; when it raises, none of
        them is written."""
        if not self._open:
            raise StoreError(f"the journal {self.path} is closed", "claim the step again")
        self._check()
        size = self._size
        new: list[Record] = []
        lines: list[bytes] = []
        try:
            for record in records:
                record, line = _line(record)
                if self._remember(record, self.path.name):
                    new.append(record)
                    lines.append(line)
            with in_words(f"cannot write to {self.path}"):
                rest = memoryview(b"".join(lines))
                self._size += len(rest)
                while rest:
                    rest = rest[os.write(self._handle, rest) :]
        except BaseException:
            # A part of a line with more behind it could not be healed: take it back.
            for record in new:
                del self._records[type(record)][record.id]
            self._size = size
            os.ftruncate(self._handle, size)
            raise
        if time.monotonic() - self._synced >= SYNC_SECONDS:
            self.sync()

    def sync(self) -> None:
        """Return when everything appended is on the disk."""
        if self._open:
            with in_words(f"cannot write to {self.path}"):
                os.fsync(self._handle)
            self._synced = time.monotonic()

    def close(self) -> None:
        """Close the file; calling it twice is fine."""
        if self._open:
            self._open = False
            os.close(self._handle)

    def _remember(self, record: Record, where: str) -> bool:
        """Keep a record in memory; False when an equal one is there already."""
        known = self._records.setdefault(type(record), {})
        if record.id not in known:
            known[record.id] = record
            return True
        if known[record.id] != record:
            raise StoreError(
                f"{where} holds two different {kind(record)} records with the id {record.id!r}",
                f"a stage gives every record its own id; to start the step over, remove {self.path.parent}",
            )
        return False

    def _load(self) -> int:
        """Read what is there; return how many bytes of it are whole lines."""
        whole = 0
        broken = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if broken:
                    raise self._damaged(broken, "is not JSON, and more lines follow it")
                try:
                    entry = json.loads(line.decode()) if line.endswith(b"\n") else None
                except ValueError:
                    entry = None
                if entry is None:
                    broken = number
                    continue
                self._remember(self._record(number, entry), f"{self.path} line {number}")
                whole += len(line)
        return whole

    def _record(self, number: int, entry: object) -> Record:
        try:
            assert isinstance(entry, dict)
            return from_dict(RECORD_TYPES[entry["type"]], entry["record"])
        except (AssertionError, KeyError, TypeError) as error:
            raise self._damaged(number, f"is not a record this version can read ({error})") from error

    def _damaged(self, number: int, what: str) -> StoreError:
        return StoreError(
            f"{self.path} line {number} {what}",
            f"to start this step over, remove {self.path.parent}; finished steps are not touched",
        )


def lines_in(path: Path) -> int:
    """How many whole lines a journal has; 0 when there is none."""
    try:
        with path.open("rb") as lines:
            return sum(line.endswith(b"\n") for line in lines)
    except OSError:
        return 0


def encode(text: str) -> bytes:
    """JSON as bytes. Half a surrogate pair (some servers send them) becomes its JSON escape."""
    return text.encode(errors="backslashreplace")


def _line(record: Record) -> tuple[Record, bytes]:
    """A record as it will be read back, and its line.

    Two halves of a surrogate pair in a row are read back as one character; then that is the record to keep.
    """
    text = to_json(record)
    try:
        text.encode()
    except UnicodeEncodeError:
        record = from_dict(type(record), json.loads(encode(text)))
        text = to_json(record)
    return record, encode(f'{{"type":"{kind(record)}","record":{text}}}\n')
