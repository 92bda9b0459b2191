"""What can be asked of an index: a page of rows by filters, and the rows that stand near one of them.

Knows: the index's tables, and the form's fields. Does not know: where the rows come from (index.py), HTML.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from isheep.text.words import spaced

#: Rows on a page.
PAGE = 50
#: Column of the table -> what it is sorted by.
SORTS: Mapping[str, str] = {
    "id": "r.n",
    "iteration": "r.iteration",
    "instruction": "r.task_place",
    "response": "r.answer_place",
    "quality": "r.quality",
    "following": "r.following",
    "mean": "r.mean",
    "length": "r.length",
    "fate": "r.status, r.stage, r.reason",
}
STATUSES = ("kept", "dropped", "waiting")
MARKS = ("good", "bad", "any", "none")
_ROW = (
    "SELECT r.id, r.task, r.iteration, r.stage, r.status, r.reason, r.quality, r.following, r.mean, r.length, "
    "r.models, w.instruction, w.input, w.response FROM record r JOIN words w ON w.n = r.n"
)
_WORD = re.compile(r'"([^"]*)"|(\S+)')


@dataclass(frozen=True)
class Asked:
    """The filters, as they stand in the address. An empty field filters nothing; what makes no sense is empty."""

    q: str = ""
    iteration: str = ""
    stage: str = ""
    status: str = ""
    reason: str = ""
    low: str = ""
    high: str = ""
    mark: str = ""
    seed: str = ""
    sort: str = "id"
    down: str = ""
    page: str = "1"

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Asked:
        """From an address, which anybody may have typed."""
        asked = cls(**{f.name: storable(given.get(f.name, "").strip()) for f in fields(cls)})
        return replace(
            asked,
            q=asked.q[:500],
            iteration=asked.iteration if _whole(asked.iteration) else "",
            low=asked.low if _number(asked.low) is not None else "",
            high=asked.high if _number(asked.high) is not None else "",
            sort=asked.sort if asked.sort in SORTS else "id",
            down="1" if asked.down else "",
            page=asked.page if _whole(asked.page) and int(asked.page) else "1",
        )

    def address(self, **changes: object) -> str:
        """The query of an address that asks this, with some of it changed; what is not set stands not in it."""
        asked = replace(self, **{name: str(value) for name, value in changes.items()})
        default = Asked()
        pairs = [(f.name, getattr(asked, f.name)) for f in fields(asked)]
        return urlencode([(name, value) for name, value in pairs if value != getattr(default, name)])


@dataclass(frozen=True)
class Found:
    """One page of rows, and how many there are in all."""

    rows: list[dict[str, Any]]
    total: int
    first: int


def storable(text: str) -> str:
    """What SQLite can keep and look for: no half of a surrogate pair, and no NUL, at which it may end a text."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\u2400")


def connect(path: Path) -> sqlite3.Connection:
    """An index, to read."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA mmap_size=1073741824")
    return db


def page_of(db: sqlite3.Connection, asked: Asked, marks: Mapping[str, str]) -> Found:
    """The rows of one page."""
    where, values = _where(asked, marks)
    total = int(db.execute(f"SELECT count(*) FROM record r {where}", values).fetchone()[0])  # noqa: S608
    page = min(int(asked.page), max(1, -(-total // PAGE)))
    first = (page - 1) * PAGE
    return Found(_rows(db, asked, where, values, PAGE, first), total, first)


def neighbours(
    db: sqlite3.Connection, asked: Asked, marks: Mapping[str, str], at: int
) -> tuple[str | None, str | None]:
    """Ids before and behind the row at this place of what is asked for."""
    where, values = _where(asked, marks)
    around = _rows(db, asked, where, values, 3, max(0, at - 1)) if at else [{"id": None}]
    if not at:
        around += _rows(db, asked, where, values, 2, 0)
    return around[0]["id"] if around else None, around[2]["id"] if len(around) > 2 else None


def _rows(
    db: sqlite3.Connection, asked: Asked, where: str, values: list[Any], count: int, first: int
) -> list[dict[str, Any]]:
    direction = "DESC" if asked.down else "ASC"
    order = ", ".join(f"{part} {direction} NULLS LAST" for part in SORTS[asked.sort].split(", "))
    # The texts are fetched of the rows of this page alone.
    sql = f"SELECT r.n FROM record r {where} ORDER BY {order}, r.n LIMIT ? OFFSET ?"  # noqa: S608
    numbers = [row[0] for row in db.execute(sql, [*values, count, first])]
    return by_number(db, numbers)


def by_number(db: sqlite3.Connection, numbers: list[int]) -> list[dict[str, Any]]:
    """These rows with their texts, in this order."""
    sql = f"{_ROW} JOIN json_each(?) j ON j.value = r.n ORDER BY j.key"
    return [dict(row) for row in db.execute(sql, [json.dumps(numbers)])]


def _where(asked: Asked, marks: Mapping[str, str]) -> tuple[str, list[Any]]:
    """The conditions, and what stands in their places: nothing that was typed becomes a part of the SQL."""
    parts: list[tuple[str, list[Any]]] = []
    for name in ("stage", "status", "reason"):
        if value := getattr(asked, name):
            parts.append((f"r.{name} = ?", [value]))
    if asked.iteration:
        parts.append(("r.iteration = ?", [int(asked.iteration)]))
    for text, sign in ((asked.low, ">="), (asked.high, "<=")):
        if (number := _number(text)) is not None:
            parts.append((f"r.mean {sign} ?", [number]))
    if asked.seed:
        parts.append(("r.n IN (SELECT n FROM shot WHERE seed = ?)", [asked.seed]))
    if asked.mark in MARKS:
        wanted = json.dumps([id for id, mark in marks.items() if asked.mark in (mark, "any", "none")])
        no = "NOT " if asked.mark == "none" else ""
        parts.append((f"r.id {no}IN (SELECT value FROM json_each(?))", [wanted]))  # noqa: S608
    if match := matching(asked.q):
        parts.append(("r.n IN (SELECT rowid FROM search WHERE search MATCH ?)", [match]))
    elif asked.q:
        parts.append(("0", []))  # signs alone: no word has them
    where = " AND ".join(condition for condition, _ in parts)
    return (f"WHERE {where}" if where else ""), [value for _, values in parts for value in values]


def matching(typed: str) -> str:
    """What was typed as an FTS5 query: all of the words, "a phrase" as it stands, -word for what must not be there.

    A word finds those that begin with it. Every word is quoted, so nothing typed is taken as FTS5's own language.
    """
    wanted: list[str] = []
    unwanted: list[str] = []
    for phrase, word in _WORD.findall(typed):
        text = spaced(phrase or word.removeprefix("-") or word)
        if not any(letter.isalnum() for letter in text):
            continue
        quoted = '"' + text.replace('"', "") + '"' + ("" if phrase else "*")
        (unwanted if not phrase and word.startswith("-") and len(word) > 1 else wanted).append(quoted)
    if not wanted:
        return ""
    return " AND ".join(wanted) + "".join(f" NOT {word}" for word in unwanted)


def facets(db: sqlite3.Connection) -> dict[str, list[tuple[Any, int]]]:
    """What can be chosen in the form, with how many rows each has."""
    return {
        name: [
            (value, count)
            for value, count in db.execute(
                f"SELECT {name}, count(*) FROM record WHERE {name} <> '' GROUP BY {name} ORDER BY {order}"  # noqa: S608
            )
        ]
        for name, order in (
            ("iteration", "1"),
            ("stage", "2 DESC"),
            ("status", "2 DESC"),
            ("reason", "2 DESC"),
        )
    }


def same_seeds(db: sqlite3.Connection, id: str, most: int) -> dict[int, list[dict[str, Any]]]:
    """By iteration, the records whose lists showed most of the seed tasks that this one's list showed.

    A record's own list is left out: what stands in it shares all of them by being written in one go.
    """
    sql = """
      WITH own AS (SELECT s.seed, r.n, r.id FROM record r JOIN shot s ON s.n = r.n WHERE r.id = ?),
      near AS (SELECT s.n, count(*) AS shared FROM shot s JOIN own ON own.seed = s.seed GROUP BY s.n)
      SELECT r.n, r.iteration, near.shared FROM near JOIN record r ON r.n = near.n
      WHERE r.iteration <> (SELECT iteration FROM record WHERE id = ?)
      ORDER BY r.iteration, near.shared DESC, r.status = 'kept' DESC, r.n"""
    return _columns(db, db.execute(sql, [id, id]).fetchall(), most)


def same_words(
    db: sqlite3.Connection, id: str, instruction: str, most: int
) -> dict[int, list[dict[str, Any]]]:
    """By iteration, the records nearest in words to a task (any of its words, the rare ones count most)."""
    words = list(dict.fromkeys(re.findall(r"\w+", spaced(instruction.casefold()))))[:12]
    if not words:
        return {}
    match = " OR ".join(f'"{word}"' for word in words)
    sql = """
      SELECT r.n, r.iteration, 0 FROM (SELECT rowid, rank FROM search WHERE search MATCH ? ORDER BY rank LIMIT 300) f
      JOIN record r ON r.n = f.rowid WHERE r.iteration <> (SELECT iteration FROM record WHERE id = ?)
      ORDER BY r.iteration, f.rank"""
    return _columns(db, db.execute(sql, [match, id]).fetchall(), most)


def of_seed(
    db: sqlite3.Connection, seed: str, most: int
) -> tuple[dict[str, Any] | None, dict[int, dict[str, Any]]]:
    """A seed task, and by iteration what was written after it was shown: counts, and some records, kept ones first."""
    task = db.execute("SELECT * FROM seed WHERE id = ?", [seed]).fetchone()
    if task is None:
        return None, {}
    sql = """
      SELECT r.n, r.iteration, 0, r.status FROM shot s JOIN record r ON r.n = s.n WHERE s.seed = ?
      ORDER BY r.iteration, r.status = 'kept' DESC, r.mean DESC, r.n"""
    found = db.execute(sql, [seed]).fetchall()
    shown = _columns(db, [row[:3] for row in found], most)
    counts = {
        iteration: {
            "rows": rows,
            "total": sum(row[1] == iteration for row in found),
            "kept": sum(row[1] == iteration and row[3] == "kept" for row in found),
        }
        for iteration, rows in shown.items()
    }
    return dict(task), counts


def _columns(db: sqlite3.Connection, found: list[Any], most: int) -> dict[int, list[dict[str, Any]]]:
    """The first rows of every iteration."""
    chosen: dict[int, list[tuple[int, int]]] = {}
    for n, iteration, shared in found:
        if len(chosen.setdefault(iteration, [])) < most:
            chosen[iteration].append((n, shared))
    columns: dict[int, list[dict[str, Any]]] = {}
    for iteration, those in chosen.items():
        rows = by_number(db, [n for n, _ in those])
        columns[iteration] = [{**row, "shared": shared} for row, (_, shared) in zip(rows, those, strict=True)]
    return columns


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 8


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e9 else None
