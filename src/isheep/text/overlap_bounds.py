"""What two texts must have in common to be near-duplicates: bounds that follow from their numbers of words alone.

Knows: arithmetic, no texts. ROUGE-L F1 of texts of m and n words is 2 L / (m + n), where L is the length of their
longest common subsequence. F1 of t or more needs L >= t (m + n) / 2, and as L <= n, never less than t m / (2 - t).

Write the words of both texts in one fixed order, each as often as it occurs. The first word that they share has at
least L - 1 shared words behind it. So it is among the first m - L + 1 of one text and the first n - L + 1 of the other:
only those need stand in an inverted index, and only those need be looked up there (prefix filtering, as in PPJoin, Xiao
et al. 2008). Below, "text" is the one that is looked up or indexed, `length` its number of words.
"""

from __future__ import annotations

import math
from functools import lru_cache

#: Guards the bounds against rounding: they may let a pair too many through, never one too few.
SLACK = 1e-6
#: No text has more words.
LONGEST = 2**31 - 1
#: A lower threshold asks for no more than this one: one word in common, up to LONGEST words.
_LOWEST = 1e-9
#: Lengths with the same leading bits share a shelf: up to 7 words every length has its own, then 2 share one, from 16
#: words 4, and so on. With 4 bits the times were equal, with more memory.
_BITS = 3


def needed(threshold: float, length: int, other: int) -> int:
    """The shortest common subsequence with which texts of so many words can reach the threshold."""
    return max(1, math.ceil(threshold * (length + other) / 2 - SLACK))


def least(threshold: float, length: int) -> int:
    """The same for an other text of any length; which itself has at least so many words."""
    return max(1, math.ceil(threshold * length / (2 - threshold) - SLACK))


def shelf(length: int) -> int:
    """The number of the shelf for texts of so many words: longer ones never stand on a lower shelf."""
    shift = max(0, length.bit_length() - _BITS)
    return (shift << (_BITS - 1)) + (length >> shift)


def shortest(shelf: int) -> int:
    """The fewest words of a text on a shelf."""
    shift = max(0, (shelf >> (_BITS - 1)) - 1)
    return (shelf - (shift << (_BITS - 1))) << shift


@lru_cache(maxsize=1024)
def probes(threshold: float, length: int) -> tuple[range, ...]:
    """For each word that must be looked up, in the fixed order: the shelves where."""
    low = least(threshold, length)
    found: list[range] = []
    end = shelf(LONGEST) + 1
    for place in range(length - low + 1):
        while place > length - needed(threshold, length, max(low, shortest(end - 1))):
            end -= 1
        found.append(range(shelf(low), end))
    return tuple(found)


@lru_cache(maxsize=1024)
def reaches(threshold: float, length: int) -> tuple[int, ...]:
    """For each word that must be indexed, in the fixed order: its reach, the length of the longest text it concerns."""
    return tuple(
        int(min(LONGEST, 2 * (length - place + SLACK) / max(threshold, _LOWEST) - length))
        for place in range(length - least(threshold, length) + 1)
    )
