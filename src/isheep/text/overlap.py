"""Near-duplicates: is this text too close to one already kept, by ROUGE-L F1?

The decisions are those of comparing with every kept text one by one, as the released code does, to the last float; the
cost is not. An inverted index (word -> texts that hold it) offers the few texts that could reach the threshold at all,
and only those are measured.

Why that loses nothing: ROUGE-L F1 of texts of m and n words is 2 L / (m + n), where L is the length of their longest
common subsequence. F1 above t needs L > t (m + n) / 2, and as L <= n, at least L > t m / (2 - t): a near-duplicate
lacks only so many of the text's m words. So of any more of them, say the rarest, it must hold at least one; and a text
whose 64-bit signature shows that it lacks too many need not be measured.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from isheep.text.words import tokens

#: ROUGE-L F1 above which a text is a near-duplicate (released code and Self-Instruct: 0.7, strictly above).
DEFAULT_THRESHOLD = 0.7

#: Guards the bounds against rounding. Only the final comparison decides, and it uses rouge_score's own expression.
_SLACK = 1e-6

#: The number of every word that no kept text holds; it matches nothing.
_UNKNOWN = 0
#: A word's number is written as one character, as strings are what rapidfuzz compares fastest; above this, as integers.
_LAST_LETTER = 0x10FFFF

#: A text as its words' numbers.
Letters: TypeAlias = "str | array[int]"
#: Positions of kept texts, in the order kept.
Positions: TypeAlias = NDArray[np.intc]
_NOWHERE = np.empty(0, dtype=np.intc)


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
        self._lengths = array("i")
        self._signatures = array("Q")
        self._numbers: dict[str, int] = {}  # word -> its number, from 1
        self._holders: dict[int, array[int]] = {}  # word number -> positions of the kept texts that hold it
        self._same: dict[str | bytes, int] = {}  # see `_identity` -> first position

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

    def _add(self, id: str, text: str, words: list[str]) -> None:
        position = len(self._ids)
        numbers = [self._numbers.setdefault(word, len(self._numbers) + 1) for word in words]
        letters = _letters(numbers)
        self._ids.append(id)
        self._letters.append(letters)
        self._lengths.append(len(words))
        self._signatures.append(_signature(numbers))
        self._same.setdefault(_identity(letters, text), position)
        for number in set(numbers):
            self._holders.setdefault(number, array("i")).append(position)

    def _nearest(self, text: str, words: list[str]) -> Hit | None:
        numbers = [self._numbers.get(word, _UNKNOWN) for word in words]
        letters = _letters(numbers)
        same = self._same.get(_identity(letters, text)) if _UNKNOWN not in numbers else None
        if same is not None:
            return Hit(self._ids[same], 1.0) if self.threshold < 1.0 else None
        if not words:
            return None
        candidates = self._candidates(numbers) if self._ids else _NOWHERE
        if not candidates.size:
            return None
        kept = [self._letters[position] for position in candidates.tolist()]
        common = process.cdist([letters], kept, scorer=LCSseq.similarity, dtype=np.int32)[0]
        scores = f_measure(common, len(words), np.frombuffer(self._lengths, dtype=np.intc)[candidates])
        best = int(scores.argmax())  # the first of equals, and candidates are in the order kept
        score = float(scores[best])
        return Hit(self._ids[candidates[best]], score) if score > self.threshold else None

    def _candidates(self, numbers: list[int]) -> Positions:
        """Ascending positions of all kept texts that may be over the threshold, and few others (some twice)."""
        count = len(numbers)
        least = max(1, math.ceil(self.threshold * count / (2 - self.threshold) - _SLACK))
        found = self._holders_of_any(numbers, count - least + 1)
        unlike = np.uint64(_signature(numbers)) & ~np.frombuffer(self._signatures, dtype=np.uint64)[found]
        # Every bit left is a word of this text that the other lacks; so is every word no kept text holds.
        lacking = np.bitwise_count(unlike).astype(np.intc) + numbers.count(
            _UNKNOWN
        )  # one byte holds 255 words
        close = lacking <= count - least
        found, lacking = found[close], lacking[close]
        if not found.size:
            return _NOWHERE
        # Once the other's length is known, the same argument asks for more.
        lengths = np.frombuffer(self._lengths, dtype=np.intc)[found]
        needed = np.ceil(self.threshold * (count + lengths) / 2 - _SLACK)
        near = (needed <= np.minimum(count, lengths)) & (lacking <= count - needed)
        return np.sort(found[near])

    def _holders_of_any(self, numbers: list[int], enough: int) -> Positions:
        """Who holds any of the `enough` rarest words of a text, in no order, once per word."""
        looked_up, lists = 0, [_NOWHERE]
        for holders, times in self._rarest_first(numbers):
            if looked_up >= enough:
                break
            looked_up += times
            if holders:
                lists.append(np.frombuffer(holders, dtype=np.intc))
        return np.concatenate(lists)

    def _rarest_first(self, numbers: list[int]) -> list[tuple[array[int], int]]:
        """For each different word of a text: who holds it, and how often it occurs in the text."""
        nobody = array("i")
        words = [(self._holders.get(number, nobody), times) for number, times in Counter(numbers).items()]
        return sorted(words, key=lambda word: len(word[0]))


def f_measure(common: NDArray[np.int32], length: int, lengths: Positions) -> NDArray[np.float64]:
    """ROUGE-L F1 in the very order of operations of rouge_score: scores that tie at 0.7 round the same way as there."""
    precision, recall = common / lengths, common / length
    total = precision + recall
    return 2 * precision * recall / np.where(total > 0, total, 1.0)


def _signature(numbers: Iterable[int]) -> int:
    """64 bits, one set by every known word: a bit set here and not there is a word that is here and not there."""
    bits = 0
    for number in numbers:
        if number != _UNKNOWN:
            bits |= 1 << (number & 63)
    return bits


def _letters(numbers: list[int]) -> Letters:
    """Word numbers in the form rapidfuzz compares. Never printed or encoded, so surrogates among them do no harm."""
    if max(numbers, default=0) <= _LAST_LETTER:
        return "".join(map(chr, numbers))
    return array("I", numbers)


def _identity(letters: Letters, text: str) -> str | bytes:
    """What makes two texts the same: equal words; without words, equal strings ("\0" keeps the two apart)."""
    return (letters if isinstance(letters, str) else letters.tobytes()) or "\0" + text
