"""What needs no harness: the scores of SQuAD 2.0, the order of GPQA's options.

Pure: texts in, numbers out.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
#: What counts as "the passage does not say": the word the prompt offers, what others write, and silence.
NO_ANSWER = frozenset({"", "unanswerable", "no answer", "not answerable"})


def normalise_answer(text: str) -> str:
    """SQuAD's normalisation (Rajpurkar et al. 2016): lower case, no punctuation, no articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def squad_scores(response: str, answers: Sequence[str]) -> tuple[float, float]:
    """(exact, F1) of a response to a question of SQuAD 2.0, the best over the accepted answers.

    No accepted answers means that the passage does not hold one: then both are 1 for a response in NO_ANSWER, else 0.
    Where there is an answer, a response in NO_ANSWER scores 0 (Rajpurkar, Jia and Liang 2018).
    """
    given = normalise_answer(response)
    silent = given in NO_ANSWER
    accepted = [a for a in map(normalise_answer, answers) if a]
    if not accepted or silent:
        right = float(silent and not accepted)
        return right, right
    return float(given in accepted), max(_f1(given.split(), answer.split()) for answer in accepted)


def _f1(given: Sequence[str], answer: Sequence[str]) -> float:
    common = sum((Counter(given) & Counter(answer)).values())
    return 2 * common / (len(given) + len(answer))


def gpqa_order(question: str, choices: Sequence[str]) -> list[int]:
    """The order in which options are shown: by a hash of question and option, so the same everywhere and always."""
    return sorted(
        range(len(choices)),
        key=lambda n: hashlib.sha256(f"{question}\x1f{choices[n]}".encode()).digest(),
    )
