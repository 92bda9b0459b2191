"""How long and how unlike the texts of one iteration are: what shrinks first when a model feeds on itself.

Knows: strings. Every figure is None where there is nothing to measure. Words are those of words.py, so every script
counts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import combinations
from statistics import median
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel

from isheep.text.overlap import DEFAULT_THRESHOLD, OverlapIndex
from isheep.text.rarefaction import expected_distinct
from isheep.text.words import tokens, word_count

#: Texts in which near-duplicates are looked for; of more, so many are drawn. The authors' iterations have about 10,000.
LOOKED_AT = 10_000
#: Pairs of texts whose likeness is averaged: the mean is then known to about 0.005.
PAIRS = 5_000

T = TypeVar("T")


def median_words(texts: Sequence[str]) -> float | None:
    """Median number of words of a text."""
    return float(median(map(word_count, texts))) if texts else None


def share_short(texts: Sequence[str], words: int = 4) -> float | None:
    """Share of texts with fewer than `words` words, the empty ones included."""
    return sum(word_count(text) < words for text in texts) / len(texts) if texts else None


# ---------------------------------------------------------------- distinct n-grams


def ngram_total(texts: Sequence[str], n: int) -> int:
    """How many n-grams the texts hold, repeats included: the largest `budget` distinct_n can have for them."""
    return sum(max(0, len(tokens(text)) - n + 1) for text in texts)


def distinct_n(texts: Sequence[str], n: int, budget: int | None = None) -> float | None:
    """Distinct n-grams over all n-grams, in so many whole texts, drawn at random, as hold `budget` n-grams.

    The share falls as a set grows, so to compare sets give each the smallest `ngram_total` among them; the default is
    all of this one. Mean over all draws in closed form (rarefaction.py). Whole texts are drawn, not single n-grams, as
    a text repeats itself more than it repeats others. No n-gram crosses from one text to the next. None without any
    n-gram, or with a budget of 0; ValueError for a budget below 0 or above `ngram_total`.
    """
    if n < 1:
        raise ValueError(f"an n-gram has 1 word or more, not {n}")
    holders, kinds = _ngrams(texts, n)
    total = len(kinds)
    budget = total if budget is None else budget
    if not 0 <= budget <= total:
        raise ValueError(f"a sample of {budget} n-grams cannot be drawn from {total}")
    if not budget:
        return None
    several = int(kinds.max()) + 1
    held = np.unique(holders * several + kinds) % several  # each kind once per text that holds it
    texts_with_any = len(np.unique(holders))
    size = texts_with_any * budget / total
    return min(1.0, expected_distinct(np.bincount(held), texts_with_any, size) / budget)


def _ngrams(texts: Sequence[str], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every n-gram of the texts, repeats included: the text that holds it, and the number of its kind, from 0."""
    numbers: dict[str, int] = {}
    cut = [[numbers.setdefault(word, len(numbers)) for word in tokens(text)] for text in texts]
    words = np.array([number for text in cut for number in text], dtype=np.int64)
    holders = np.repeat(np.arange(len(cut)), [len(text) for text in cut])
    starts = np.arange(max(0, len(words) - n + 1))
    starts = starts[holders[starts] == holders[starts + n - 1]]
    kinds = words[starts]
    for following in range(1, n):
        # Numbered anew each time: the product never outgrows 64 bits.
        kinds = np.unique(kinds * len(numbers) + words[starts + following], return_inverse=True)[1]
    return holders[starts], kinds


# ---------------------------------------------------------------- likeness


def self_similarity(texts: Sequence[str], seed: int) -> float | None:
    """Mean ROUGE-L F1 of two texts of the set, 0 to 1; None for fewer than two texts.

    Over PAIRS random pairs, or all when there are no more: the cost does not grow with the set, and neither does the
    figure (likeness to the nearest text does: of more texts, some is nearer). It shows texts growing alike as a whole;
    copies of a few texts hardly move it, and are what near_duplicate_share is for. The order of texts does not matter.
    """
    count = len(texts)
    if count < 2:
        return None
    ordered = sorted(texts)
    scores = [_likeness(ordered[one], ordered[two]) for one, two in _pairs(count, seed)]
    return sum(scores) / len(scores)


def _pairs(count: int, seed: int) -> Iterator[tuple[int, int]]:
    if count * (count - 1) // 2 <= PAIRS:
        yield from combinations(range(count), 2)
        return
    rng = random.Random(seed)
    for _ in range(PAIRS):
        one, step = int(rng.random() * count), int(rng.random() * (count - 1))
        yield one, (one + 1 + step) % count


def _likeness(one: str, two: str) -> float:
    first, second = tokens(one), tokens(two)
    if not first and not second:
        return float(one == two)  # as in overlap.py: only punctuation
    return Indel.normalized_similarity(first, second)


def near_duplicate_share(
    texts: Sequence[str], threshold: float = DEFAULT_THRESHOLD, seed: int = 0
) -> float | None:
    """Share of texts that an earlier one of the set resembles by a ROUGE-L F1 above `threshold`.

    Exact for up to LOOKED_AT texts; of more, so many are drawn, as the share rises with the number looked at.
    """
    looked_at = _sample(texts, LOOKED_AT, seed)
    index = OverlapIndex(threshold)
    near = 0
    for text in looked_at:
        hit = index.nearest(text)
        near += hit is not None
        if hit is None or hit.score < 1.0:  # an equal text would find nothing that the kept one does not
            index.add("", text)
    return near / len(looked_at) if looked_at else None


def near_duplicate_share_against(
    texts: Sequence[str], earlier: Sequence[str], threshold: float = DEFAULT_THRESHOLD, seed: int = 0
) -> float | None:
    """Share of texts that a text of `earlier` resembles by a ROUGE-L F1 above `threshold`; None where either is empty.

    At most LOOKED_AT texts are looked up, in all of `earlier`: copies of a text left out would go unseen.
    """
    if not earlier:
        return None
    looked_at = _sample(sorted(texts), LOOKED_AT, seed)
    index = OverlapIndex(threshold)
    index.add_all(("", text) for text in dict.fromkeys(earlier))
    return sum(index.nearest(text) is not None for text in looked_at) / len(looked_at) if looked_at else None


def _sample(items: Sequence[T], size: int, seed: int) -> Sequence[T]:
    """At most `size` of the items, in their order. Written out as in draw.py: `random()` never changes its numbers."""
    if len(items) <= size:
        return items
    rng = random.Random(seed)
    keys = [rng.random() for _ in items]
    chosen = sorted(range(len(items)), key=keys.__getitem__)[:size]
    return [items[place] for place in sorted(chosen)]
