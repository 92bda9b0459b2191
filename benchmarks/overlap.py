"""Near-duplicate rejection: isheep's index against the plain way, and how its cost grows.

    python benchmarks/overlap.py                # about five minutes
    python benchmarks/overlap.py --million      # the growth up to a million texts, too: some ten minutes more
    python benchmarks/overlap.py --full 500 --sampled 5000 --sample 20 --sizes 1000 5000    # a quick look

The plain way is what Self-Instruct and its successors do: rouge_score's tokens, and for each new text `Pool.map` of
`_score_lcs` over all kept ones, in two processes. Three tables:

1. Both ways on `--full` texts.
2. Both ways on `--sampled` texts. Here the plain way would take hours, so it takes `--sample` of the texts, drawn at
   random, against all that were kept before them, and its time is extrapolated by the number of comparisons.
3. The index alone on growing numbers of texts, each in its own process: time, peak memory (the texts included), and
   the exponent of growth (1 is proportional), fitted to the CPU seconds.

Wherever both ways look at a text they must decide the same, or this program fails. Wall seconds are what a user waits;
CPU seconds, of all processes together, say more on a machine with other work. Nothing is read or downloaded.

The texts are made up by a seeded generator after real instructions: lengths around 20 words, skewed (log-normal); words
as frequent as in English (the first 9 % of all, frequency times rank about 0.12 up to rank 1,000 and falling from
there), which gives 784 different ones in the first 2,283 words, where the 175 seed tasks of Self-Instruct have 727;
common openings; words that go together (topics). Every tenth text is a copy of an earlier one with up to half of its
words replaced.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import NamedTuple, TypeVar

import numpy as np
from rouge_score.rouge_scorer import _score_lcs
from rouge_score.tokenize import tokenize

from isheep.text.overlap import DEFAULT_THRESHOLD, OverlapIndex

PROCESSES = 2
VOCABULARY, TOPICS, WORDS_OF_A_TOPIC = 300_000, 5_000, 40
# fmt: off
COMMON = ["the", "a", "to", "of", "for", "and", "in", "you", "is", "or", "me", "that", "with", "if", "can", "an", "are"]
OPENINGS = [
    "write a", "write a short story about", "given a sentence", "given the following", "explain how to",
    "explain why the", "list three ways to", "list the main", "summarise the text about",
    "what is the difference between the", "what is the", "what are the most", "sort each of these into",
    "label the following", "give an example of a", "give me a few",
    "rewrite the paragraph so that it mentions", "describe a day when you", "describe the",
    "find the mistake in the", "generate a", "make a list of", "make up a story in which a",
    "translate this into", "suggest a", "tell me how to", "point out the", "here is a", "turn the",
    "how do i", "how can we", "which of these is", "compare the", "plan a", "imagine you are a",
    "compose a poem about", "shorten the sentence so that", "decide whether the", "calculate the",
    "is it true that",
]
# fmt: on

T = TypeVar("T")


def instructions(count: int, seed: int = 0) -> list[str]:
    """`count` made-up instructions, the same for the same seed."""
    rng = random.Random(seed)
    words = COMMON + [f"w{rank}" for rank in range(len(COMMON), VOCABULARY)]
    skew = list(accumulate(1 / (rank + 1.5) / (1 + rank / 3000) ** 0.8 for rank in range(VOCABULARY)))
    of_openings = list(accumulate(1 / (rank + 10) for rank in range(len(OPENINGS))))
    of_topics = list(accumulate(1 / (rank + 10) for rank in range(TOPICS)))
    topics = [rng.choices(words, cum_weights=skew, k=WORDS_OF_A_TOPIC) for _ in range(TOPICS)]
    texts: list[str] = []
    while len(texts) < count:
        if texts and rng.random() < 0.1:
            text = rng.choice(texts).rstrip(".").split()
            for _ in range(rng.randint(0, len(text) // 2)):
                text[rng.randrange(len(text))] = rng.choices(words, cum_weights=skew)[0]
        else:
            text = rng.choices(OPENINGS, cum_weights=of_openings)[0].split()
            length = max(len(text) + 1, round(rng.lognormvariate(2.85, 0.5)))
            topic = rng.choices(topics, cum_weights=of_topics)[0]
            text += rng.choices(words, cum_weights=skew, k=length - len(text))
            for place in range(len(text)):
                if rng.random() < 0.2:
                    text[place] = rng.choice(topic)
        texts.append(" ".join(text).capitalize() + ".")
    return texts


# ---------------------------------------------------------------- the two ways


class Cost(NamedTuple):
    """What a piece of work took, in seconds."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:>13,.1f}{self.cpu:>13,.1f}"


def timed(work: Callable[[], T]) -> tuple[T, Cost]:
    """The result of some work, and its cost; child processes count once they have ended."""
    wall, before = time.perf_counter(), os.times()
    result = work()
    wall, after = time.perf_counter() - wall, os.times()
    return result, Cost(wall, sum(after[:4]) - sum(before[:4]))


def ours(texts: Sequence[str]) -> list[bool]:
    """For each text: is it near to one kept before?"""
    hits = OverlapIndex().filter((str(number), text) for number, text in enumerate(texts))
    return [hit is not None for hit in hits]


def near(pool: multiprocessing.pool.Pool, words: list[str], kept: list[list[str]]) -> bool:
    """The plain way for one text."""
    return any(score.fmeasure > DEFAULT_THRESHOLD for score in pool.map(partial(_score_lcs, words), kept))


def plain(texts: Sequence[str]) -> list[bool]:
    """The same as `ours`, the plain way."""
    kept: list[list[str]] = []
    decisions = []
    with multiprocessing.Pool(PROCESSES) as pool:
        for text in texts:
            words = tokenize(text, None)
            decisions.append(near(pool, words, kept))
            if not decisions[-1]:
                kept.append(words)
        pool.close()
        pool.join()
    return decisions


def plain_sample(texts: Sequence[str], decisions: Sequence[bool], sample: Sequence[int]) -> list[bool]:
    """The plain way for some of the texts, where `decisions` say which were kept before them."""
    words = [tokenize(text, None) for text in texts]
    found = []
    with multiprocessing.Pool(PROCESSES) as pool:
        for number in sample:
            kept = [words[earlier] for earlier in range(number) if not decisions[earlier]]
            found.append(near(pool, words[number], kept))
        pool.close()
        pool.join()
    return found


# ---------------------------------------------------------------- the three tables


def compare_in_full(count: int) -> bool:
    """Table 1; were the decisions equal?"""
    texts = instructions(count)
    expected, slow = timed(lambda: plain(texts))
    decisions, fast = timed(lambda: ours(texts))
    show_ratio(count, sum(decisions), slow, fast, "plain")
    return decisions == expected


def compare_by_sample(count: int, size: int) -> bool:
    """Table 2; were the decisions equal?"""
    texts = instructions(count)
    decisions, fast = timed(lambda: ours(texts))
    sample = random.Random(1).sample(range(count), size)
    found, taken = timed(lambda: plain_sample(texts, decisions, sample))
    kept_before = [0, *accumulate(not near for near in decisions)]
    factor = sum(kept_before[:count]) / sum(kept_before[number] for number in sample)
    slow = Cost(taken.wall * factor, taken.cpu * factor)
    show_ratio(count, sum(decisions), slow, fast, f"plain (from {size})")
    return found == [decisions[number] for number in sample]


def show_ratio(count: int, near: int, slow: Cost, fast: Cost, name: str) -> None:
    print(f"\n{count:,} texts, {near:,} of them near-duplicates")
    print(f"{'way':<24}{'wall s':>13}{'CPU s':>13}")
    print(f"{name:<24}{slow}\n{'isheep':<24}{fast}")
    print(f"{'ratio':<24}{slow.wall / fast.wall:>13,.0f}{slow.cpu / fast.cpu:>13,.0f}", flush=True)


def grow(sizes: Sequence[int]) -> None:
    """Table 3."""
    print(f"\n{'texts':>10}{'near':>10}{'wall s':>13}{'CPU s':>13}{'us CPU/text':>13}{'peak MB':>10}")
    seconds = []
    for size in sizes:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            near, cost, megabytes = pool.apply(alone, (size,))
        seconds.append(cost.cpu)
        print(f"{size:>10,}{near:>10,}{cost}{cost.cpu / size * 1e6:>13.0f}{megabytes:>10,.0f}", flush=True)
    if len(sizes) > 1:
        exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        print(f"exponent of growth: {exponent:.2f}")


def alone(size: int) -> tuple[int, Cost, float]:
    """One row of table 3: near-duplicates, cost, and the peak memory of this process in megabytes (Linux)."""
    texts = instructions(size)
    decisions, cost = timed(lambda: ours(texts))
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return sum(decisions), cost, peak / 1024


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", type=int, default=2_000, help="texts for both ways in full")
    parser.add_argument("--sampled", type=int, default=20_000, help="texts of which a sample goes both ways")
    parser.add_argument("--sample", type=int, default=40, help="size of that sample")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000], help="texts, index alone"
    )
    parser.add_argument("--million", action="store_true", help="add 1,000,000 to the sizes")
    arguments = parser.parse_args()

    equal = compare_in_full(arguments.full) and compare_by_sample(arguments.sampled, arguments.sample)
    print(f"decisions equal: {equal}", flush=True)
    grow(arguments.sizes + [1_000_000] * arguments.million)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
