"""Words as 64-bit hashes: many texts are cut and hashed at once, by their bytes, without making a string of any word.

Knows: what a word is for the purpose of finding copies, and hashes that roll. A word's hash comes from its bytes, the
hash of a run of words from theirs; each is a difference of running sums, so a run costs the same whatever its length.
Equal runs have equal hashes; that unequal ones have is next to impossible, and up to the caller to check.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from isheep.text.words import _UNSPACED

Hashes = NDArray[np.uint64]
Numbers = NDArray[np.intp]

#: Bases of the hashes of words, from their bytes, and of runs, from their words: odd, so that they have inverses among
#: 64-bit numbers, with well-mixed bits (2^64 over the golden ratio; a constant of splitmix64).
_LETTERS, _WORDS = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9

#: Texts cut at once: enough to keep numpy busy, few enough to stay in the processor's cache.
BATCH = 256

_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
#: Stands before, between and behind texts that are read at once; in no word.
_MARK = "\x01"
#: Lower case for ASCII letters, a space for ASCII that is in no word, all else as it is.
_PLAIN = bytes(
    i if i > 127 or i == ord(_MARK) else ord(chr(i).lower()) if chr(i).isalnum() else 32 for i in range(256)
)


def words(text: str) -> list[str]:
    """The words a text is compared by: compatibility forms (full width, ligatures), case and punctuation do not count.

    Scripts written without spaces give one word per character, so that they are compared at all; a run of as many words
    is then about half as long.
    """
    if _is_plain(text):
        return text.encode("ascii").translate(_PLAIN).decode("ascii").split()
    return _WORD.findall(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()))


def _is_plain(text: str) -> bool:
    return text.isascii() and _MARK not in text


@dataclass(frozen=True)
class Read:
    """The words of several texts as hashes, one text behind the other."""

    hashes: Hashes
    #: Where each text begins, and behind the last where it ends.
    bounds: Numbers

    @property
    def lengths(self) -> Numbers:
        """Words of each text."""
        return np.diff(self.bounds)

    @cached_property
    def left(self) -> Numbers:
        """For every word, how many words its text has from it on."""
        return np.repeat(self.bounds[1:], self.lengths) - np.arange(self.hashes.size)

    def texts(self, places: Numbers) -> Numbers:
        """Which text each of these words is in."""
        return np.searchsorted(self.bounds, places, "right") - 1

    def runs(self, length: int, places: Numbers) -> Hashes:
        """Hashes of the runs of `length` words that begin at these words; all within their text, as `left` says."""
        _, inverses = _powers(_WORDS, self.hashes.size)
        return (self._sums[places + length] - self._sums[places]) * inverses[places]

    @cached_property
    def _sums(self) -> Hashes:
        powers, _ = _powers(_WORDS, self.hashes.size)
        return _running(self.hashes * powers)


def read(texts: Sequence[str]) -> Read:
    """Cut and hash the words of these texts: the same words as `words` gives."""
    parts = [_read(texts[first : first + BATCH]) for first in range(0, max(1, len(texts)), BATCH)]
    ends = np.cumsum([0, *(part.hashes.size for part in parts)])
    bounds = [part.bounds[:-1] + begin for part, begin in zip(parts, ends.tolist(), strict=False)]
    return Read(np.concatenate([part.hashes for part in parts]), np.concatenate([*bounds, ends[-1:]]))


def _read(texts: Sequence[str]) -> Read:
    prepared = [text if _is_plain(text) else " ".join(words(text)) for text in texts]
    joined = _MARK.join(["", *prepared, ""]) if texts else _MARK
    letters = np.frombuffer(joined.encode().translate(_PLAIN), dtype=np.uint8)
    edges = np.flatnonzero(np.diff(letters > ord(" "))) + 1  # a mark is below a space
    starts, stops = edges[::2], edges[1::2]
    powers, inverses = _powers(_LETTERS, letters.size)
    sums = _running(letters * powers)
    marks = np.flatnonzero(letters == ord(_MARK))
    return Read(_mixed((sums[stops] - sums[starts]) * inverses[starts]), np.searchsorted(starts, marks))


def _running(values: Hashes) -> Hashes:
    """Sums of all values before each place, and of all of them at the end."""
    sums = np.zeros(values.size + 1, dtype=np.uint64)
    np.cumsum(values, out=sums[1:])
    return sums


def _powers(base: int, count: int) -> tuple[Hashes, Hashes]:
    """The first powers of a base, and their inverses."""
    powers, inverses = _many_powers(base, max(10, count.bit_length()))
    return powers[:count], inverses[:count]


@lru_cache(maxsize=4)
def _many_powers(base: int, bits: int) -> tuple[Hashes, Hashes]:
    both = []
    for factor in (base, pow(base, -1, 1 << 64)):
        factors = np.full(1 << bits, factor, dtype=np.uint64)
        factors[0] = 1
        both.append(np.multiply.accumulate(factors))
    return both[0], both[1]


def _mixed(x: Hashes) -> Hashes:
    """Spread what tells words apart over all bits (the finaliser of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)), dtype=np.uint64)
