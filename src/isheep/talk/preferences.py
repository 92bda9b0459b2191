"""Which of two answers a person preferred: the file beside a run, and what its votes come to.

Knows: lines of JSON, counts, Wilson's interval. Does not know: who asks, or how the answers are shown.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from isheep.errors import StoreError
from isheep.stats.shares import Z95, wilson_at
from isheep.store.disk import in_words

#: In the run's folder. One line a vote, the oldest first; nothing in it is ever changed.
FILE = "preferences.jsonl"

Vote = Literal["a", "b", "tie", "skip"]
VOTES: tuple[Vote, ...] = get_args(Vote)


@dataclass(frozen=True, slots=True)
class Preferred:
    """One vote, and all that was known when it was cast."""

    #: Which vote of this file it is, from 0; with `seed` and `question` it gives the order.
    number: int
    time: str
    run: str
    #: The two models, the earlier first.
    models: tuple[int, int]
    #: The model shown as A, then the one shown as B.
    order: tuple[int, int]
    seed: int
    question: str
    #: Answer of A, answer of B.
    answers: tuple[str, str]
    vote: Vote
    #: The model that was preferred; None for a tie and for a question that was skipped.
    winner: int | None
    temperature: float
    max_tokens: int


def append(path: Path, vote: Preferred) -> None:
    """Add a vote. When this returns it is on the disk; a kill in between leaves half a line at most."""
    line = json.dumps(asdict(vote), ensure_ascii=True).encode() + b"\n"
    with in_words(f"cannot write to {path}"):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            os.write(handle, b"\n" + line if torn else line)  # one write: other sessions may append too
            os.fsync(handle)
        finally:
            os.close(handle)


def read(path: Path) -> list[Preferred]:
    """The votes of a file, without what a kill left of a line. No file: no votes."""
    return [vote for vote in _lines(path) if vote is not None]


def count(path: Path) -> int:
    """How many lines a file has, whole or not: the number of the next vote."""
    return sum(1 for _ in _lines(path))


def _lines(path: Path) -> Iterator[Preferred | None]:
    if not path.exists():
        return
    with in_words(f"cannot read {path}"), path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError:
                yield None  # torn by a kill
                continue
            yield _vote(row, f"{path} line {number}")


def _vote(row: Any, where: str) -> Preferred:
    names = {field.name for field in fields(Preferred)}
    if not isinstance(row, dict) or row.keys() != names or row["vote"] not in VOTES:
        raise StoreError(f"{where} is no vote this version can read", "move the file away to begin a new one")
    pairs = {name: tuple(row[name]) for name in ("models", "order", "answers")}
    return Preferred(**{**row, **pairs})


@dataclass(frozen=True, slots=True)
class Tally:
    """What the votes on one pair of models come to."""

    #: The two models, the earlier first.
    models: tuple[int, int]
    wins: int  # of the later model
    losses: int
    ties: int
    skipped: int

    @property
    def votes(self) -> int:
        """Questions that count: a skipped one does not."""
        return self.wins + self.losses + self.ties

    @property
    def rate(self) -> float | None:
        """How often the later model was preferred; a tie counts half. None without a vote."""
        return (self.wins + self.ties / 2) / self.votes if self.votes else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval (95 %); with ties it is a little wider than need be."""
        return (0.0, 1.0) if self.rate is None else wilson_at(self.rate, self.votes, Z95)

    def sentence(self) -> str:
        """What the votes say, for people."""
        earlier, later = (f"M{t} (base)" if t == 0 else f"M{t}" for t in self.models)
        if self.rate is None:
            return f"No vote on {later} against {earlier} yet."
        low, high = self.interval
        figures = (
            f"{later} against {earlier}: preferred in {self.wins}, not in {self.losses}, {self.ties} ties; "
            f"win rate {self.rate:.0%} (95 %: {low:.0%} to {high:.0%}, ties count half)."
        )
        if low > 0.5:
            return f"{figures} {later} is preferred: even is outside the interval."
        if high < 0.5:
            return f"{figures} {earlier} is preferred: even is outside the interval."
        return f"{figures} That does not differ from even: more votes are needed to tell."


def tally(votes: Sequence[Preferred], models: tuple[int, int]) -> Tally:
    """The votes on these two models; others in the list do not count."""
    mine = [vote for vote in votes if vote.models == models]
    earlier, later = models
    won = [vote.winner for vote in mine]
    return Tally(
        models,
        won.count(later),
        won.count(earlier),
        sum(vote.vote == "tie" for vote in mine),
        sum(vote.vote == "skip" for vote in mine),
    )
