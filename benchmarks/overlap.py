"""Near-duplicate search: isheep's index against the plain way (compare with every kept text by rouge_score).

    python benchmarks/overlap.py                # 2,000 texts both ways, 20,000 with the index
    python benchmarks/overlap.py --large 200000

The texts are made by a seeded generator: instructions of 8 to 25 words over a vocabulary with the skew of English
(Zipf), every tenth a changed copy of an earlier one, so that duplicates and close calls occur. Both ways must take the
same decision on every text, or this program fails. Times are CPU seconds of one process.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from itertools import accumulate

from rouge_score.rouge_scorer import _score_lcs
from rouge_score.tokenize import tokenize

from isheep.text.overlap import DEFAULT_THRESHOLD, OverlapIndex

OPENINGS = (
    "Write a short story about",
    "Explain how",
    "List three ways to",
    "Summarise the following text about",
    "What is the difference between",
    "Classify each of these as",
    "Give an example of",
    "Rewrite the paragraph so that it mentions",
    "Describe why",
    "Find the error in",
)
VOCABULARY = 20_000


def instructions(count: int, seed: int = 0) -> list[str]:
    """`count` made-up instructions, the same for the same seed."""
    rng = random.Random(seed)
    words = [f"w{number}" for number in range(VOCABULARY)]
    skew = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))
    texts: list[str] = []
    while len(texts) < count:
        if texts and rng.random() < 0.1:
            copy = rng.choice(texts).split()
            for _ in range(rng.randint(0, len(copy) // 2)):
                copy[rng.randrange(len(copy))] = rng.choices(words, cum_weights=skew)[0]
            texts.append(" ".join(copy))
        else:
            opening = rng.choice(OPENINGS)
            rest = rng.choices(words, cum_weights=skew, k=max(1, rng.randint(8, 25) - len(opening.split())))
            texts.append(" ".join([opening, *rest]) + ".")
    return texts


def plain(texts: list[str]) -> tuple[list[bool], float]:
    """The released code's way, in one process: every text against every kept one, until one is over the threshold."""
    start = time.process_time()
    kept: list[list[str]] = []
    decisions = []
    for text in texts:
        words = tokenize(text, None)
        near = any(_score_lcs(words, other).fmeasure > DEFAULT_THRESHOLD for other in kept)
        decisions.append(near)
        if not near:
            kept.append(words)
    return decisions, time.process_time() - start


def ours(texts: list[str]) -> tuple[list[bool], float]:
    """The same by the index."""
    start = time.process_time()
    hits = OverlapIndex().filter((str(number), text) for number, text in enumerate(texts))
    return [hit is not None for hit in hits], time.process_time() - start


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", type=int, default=2_000, help="texts compared both ways")
    parser.add_argument("--large", type=int, default=20_000, help="texts for the index alone")
    arguments = parser.parse_args()

    texts = instructions(arguments.small)
    expected, slow = plain(texts)
    decisions, fast = ours(texts)
    _, large = ours(instructions(arguments.large))

    print(f"{'way':<22}{'texts':>9}{'near':>8}{'seconds':>11}{'microseconds/text':>20}")
    for way, count, near, seconds in (
        ("every pair (rouge)", arguments.small, sum(expected), slow),
        ("isheep", arguments.small, sum(decisions), fast),
        ("isheep", arguments.large, None, large),
    ):
        shown = "" if near is None else near
        print(f"{way:<22}{count:>9,}{shown:>8}{seconds:>11.3f}{seconds / count * 1e6:>20.0f}")
    print(f"ratio at {arguments.small:,}: {slow / fast:.0f}x; decisions equal: {decisions == expected}")
    return 0 if decisions == expected else 1


if __name__ == "__main__":
    sys.exit(main())
