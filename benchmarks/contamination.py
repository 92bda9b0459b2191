"""Contamination: isheep's index of hashed runs against the plain way (a dictionary of tuples of 13 words).

    python benchmarks/contamination.py                     # 541 prompts, 30,000 texts of 60 words
    python benchmarks/contamination.py --questions 20000   # as many as a suite of benchmarks has

Prompts and texts are made by a seeded generator from one vocabulary with the skew of English (Zipf), as texts whose
words the prompts have too are the hard case; one text in a hundred quotes a prompt. Both ways cut words alike and must
flag the same texts for the same prompts, or this program fails. Times are CPU seconds of one process, without the
memory being watched; the memory of an index is that of building it once more.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import tracemalloc
from itertools import accumulate

from isheep.records import Question
from isheep.text.contamination import NgramIndex
from isheep.text.hashed import words
from isheep.text.leaks import DEFAULT_N

VOCABULARY = 20_000
#: Words of a prompt (the mean of IFEval's is about 40) and of a text.
PROMPT, TEXT = 40, 60


def made(count: int, length: int, rng: random.Random) -> list[str]:
    """`count` texts of `length` words, with capitals and full stops."""
    names = [f"w{number}" for number in range(VOCABULARY)]
    skew = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))
    texts = []
    for _ in range(count):
        row = rng.choices(names, cum_weights=skew, k=length)
        texts.append(". ".join(" ".join(row[i : i + 10]).capitalize() for i in range(0, length, 10)) + ".")
    return texts


def quoted(texts: list[str], prompts: list[str], rng: random.Random) -> list[str]:
    """Every hundredth text holds a prompt, in capitals."""
    return [f"{text} {rng.choice(prompts).upper()}" if n % 100 == 0 else text for n, text in enumerate(texts)]


class Tuples:
    """The plain way: a dictionary from every run, as a tuple of words, to the prompts that have it."""

    def __init__(self, questions: list[Question]) -> None:
        self.runs: dict[tuple[str, ...], set[str]] = {}
        for question in questions:
            row = words(f"{question.text} {question.answer}")
            for i in range(len(row) - DEFAULT_N + 1):
                self.runs.setdefault(tuple(row[i : i + DEFAULT_N]), set()).add(question.id)

    def flag(self, texts: list[str]) -> list[set[str]]:
        found = []
        for text in texts:
            row, hits = words(text), set[str]()
            for i in range(len(row) - DEFAULT_N + 1):
                if ids := self.runs.get(tuple(row[i : i + DEFAULT_N])):
                    hits |= ids
            found.append(hits)
        return found


class Ours:
    """The same by the index."""

    def __init__(self, questions: list[Question]) -> None:
        self.index = NgramIndex(questions)

    def flag(self, texts: list[str]) -> list[set[str]]:
        return [{match.question for match in matches} for matches in self.index.scan(texts)]


def measured(
    way: type[Tuples] | type[Ours], questions: list[Question], texts: list[str]
) -> tuple[list[set[str]], float, float, float]:
    """What it flags, seconds to index and to look through the texts, and MB that the index takes."""
    start = time.process_time()
    index = way(questions)
    built = time.process_time()
    found = index.flag(texts)
    done = time.process_time()
    del index
    tracemalloc.start()
    again = way(questions)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del again
    return found, built - start, done - built, size / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=541, help="prompts indexed (IFEval has 541)")
    parser.add_argument("--texts", type=int, default=30_000, help="texts looked through")
    arguments = parser.parse_args()

    rng = random.Random(0)
    prompts = made(arguments.questions, PROMPT, rng)
    questions = [Question(f"q/{n}", "q", str(n), text) for n, text in enumerate(prompts)]
    texts = quoted(made(arguments.texts, TEXT, rng), prompts, rng)
    tuples, own = measured(Tuples, questions, texts), measured(Ours, questions, texts)

    print(f"{'way':<10}{'index, s':>10}{'index, MB':>11}{'texts, s':>10}{'texts/s':>10}{'flagged':>9}")
    for way, (found, index, seconds, size) in (("tuples", tuples), ("isheep", own)):
        rate, flagged = len(texts) / seconds, sum(map(bool, found))
        print(f"{way:<10}{index:>10.3f}{size:>11.1f}{seconds:>10.2f}{rate:>10,.0f}{flagged:>9}")
    same = tuples[0] == own[0]
    ratio, smaller = tuples[2] / own[2], tuples[3] / own[3]
    print(f"ratio on the texts: {ratio:.1f}x; index {smaller:.0f} times smaller; flagged alike: {same}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
