"""Whether the model still writes lists and still judges: figures on form, read from records.

Knows: completions, instructions and verdicts of one iteration. Every figure is None where there is nothing to measure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from isheep.records import Completion, Instruction, Verdict

#: Reasons that say the form of the list was broken: what parse.py could not read, and labels that leaked into a task.
FORM = frozenset({"empty", "numbering", "format", "list_marker", "noinput"})


@dataclass(frozen=True, slots=True)
class Yield:
    """How the lists of one iteration fared. Shares are of `items`; None without any."""

    #: Lists the model wrote (those with no room in its context are not among them).
    lists: int
    #: Items read from them, but for those after the last one needed, which were never looked at in full.
    items: int
    items_per_list: float | None
    #: Dropped as their form was broken, see FORM.
    share_form: float | None
    #: Dropped as the token limit came before their end: at most one a list.
    share_cut: float | None
    #: Dropped as near-duplicates of a task already known.
    share_known: float | None
    #: Kept.
    share_kept: float | None


def yield_counts(completions: Iterable[Completion], instructions: Iterable[Instruction]) -> Yield:
    """Counts of one iteration's lists and of what was read from them, whatever the order."""
    lists = sum(completion.finish != "too_long" for completion in completions)
    reasons = Counter(instruction.reason for instruction in instructions)
    items = reasons.total() - reasons["too_long"] - reasons["over_count"]

    def share(count: int) -> float | None:
        return count / items if items else None

    return Yield(
        lists,
        items,
        items / lists if lists else None,
        share(sum(reasons[reason] for reason in FORM)),
        share(reasons["cut"]),
        share(reasons["near_duplicate"]),
        share(reasons[None]),
    )


# ---------------------------------------------------------------- the judge's scores


def saturation(scores: Iterable[float | None], top: int = 10) -> float | None:
    """Share of the readable scores that are the top one, expected scores rounded (9.5 and above are 10)."""
    rounded = [_rounded(score) for score in scores if score is not None]
    return rounded.count(top) / len(rounded) if rounded else None


def histogram(scores: Iterable[float | None]) -> tuple[int, ...]:
    """How many of the readable scores round to 1, 2, ... 10, halves up. Raises ValueError for a score off the scale."""
    counts = Counter(_rounded(score) for score in scores if score is not None)
    off = counts.keys() - set(range(1, 11))
    if off:
        raise ValueError(f"not on the scale of 1 to 10: {sorted(off)}")
    return tuple(counts[score] for score in range(1, 11))


def _rounded(score: float) -> int:
    return floor(score + 0.5)


def parse_failures(verdicts: Sequence[Verdict]) -> float | None:
    """Share of verdicts without a readable score."""
    return sum(verdict.score is None for verdict in verdicts) / len(verdicts) if verdicts else None


def scale_agreement(verdicts: Iterable[Verdict]) -> float | None:
    """Spearman's rank correlation of the two scales, -1 to 1, over pairs with a readable score on both.

    Several scores of a pair on one scale are averaged. 1 means that the second scale adds nothing to the first. None
    unless there are two scales, two such pairs, and different scores on either scale.
    """
    read: dict[str, dict[str, list[float]]] = {}
    for verdict in verdicts:
        scores = read.setdefault(verdict.scale, {}).setdefault(verdict.pair, [])
        if verdict.score is not None:
            scores.append(verdict.score)
    if len(read) != 2:
        return None
    one, two = read.values()
    both = [pair for pair, scores in one.items() if scores and two.get(pair)]
    return spearman([_mean(one[pair]) for pair in both], [_mean(two[pair]) for pair in both])


def _mean(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores)


def spearman(one: Sequence[float], two: Sequence[float]) -> float | None:
    """Rank correlation of paired values, ties by their average rank; None when undefined (all of one side equal)."""
    if len(one) != len(two):
        raise ValueError(f"{len(one)} values cannot be paired with {len(two)}")
    if len(set(one)) < 2 or len(set(two)) < 2:
        return None
    return max(-1.0, min(1.0, float(np.corrcoef(_ranks(one), _ranks(two))[0, 1])))


def _ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """1 for the lowest; equals share the mean of their places."""
    _, kind, counts = np.unique(np.array(values), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[kind]
    return ranks
