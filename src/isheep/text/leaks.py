"""What follows from leaks: which pairs, questions and scored items are touched by words shared with a benchmark.

Pure: does not know how leaks are found (contamination.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from isheep.records import Item, Leak, Pair, Question

#: Words in a row that count as copied. GPT-3's analysis uses 8 to 13, by benchmark (Brown et al. 2020, appendix C).
DEFAULT_N = 13


def contaminated_pairs(leaks: Iterable[Leak], pairs: Iterable[Pair]) -> set[str]:
    """Ids of the pairs whose instruction or response shares words with a benchmark.

    Several answers to one instruction are called "<instruction id>/<n>": all of them go with it.
    """
    found = {(leak.where, leak.source) for leak in leaks}
    return {
        pair.id
        for pair in (pairs if found else ())
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
