"""Contamination: which texts share a run of words with a benchmark's prompt, and which scores that touches.

Words are normalised (compatibility forms, case, punctuation), so a copy cannot hide behind a capital letter. Runs are
found by 64-bit hashes, many texts at once, and every hit is compared word by word before it counts: nothing is flagged
by accident of hashing. Pure: does not know where texts come from, or what a model saw before this project.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isheep.records import Item, Leak, Pair, Question
from isheep.text.words import _UNSPACED as UNSPACED

#: Words in a row that count as copied. GPT-3's analysis uses 8 to 13, by benchmark (Brown et al. 2020, appendix C).
DEFAULT_N = 13
#: A whole prompt of at least so many words counts wherever it stands in a text; of a shorter one only a text that is
#: nothing else: "what is the capital of France" stands in much that has nothing to do with a benchmark.
SHORTEST = 8

#: Texts hashed at once: enough to keep numpy busy, few enough to stay in the processor's cache.
_BATCH = 512
#: An odd number with well-mixed bits (2^64 over the golden ratio): multiplying by it shifts a hash by one word.
_SHIFT = np.uint64(0x9E3779B97F4A7C15)
#: The number of every word no prompt has, and of the gap between texts. No run reaches across it.
_GAP = 0
#: Of the mark at the end of a text.
_END = -1

_WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
#: Stands between texts that are cut into words all at once; no word.
_MARK = b"\x01"
#: Lower case for ASCII letters, a space for ASCII that is in no word, all else as it is.
_PLAIN = bytes(
    i if i > 127 or i == _MARK[0] else ord(chr(i).lower()) if chr(i).isalnum() else 32 for i in range(256)
)

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]


def words(text: str) -> list[str]:
    """The words a text is compared by: case and punctuation do not count.

    Scripts written without spaces give one word per character, so that they are compared at all; the same run of
    `n` is then about half as long.
    """
    if _is_plain(text):
        return text.encode("ascii").translate(_PLAIN).decode("ascii").split()
    return _WORD.findall(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))


def _is_plain(text: str) -> bool:
    return text.isascii() and "\x01" not in text


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
        bits = max(8, int(hashes.size).bit_length() + 4)
        shift = np.uint64(64 - bits)
        begins = np.zeros(1 << bits, dtype=np.bool_)
        begins[hashes >> shift] = True
        return cls(length, kind, hashes, places, begins, shift)

    def hits(self, hashes: Hashes) -> NDArray[np.intp]:
        """Which of these hashes are among the runs'."""
        near = np.flatnonzero(self.begins[hashes >> self.shift])
        found = np.searchsorted(self.hashes, hashes[near])
        found[found == self.hashes.size] = 0
        hits: NDArray[np.intp] = near[self.hashes[found] == hashes[near]]
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
        #: Words in UTF-8 -> their numbers.
        self._numbers: dict[bytes, int] = {}
        #: Whole prompts too short to be looked for inside a text -> their questions.
        self._alone: dict[tuple[int, ...], list[int]] = {}
        numbered: list[int] = [_GAP]
        starts: list[int] = []
        short: dict[int, list[int]] = {}
        for position, question in enumerate(self.questions):
            asked, answer = self._learn(question.text), self._learn(question.answer)
            starts.append(len(numbered))
            if 0 < len(asked) < min(n, SHORTEST):
                self._alone.setdefault(tuple(asked), []).append(position)
            elif asked and len(asked) < n:
                short.setdefault(len(asked), []).append(len(numbered))
            numbered += [*asked, *answer, _GAP]
        self._words = np.array(numbered, dtype=np.int64)
        self._names = ["", *(word.decode() for word in self._numbers)]
        self._values = _mixed(len(self._numbers) + 1)
        self._numbers[_MARK] = _END
        self._starts = np.array(starts, dtype=np.int64)
        self._runs = [self._short(length, np.array(places)) for length, places in sorted(short.items())]
        self._runs.append(self._long())

    def find(self, text: str) -> tuple[Match, ...]:
        """Every question this text shares words with, in the questions' order, each with one shared run."""
        return next(self.scan([text]))

    def scan(self, texts: Sequence[str]) -> Iterator[tuple[Match, ...]]:
        """`find` for many texts, many times faster; in the order given."""
        for first in range(0, len(texts), _BATCH):
            yield from self._batch(texts[first : first + _BATCH])

    def _learn(self, text: str) -> list[int]:
        """The numbers of a text's words, new ones given to new words."""
        return [self._numbers.setdefault(word.encode(), len(self._numbers) + 1) for word in words(text)]

    def _read(self, texts: Sequence[str]) -> tuple[Numbers, NDArray[np.intp]]:
        """The numbers of the words of all texts, a gap after each; and where those gaps are."""
        mark = _MARK.decode()
        prepared = [text if _is_plain(text) else " ".join(words(text)) for text in texts]
        found = (f" {mark} ".join(prepared) + f" {mark}").encode().translate(_PLAIN).split()
        known = map(self._numbers.get, found, repeat(_GAP))
        numbers = np.fromiter(known, dtype=np.int64, count=len(found))
        ends = np.flatnonzero(numbers == _END)
        numbers[ends] = _GAP
        return numbers, ends

    def _short(self, length: int, places: Numbers) -> _Runs:
        return _Runs.of(length, "exact", self._hashes(self._words, places, length), places)

    def _long(self) -> _Runs:
        """All runs of n words; of several equal ones in one question the first."""
        places = np.flatnonzero(_lengths(self._words) >= self.n)
        hashes = self._hashes(self._words, places, self.n)
        owners = self._owners(places)
        order = np.lexsort((places, owners, hashes))
        again = np.zeros(places.size, dtype=np.bool_)
        h, o = hashes[order], owners[order]
        again[1:] = (h[1:] == h[:-1]) & (o[1:] == o[:-1])
        kept = order[~again]
        return _Runs.of(self.n, "ngram", hashes[kept], places[kept])

    def _owners(self, places: Numbers) -> Numbers:
        """Positions of the questions these places belong to."""
        return np.searchsorted(self._starts, places, "right") - 1

    def _hashes(self, numbers: Numbers, places: Numbers, length: int) -> Hashes:
        """Hashes of the runs of `length` words that begin at these places."""
        hashes = np.zeros(places.size, dtype=np.uint64)
        for k in range(length):
            hashes = hashes * _SHIFT + self._values[numbers[places + k]]
        return hashes

    def _batch(self, texts: Sequence[str]) -> Iterator[tuple[Match, ...]]:
        numbers, ends = self._read(texts)
        #: text -> question -> (kind, first and last place of the longest run)
        found: dict[int, dict[int, tuple[str, int, int]]] = {}
        for text, position, place in self._whole(numbers, ends):
            found.setdefault(text, {})[position] = ("exact", place, int(ends[text]))
        for place, kind, position, length in self._shared(numbers):
            best = found.setdefault(int(np.searchsorted(ends, place)), {})
            _, first, last = best.get(position, ("", 0, 0))
            if length > last - first:
                best[position] = (kind, place, place + length)
        for text in range(len(texts)):
            yield tuple(
                self._match(position, kind, numbers[first:last])
                for position, (kind, first, last) in sorted(found.get(text, {}).items())
            )

    def _match(self, position: int, kind: str, numbers: Numbers) -> Match:
        question = self.questions[position]
        return Match(question.id, question.task, kind, " ".join(self._names[i] for i in numbers.tolist()))

    def _whole(self, numbers: Numbers, ends: NDArray[np.intp]) -> Iterator[tuple[int, int, int]]:
        """(text, position of the question, place) of every text that is one very short prompt and nothing else."""
        starts = np.concatenate(([0], ends[:-1] + 1))
        for text in np.flatnonzero(ends - starts < SHORTEST).tolist():
            first = int(starts[text])
            for position in self._alone.get(tuple(numbers[first : ends[text]].tolist()), ()):
                yield text, position, first

    def _shared(self, numbers: Numbers) -> Iterator[tuple[int, str, int, int]]:
        """(place in the texts, kind, position of the question, words shared) of every run both have."""
        lengths = _lengths(numbers)
        places = np.flatnonzero(lengths >= self._runs[0].length)
        hashes, done = np.zeros(places.size, dtype=np.uint64), 0
        for runs in self._runs:
            enough = lengths[places] >= runs.length
            places, hashes = places[enough], hashes[enough]
            for k in range(done, runs.length):
                hashes = hashes * _SHIFT + self._values[numbers[places + k]]
            done = runs.length
            covered: dict[tuple[int, int], int] = {}
            for hit in runs.hits(hashes).tolist():
                place = int(places[hit])
                there = runs.at(hashes[hit])
                for start, question in zip(there.tolist(), self._owners(there).tolist(), strict=True):
                    if covered.get((question, place - start), 0) > place + runs.length - 1:
                        continue  # inside a run already told
                    length = self._equal(numbers[place : place + int(lengths[place])], start)
                    if length >= runs.length:
                        covered[question, place - start] = place + length
                        yield place, runs.kind, question, length if runs.kind == "ngram" else runs.length

    def _equal(self, numbers: Numbers, start: int) -> int:
        """How many words from here on are the same as the questions' words from `start`."""
        other = self._words[start : start + numbers.size]
        unlike = np.flatnonzero(numbers[: other.size] != other)
        return int(unlike[0]) if unlike.size else int(other.size)


def _lengths(numbers: Numbers) -> Numbers:
    """For every place, how many known words stand from it to the next gap."""
    gaps = np.flatnonzero(numbers == _GAP)
    return np.repeat(gaps, np.diff(gaps, prepend=-1)) - np.arange(numbers.size)


def _mixed(count: int) -> Hashes:
    """A well-mixed 64-bit value for every word number (the finaliser of splitmix64)."""
    x = np.arange(1, count + 1, dtype=np.uint64) * _SHIFT
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)), dtype=np.uint64)


# ---------------------------------------------------------------- what follows from leaks


def contaminated_pairs(leaks: Iterable[Leak], pairs: Iterable[Pair]) -> set[str]:
    """Ids of the pairs whose instruction or response shares words with a benchmark.

    Several answers to one instruction are called "<instruction id>/<n>": all of them go with it.
    """
    found = {(leak.where, leak.source) for leak in leaks}
    return {
        pair.id
        for pair in pairs
        if not found.isdisjoint(
            (
                ("response", pair.id),
                ("instruction", pair.id),
                ("instruction", pair.id.rpartition("/")[0]),
            )
        )
    }


def leaked_questions(leaks: Iterable[Leak], questions: Iterable[Question]) -> set[tuple[str, str]]:
    """(task, prompt id) of every question that some text of ours shares words with."""
    found = {leak.question for leak in leaks}
    return {(question.task, question.prompt) for question in questions if question.id in found}


def clean_and_flagged(
    items: Iterable[Item], leaked: AbstractSet[tuple[str, str]]
) -> tuple[list[Item], list[Item]]:
    """Items on questions no text of ours shares words with, and the others. `leaked` as from `leaked_questions`."""
    clean: list[Item] = []
    flagged: list[Item] = []
    for item in items:
        (flagged if (item.task, item.prompt) in leaked else clean).append(item)
    return clean, flagged
