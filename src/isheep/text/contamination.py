"""Contamination: which texts share a run of words with a benchmark's prompt, and which scores that touches.

Words are normalised (compatibility forms, case, punctuation), so a copy cannot hide behind a capital letter. Runs are
found by 64-bit hashes, many texts at once, and every hit is compared word by word before it counts: nothing is flagged
by accident of hashing. Pure: does not know where texts come from, or what a model saw before this project.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isheep.records import Question
from isheep.text.hashed import BATCH, Hashes, Numbers, Read, read, words
from isheep.text.leaks import DEFAULT_N

#: A whole prompt of at least so many words counts wherever it stands in a text; of a shorter one only a text that is
#: nothing else: "what is the capital of France" stands in much that has nothing to do with a benchmark.
SHORTEST = 8


class Match(NamedTuple):
    """A question that a text shares words with. `kind`: "ngram" or "exact" (all of a short prompt)."""

    question: str
    task: str
    kind: str
    #: The shared words, joined by spaces.
    words: str


@dataclass(frozen=True, slots=True)
class _Runs:
    """Runs of one length: their hashes in ascending order, and where each stands among all questions' words."""

    length: int
    kind: str
    hashes: Hashes
    places: Numbers
    #: Whether some hash begins with these bits; most runs of a text are dismissed by one look.
    begins: NDArray[np.bool_]
    shift: np.uint64

    @classmethod
    def of(cls, length: int, kind: str, hashes: Hashes, places: Numbers) -> _Runs:
        order = np.lexsort((places, hashes))
        hashes, places = hashes[order], places[order]
        shift = np.uint64(64 - max(8, int(hashes.size).bit_length() + 4))
        begins = np.zeros(1 << (64 - int(shift)), dtype=np.bool_)
        begins[hashes >> shift] = True
        return cls(length, kind, hashes, places, begins, shift)

    def hits(self, hashes: Hashes) -> Numbers:
        """Which of these hashes are among the runs'."""
        near = np.flatnonzero(self.begins[hashes >> self.shift])
        found = np.searchsorted(self.hashes, hashes[near])
        found[found == self.hashes.size] = 0
        hits: Numbers = near[self.hashes[found] == hashes[near]]
        return hits

    def at(self, hash: np.uint64) -> Numbers:
        """Where the runs with this hash stand."""
        first, last = (int(np.searchsorted(self.hashes, hash, side)) for side in ("left", "right"))
        return self.places[first:last]


class NgramIndex:
    """The prompts of benchmarks, each with its reference behind it as one row of words."""

    def __init__(self, questions: Iterable[Question], n: int = DEFAULT_N) -> None:
        if n < 1:
            raise ValueError(f"a run must have at least one word, not {n}")
        self.n = n
        self.questions = tuple(questions)
        self._read = read([f"{q.text} {q.answer}" for q in self.questions])
        #: Very short prompts -> their questions.
        self._alone: dict[tuple[str, ...], list[int]] = {}
        short: dict[int, list[int]] = {}
        for position, length in enumerate(read([q.text for q in self.questions]).lengths.tolist()):
            if 0 < length < min(n, SHORTEST):
                prompt = tuple(words(self.questions[position].text))
                self._alone.setdefault(prompt, []).append(position)
            elif 0 < length < n:
                short.setdefault(length, []).append(int(self._read.bounds[position]))
        self._runs = [self._short(length, np.array(places)) for length, places in sorted(short.items())]
        self._runs.append(self._long())

    def find(self, text: str) -> tuple[Match, ...]:
        """Every question this text shares words with, in the questions' order, each with the longest run found."""
        return next(self.scan([text]))

    def scan(self, texts: Sequence[str]) -> Iterator[tuple[Match, ...]]:
        """`find` for many texts, many times faster; in the order given."""
        for first in range(0, len(texts), BATCH):
            part = texts[first : first + BATCH]
            told = read(part)
            hits = self._hits(told)
            for text, length in enumerate(told.lengths.tolist()):
                alone = 0 < length < SHORTEST and bool(self._alone)
                yield self._matches(words(part[text]), hits.get(text, [])) if alone or text in hits else ()

    def _short(self, length: int, places: Numbers) -> _Runs:
        return _Runs.of(length, "exact", self._read.runs(length, places), places)

    def _long(self) -> _Runs:
        """All runs of n words; of several equal ones in one question the first."""
        places = np.flatnonzero(self._read.left >= self.n)
        hashes, owners = self._read.runs(self.n, places), self._read.texts(places)
        order = np.lexsort((places, owners, hashes))
        hashes, owners, places = hashes[order], owners[order], places[order]
        first = np.ones(places.size, dtype=np.bool_)
        first[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
        return _Runs.of(self.n, "ngram", hashes[first], places[first])

    def _hits(self, told: Read) -> dict[int, list[tuple[_Runs, int, Numbers]]]:
        """By text: which runs have the hash of one of its own, where that stands in it, and where the runs stand."""
        found: dict[int, list[tuple[_Runs, int, Numbers]]] = {}
        for runs in self._runs:
            places = np.flatnonzero(told.left >= runs.length)
            hashes = told.runs(runs.length, places)
            hits = runs.hits(hashes)
            places, hashes = places[hits], hashes[hits]
            texts = told.texts(places)
            starts = places - told.bounds[texts]
            for text, start, hash in zip(texts.tolist(), starts.tolist(), hashes, strict=True):
                found.setdefault(text, []).append((runs, start, runs.at(hash)))
        return found

    def _matches(self, row: list[str], hits: Sequence[tuple[_Runs, int, Numbers]]) -> tuple[Match, ...]:
        """The questions a text really shares words with, from where hashes are equal: there the words are compared."""

        @cache
        def asked(position: int) -> list[str]:
            question = self.questions[position]
            return words(question.text) + words(question.answer)

        best: dict[int, tuple[str, int, int]] = {
            position: ("exact", 0, len(row)) for position in self._alone.get(tuple(row), ())
        }
        for runs, start, there in hits:
            positions = self._read.texts(there)
            offsets = there - self._read.bounds[positions]
            for position, offset in zip(positions.tolist(), offsets.tolist(), strict=True):
                _, first, last = best.get(position, ("", 0, 0))
                if first <= start and start + runs.length <= last:
                    continue  # inside a run already found
                length = _common(row, start, asked(position), offset)
                if length >= runs.length and length > last - first:
                    end = start + (length if runs.kind == "ngram" else runs.length)
                    best[position] = (runs.kind, start, end)
        return tuple(
            Match(self.questions[p].id, self.questions[p].task, kind, " ".join(row[first:last]))
            for p, (kind, first, last) in sorted(best.items())
        )


def _common(row: Sequence[str], start: int, other: Sequence[str], offset: int) -> int:
    """How many words are the same from `start` in the one and `offset` in the other on."""
    length = 0
    for one, two in zip(islice(row, start, None), islice(other, offset, None), strict=False):
        if one != two:
            break
        length += 1
    return length
