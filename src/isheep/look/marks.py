"""What a person thought of records: good or bad, kept beside the run.

Knows: the file STORE/runs/<run>/marks.jsonl. It only grows; the last line on a record counts, so that two pages may
write at once and nothing marked is lost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isheep.errors import StoreError
from isheep.look.index import rows
from isheep.runs import Run
from isheep.store.disk import in_words
from isheep.text.verdicts import mean_of

FILE = "marks.jsonl"
MARKS = ("good", "bad")


def marks(run: Run) -> dict[str, str]:
    """Record id -> "good" or "bad". A line that was torn by a kill is passed over."""
    found: dict[str, str] = {}
    path = run.folder / FILE
    with in_words(f"cannot read {path}"):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.split("\n"):
        try:
            entry = json.loads(line)
            id, mark = str(entry["id"]), entry["mark"]
        except (ValueError, LookupError, TypeError):
            continue
        found.pop(id, None)
        if mark in MARKS:
            found[id] = mark
    return found


def set_mark(run: Run, id: str, mark: str | None) -> None:
    """Mark a record, or take its mark away."""
    if mark not in (*MARKS, None):
        raise StoreError(f"{mark!r} is no mark", f"marks are {' and '.join(MARKS)}")
    entry = {"id": id, "mark": mark, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    path = run.folder / FILE
    with in_words(f"cannot write {path}"):
        torn = _torn(path)
        with path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn else "") + json.dumps(entry) + "\n")


def _torn(path: Path) -> bool:
    """Whether the last line has no end: what is written behind it would be lost with it."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def marked_lines(run: Run) -> Iterator[str]:
    """Every marked record as a line of JSON: what was asked and answered, its scores, its fate, and the mark."""
    given = marks(run)
    for row in rows(run) if given else ():
        if row.id in given:
            stage, status, reason = row.fate
            entry: dict[str, Any] = {
                "id": row.id,
                "mark": given[row.id],
                "run": run.name,
                "iteration": row.iteration,
                "instruction": row.task.instruction,
                "input": row.task.input,
                "response": row.pair.response if row.pair else None,
                "quality": row.scores.get("quality"),
                "following": row.scores.get("following"),
                "mean": mean_of(row.scores),
                "status": status,
                "stage": stage,
                "reason": reason or None,
                "models": list(row.models),
            }
            yield json.dumps(entry)


def export_marks(run: Run, path: Path) -> int:
    """Write the marked records to a file; how many they are."""
    lines = list(marked_lines(run))
    with in_words(f"cannot write {path}"):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)
