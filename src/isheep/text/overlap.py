"""Near-duplicates: is this text too close to one already kept, by ROUGE-L F1?

The decisions are those of comparing with every kept text one by one, as the released code does, to the last float; the
cost is not. Three steps, each dearer per text than the one before, leave out what cannot reach the threshold:

1. An inverted index, word -> kept texts, holds only the first words of every text in a fixed order, and is asked only
   for the first words of the new one; overlap_bounds.py says how many are enough. Rare words come first in that order,
   so that few texts are found. The index is divided by length: texts of very unlike lengths cannot be near-duplicates.
2. A signature of 128 bits bounds the words that two texts have in common.
3. rapidfuzz finds the longest common subsequence with each of the few texts left.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from isheep.text.overlap_bounds import LONGEST, SLACK, probes, reaches, shelf
from isheep.text.words import tokens

#: ROUGE-L F1 above which a text is a near-duplicate (released code and Self-Instruct: 0.7, strictly above).
DEFAULT_THRESHOLD = 0.7

#: Kept texts at which the words are first put in order of their frequency, and how many times more until the next time.
#: It costs as much as adding all texts again, and saves a fifth of the time at 400,000.
_FIRST_RANKING, _RANKING_GROWTH = 4096, 16
#: A word's number is written as one character, as strings are what rapidfuzz compares fastest; above this, as integers.
_LAST_LETTER = 0x10FFFF

#: A text as its words' numbers.
Letters: TypeAlias = "str | array[int]"


class Hit(NamedTuple):
    """A kept text over the threshold and its ROUGE-L F1."""

    id: str
    score: float


class OverlapIndex:
    """All texts kept so far. Ids are the caller's and need not be unique."""

    def __init__(self, threshold: float = DEFAULT_THRESHOLD) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f"the threshold of ROUGE-L F1 must be in 0..1, not {threshold}")
        self.threshold = threshold
        self._ids: list[str] = []
        self._letters: list[Letters] = []
        self._facts = array("Q")  # of each text the four of `_facts_of`
        self._same: dict[str | bytes, int] = {}  # see `_identity` -> first position
        self._numbers: dict[str, int] = {}  # word -> its number, from 1
        # Of each number the word's place in the fixed order, and the inverted index: for each shelf, the texts that
        # have the word among their first, as reach << 32 | position.
        self._ranks: list[int] = [0]
        self._holders: list[dict[int, array[int]]] = [{}]
        self._next_ranking = _FIRST_RANKING

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, id: str, text: str) -> None:
        """Keep a text, whatever it resembles."""
        self._add(id, text, tokens(text))

    def add_all(self, items: Iterable[tuple[str, str]]) -> None:
        """Keep texts, given as (id, text)."""
        for id, text in items:
            self.add(id, text)

    def nearest(self, text: str) -> Hit | None:
        """The kept text with the highest score over the threshold; of equals the one kept first; else None.

        A text without any word (only punctuation) is near only to the very same string.
        """
        return self._nearest(text, tokens(text))

    def filter(self, items: Iterable[tuple[str, str]]) -> list[Hit | None]:
        """Take (id, text) in order: None for a text that is new, and is now kept; its Hit for one that is not."""
        hits = []
        for id, text in items:
            words = tokens(text)
            hit = self._nearest(text, words)
            if hit is None:
                self._add(id, text, words)
            hits.append(hit)
        return hits

    # ------------------------------------------------------------ keeping

    def _add(self, id: str, text: str, words: list[str]) -> None:
        position = len(self._ids)
        numbers = [self._number(word) for word in words]
        letters = _letters(numbers)
        self._ids.append(id)
        self._letters.append(letters)
        self._facts.extend(_facts_of(numbers))
        if self._same.setdefault(_identity(letters, text), position) == position:
            self._index(numbers, position)  # of equals only the first is ever the nearest
        if len(self._ids) == self._next_ranking:
            self._rank()

    def _number(self, word: str) -> int:
        number = self._numbers.get(word)
        if number is None:
            number = self._numbers[word] = len(self._ranks)
            self._ranks.append(-number)  # before all others: a word seen this late is rare
            self._holders.append({})
        return number

    def _index(self, numbers: list[int], position: int) -> None:
        """Make a kept text findable by its first words."""
        stand = shelf(len(numbers))
        last = 0
        ordered = sorted(numbers, key=self._ranks.__getitem__)
        for number, reach in zip(ordered, reaches(self.threshold, len(numbers)), strict=False):
            if number != last:
                texts = self._holders[number].get(stand)
                if texts is None:
                    texts = self._holders[number][stand] = array("q")
                texts.append(reach << 32 | position)
            last = number

    def _rank(self) -> None:
        """Put the words in order of how often the kept texts have them, and index all texts anew."""
        self._next_ranking *= _RANKING_GROWTH
        counts = Counter(chain.from_iterable(map(_numbers_of, self._letters)))
        for rank, number in enumerate(sorted(counts, key=lambda number: (counts[number], -number))):
            self._ranks[number] = rank
        self._holders = [{} for _ in self._ranks]
        for position in self._same.values():
            self._index(_numbers_of(self._letters[position]), position)

    # ------------------------------------------------------------ asking

    def _nearest(self, text: str, words: list[str]) -> Hit | None:
        unknown = len(self._ranks)  # the number of every word that no kept text has: it matches nothing
        numbers = [self._numbers.get(word, unknown) for word in words]
        letters = _letters(numbers)
        same = self._same.get(_identity(letters, text))
        if same is not None:
            return Hit(self._ids[same], 1.0) if self.threshold < 1.0 else None
        candidates = self._candidates([number for number in numbers if number != unknown], len(words))
        if not candidates:
            return None
        kept = [self._letters[position] for position in candidates]
        common = process.cdist([letters], kept, scorer=LCSseq.similarity, dtype=np.int32)[0]
        scores = f_measure(common, len(words), np.array([len(other) for other in kept], dtype=np.intc))
        best = int(scores.argmax())  # the first of equals, and candidates are in the order kept
        score = float(scores[best])
        return Hit(self._ids[candidates[best]], score) if score > self.threshold else None

    def _candidates(self, known: list[int], length: int) -> list[int]:
        """Ascending positions of all kept texts that may be over the threshold, and few others.

        The text has `length` words; `known` are the numbers of those that any kept text has.
        """
        found = self._lookup(known, length)
        if not found.size:
            return []
        low, high, _, spare = _facts_of(known)
        facts = np.frombuffer(self._facts, dtype=np.uint64).reshape(-1, 4).take(found, axis=0)
        lengths, spares = facts.view(np.int64)[:, 2:].T
        bits = np.bitwise_count(facts[:, 0] & np.uint64(low)) + np.bitwise_count(
            facts[:, 1] & np.uint64(high)
        )
        most = bits + np.minimum(spares, spare)
        needed = self.threshold / 2 * lengths + (self.threshold / 2 * length - SLACK)
        return sorted(set(found.compress(most >= needed).tolist()))

    def _lookup(self, known: list[int], length: int) -> NDArray[np.int64]:
        """Positions of the texts that share a word where the bounds ask for one, in no order, once per such word."""
        ordered = sorted(known, key=self._ranks.__getitem__)
        unknown = length - len(known)  # they come first in the order
        lists: list[array[int]] = []
        for number, shelves in zip(ordered, probes(self.threshold, length)[unknown:], strict=False):
            lists.extend(filter(None, map(self._holders[number].get, shelves)))
        found = np.frombuffer(b"".join(lists), dtype=np.int64)
        return found.compress(found >= length << 32) & LONGEST


def f_measure(common: NDArray[np.int32], length: int, lengths: NDArray[np.intc]) -> NDArray[np.float64]:
    """ROUGE-L F1 in the very order of operations of rouge_score: scores that tie at 0.7 round the same way as there."""
    precision, recall = common / lengths, common / length
    total = precision + recall
    return 2 * precision * recall / np.where(total > 0, total, 1.0)


def _facts_of(numbers: list[int]) -> tuple[int, int, int, int]:
    """What bounds the words that two texts have in common: a signature of 128 bits in two halves, length, and spare.

    Every word sets one bit, and the spare ones find theirs already set. Two texts share at most as many words as bits,
    and the spare words of one of them.
    """
    bits = 0
    for number in numbers:
        bits |= 1 << (number & 127)
    return bits & (2**64 - 1), bits >> 64, len(numbers), len(numbers) - bits.bit_count()


def _letters(numbers: list[int]) -> Letters:
    """Word numbers in the form rapidfuzz compares. Never printed or encoded, so surrogates among them do no harm."""
    if max(numbers, default=0) <= _LAST_LETTER:
        return "".join(map(chr, numbers))
    return array("I", numbers)


def _numbers_of(letters: Letters) -> list[int]:
    return list(map(ord, letters)) if isinstance(letters, str) else letters.tolist()


def _identity(letters: Letters, text: str) -> str | bytes:
    """What makes two texts the same: equal words; without words, equal strings ("\0" keeps the two apart)."""
    return (letters if isinstance(letters, str) else letters.tobytes()) or "\0" + text
