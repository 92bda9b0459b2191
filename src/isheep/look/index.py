"""An SQLite file over a run's records: one row each, quick to filter, sort and search.

Knows: how rows are made from the records of a run, and when the file is out of date. Does not know: what is asked of
it (query.py). The file can be removed at any time: it is made again.

A row is a task with one answer to it; a task without an answer (dropped, or not answered yet) is a row too.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isheep.look.ids import answering_steps, writing_steps
from isheep.look.query import storable
from isheep.look.training import trained_on, trainings
from isheep.records import Decision, Instruction, Pair, Task, Verdict
from isheep.runs import Run
from isheep.store.disk import in_words
from isheep.store.key import digest
from isheep.text.verdicts import mean_of, scores
from isheep.text.words import spaced

#: Raised when the tables change.
VERSION = 1

# What is filtered and sorted by stands apart from the texts, so that a look at all rows reads few pages.
_TABLES = """
CREATE TABLE record(
  n INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, task TEXT NOT NULL, iteration INTEGER NOT NULL, stage TEXT NOT NULL,
  status TEXT NOT NULL, reason TEXT NOT NULL, quality REAL, following REAL, mean REAL, length INTEGER,
  models TEXT NOT NULL, task_place INTEGER, answer_place INTEGER);
CREATE TABLE words(n INTEGER PRIMARY KEY, instruction TEXT, input TEXT, response TEXT);
CREATE TABLE shot(seed TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(seed, n)) WITHOUT ROWID;
CREATE TABLE seed(id TEXT PRIMARY KEY, instruction TEXT, input TEXT, output TEXT);
CREATE TABLE about(signature TEXT, steps TEXT);
CREATE VIRTUAL TABLE search USING fts5(text, content='', tokenize='unicode61 remove_diacritics 2', prefix='2 3');
"""
# Sorted by once, here: a text is slow to sort by.
_INDEXES = """
UPDATE record SET task_place = o.place FROM
  (SELECT n, row_number() OVER (ORDER BY instruction COLLATE NOCASE, n) AS place FROM words) o WHERE o.n = record.n;
UPDATE record SET answer_place = o.place FROM
  (SELECT n, row_number() OVER (ORDER BY response COLLATE NOCASE, n) AS place FROM words) o WHERE o.n = record.n;
CREATE INDEX by_task ON record(task);
CREATE INDEX by_reason ON record(reason, iteration);
CREATE INDEX by_mean ON record(mean);
CREATE INDEX shots_of ON shot(n);
INSERT INTO search(search) VALUES('optimize');
ANALYZE;
"""


@dataclass
class Row:
    """One row as it stands in the tables."""

    id: str
    task: Instruction
    iteration: int
    pair: Pair | None = None
    decision: Decision | None = None
    scores: dict[str, float | None] = field(default_factory=dict)
    models: tuple[int, ...] = ()

    @property
    def fate(self) -> tuple[str, str, str]:
        """(stage, status, reason), as in the record's lineage."""
        if self.task.reason is not None:
            return ("followups" if self.task.history else "instructions"), "dropped", self.task.reason
        if self.pair is None:
            return "responses", "waiting", ""
        if self.decision is None:
            return "filter", "waiting", ""
        return "filter", "kept" if self.decision.kept else "dropped", self.decision.reason or ""


def signature(run: Run) -> str:
    """Names what an index of this run would be made of: its finished steps."""
    done = [step.key for step in run.due if run.artifact(step) is not None]
    return digest([VERSION, run.name, done])


def rows(run: Run) -> Iterator[Row]:
    """Every record of the run, an iteration after the other, sorted by id within a step."""
    answers: dict[str, list[Pair]] = {}
    for _, answered in answering_steps(run):
        for pair in answered.stream(Pair):
            answers.setdefault(pair.id, []).append(pair)
            if "/" in pair.id:  # one of several answers
                answers.setdefault(pair.id.rpartition("/")[0], []).append(pair)
    models: dict[str, tuple[int, ...]] = {}
    for model, training in trainings(run):
        for id in trained_on(run, training):
            models[id] = (*models.get(id, ()), model)
    decided = {d.id: d for made in run.artifacts("filter").values() for d in made.stream(Decision)}
    judged: dict[str, dict[str, float | None]] = {}
    for made in run.artifacts("assessment").values():
        judged.update(scores(made.stream(Verdict)))
    for iteration, wrote in writing_steps(run):
        for task in wrote.stream(Instruction):
            for pair in answers.get(task.id, ()):
                yield Row(
                    pair.id, task, iteration, pair, decided.get(pair.id), judged.get(pair.id, {}),
                    models.get(pair.id, ()),
                )  # fmt: skip
            if task.id not in answers:
                yield Row(task.id, task, iteration)


def open_index(run: Run) -> Path:
    """The index of what the run has finished; made when there is none, or when steps were finished since."""
    wanted = signature(run)
    path = run.store.root / "cache" / "browse" / f"{run.name}.sqlite"
    if _signature_in(path) == wanted:
        return path
    with in_words(f"cannot write the index {path}"):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _made(run, path, wanted)
        except OSError:
            if os.access(path.parent if path.parent.exists() else run.store.root, os.W_OK):
                raise
            # A store that is read only: the index lives as long as the machine's temporary files.
            folder = Path(tempfile.gettempdir()) / f"isheep-browse-{os.getuid()}"
            folder.mkdir(mode=0o700, exist_ok=True)
            return _made(run, folder / f"{run.name}-{wanted[:12]}.sqlite", wanted)


def _made(run: Run, path: Path, wanted: str) -> Path:
    """Write the index aside and move it into place: whoever reads the old one goes on reading it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".sqlite", dir=path.parent)
    os.close(handle)
    try:
        with contextlib.closing(sqlite3.connect(name)) as db:
            db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA page_size=8192;")
            db.executescript(_TABLES)
            with db:
                fill(db, rows(run))
                _fill_seeds(db, run)
                steps = [step.name for step in run.due if run.artifact(step) is not None]
                db.execute("INSERT INTO about VALUES(?, ?)", (wanted, json.dumps(steps)))
            db.executescript(_INDEXES)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def fill(db: sqlite3.Connection, found: Iterator[Row]) -> None:
    """Write rows into empty tables."""
    for n, row in enumerate(found, 1):
        stage, status, reason = row.fate
        task, response = row.task, row.pair.response if row.pair else ""
        length = len(response.split()) if row.pair else None
        values: tuple[Any, ...] = (
            n, storable(row.id), storable(task.id), row.iteration, stage, status, storable(reason),
            row.scores.get("quality"), row.scores.get("following"), mean_of(row.scores), length,
            " ".join(map(str, row.models)),
        )  # fmt: skip
        db.execute("INSERT INTO record VALUES(?,?,?,?,?,?,?,?,?,?,?,?,NULL,NULL)", values)
        words = (storable(task.instruction), storable(task.input), storable(response))
        db.execute("INSERT INTO words VALUES(?,?,?,?)", (n, *words))
        # The id is found too: a person who has one pastes it.
        db.execute("INSERT INTO search(rowid, text) VALUES(?,?)", (n, spaced("\n".join((values[1], *words)))))
        db.executemany("INSERT OR IGNORE INTO shot VALUES(?,?)", [(storable(seed), n) for seed in task.shots])


def _fill_seeds(db: sqlite3.Connection, run: Run) -> None:
    for made in run.artifacts("seeds").values():
        db.executemany(
            "INSERT OR IGNORE INTO seed VALUES(?,?,?,?)",
            (tuple(map(storable, (t.id, t.instruction, t.input, t.output))) for t in made.stream(Task)),
        )


def _signature_in(path: Path) -> str | None:
    """What an index was made of; None when there is none that can be read."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute("SELECT signature FROM about").fetchone()
            return str(found[0]) if found else None
    except sqlite3.Error:
        return None
