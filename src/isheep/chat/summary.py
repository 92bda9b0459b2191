"""Items and judgments of a chat benchmark -> its scores, each with a 95 % interval.

Knows records only, so a summary can be made again, years later, without a judge. Missing verdicts are counted and left
out, never taken for a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf

from isheep.chat.length import length_controlled
from isheep.chat.protocols import GRADE, PREFERENCE
from isheep.chat.questions import TEMPERATURES
from isheep.records import Item, Judgment, Reply, Score
from isheep.stats import bca, clustered_mean

#: The least and the largest grade.
GRADES = (1.0, 10.0)

#: More characters than any reply has: with it said, lengths of 0 and 1 are not taken for a share.
LONGEST = 1e9

#: (question id, turn)
Key = tuple[str, int]


def lengths_of(replies: Iterable[Reply]) -> dict[Key, int]:
    """Characters of each reply, by question and turn."""
    return {(reply.prompt, reply.turn): len(reply.text) for reply in replies}


def pairwise_scores(
    items: Iterable[Item],
    judgments: Iterable[Judgment],
    baseline_lengths: Mapping[Key, int],
    seed: int = 0,
    draws: int = 2000,
) -> list[Score]:
    """The scores of one model against one baseline on one task, from the records of a judged step.

    `win_rate` and `lc_win_rate` (length-controlled) over the readable preferences, 0 to 1, with BCa bootstrap intervals
    over questions; `tie_rate`: both orders a tie; `flip_rate`: a win in one order, a loss in the other, so that the
    place decided; `missing_rate`: a verdict of the two cannot be read; `mean_length` and `mean_length_baseline` in
    characters. The three rates are shares of questions (tie and flip: of the readable ones).

    A score of which there is nothing, as all verdicts are missing, is not in the list.
    """
    items = [item for item in items if item.metric == PREFERENCE]
    if not items:
        return []
    made = _Scores(items[0].task)
    orders = _orders(judgments)
    known = [item for item in items if item.value is not None]
    clusters = [item.cluster for item in known]
    if known:
        _win_rates(made, known, baseline_lengths, seed, draws)
        both = [orders[_key(item)] for item in known]
        made.share("tie_rate", [v == w == 0.5 for v, w in both], clusters)
        made.share("flip_rate", [(v - 0.5) * (w - 0.5) < 0 for v, w in both], clusters)
    every = [item.cluster for item in items]
    made.share("missing_rate", [item.value is None for item in items], every)
    made.length("mean_length", [item.length or 0 for item in items], every)
    made.length("mean_length_baseline", [baseline_lengths[_key(item)] for item in items], every)
    return made.scores


def graded_scores(items: Iterable[Item]) -> list[Score]:
    """The grades of one model on one task: MT-Bench's table.

    `grade` over all (as FastChat's total), `grade/1` per turn, `grade/math` per category, `grade/math/2` per category
    and turn: 1 to 10, intervals clustered by question. `missing_rate`: the share of turns whose grade cannot be read.
    """
    items = [item for item in items if item.metric == GRADE]
    if not items:
        return []
    made = _Scores(items[0].task)
    cells: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        for cell in {(), (item.item,), (item.group,), (item.group, item.item)}:
            if "" not in cell:
                cells.setdefault(cell, []).append(item)
    order = {category: n for n, category in enumerate(TEMPERATURES)}
    turns = {item.item for item in items}

    def place(cell: tuple[str, ...]) -> tuple[object, ...]:
        is_category = bool(cell) and cell[0] not in turns
        return (is_category, order.get(cell[0], len(order)) if is_category else 0, cell)

    for cell in sorted(cells, key=place):
        known = [(item.value, item.cluster) for item in cells[cell] if item.value is not None]
        if known:
            found = clustered_mean([v for v, _ in known], [c for _, c in known], GRADES)
            made.add("/".join((GRADE, *cell)), found.value, len(known), found.low, found.high)
    made.share("missing_rate", [item.value is None for item in items], [item.cluster for item in items])
    return made.scores


def _key(item: Item) -> Key:
    return item.prompt, int(item.item or 1)


def _orders(judgments: Iterable[Judgment]) -> dict[Key, tuple[float, float]]:
    """The verdicts of both orders, where both can be read."""
    found: dict[Key, dict[bool, float]] = {}
    for judgment in judgments:
        if judgment.value is not None:
            found.setdefault((judgment.prompt, judgment.turn), {})[judgment.swapped] = judgment.value
    return {key: (values[False], values[True]) for key, values in found.items() if len(values) == 2}


def _win_rates(
    made: _Scores, known: Sequence[Item], baseline_lengths: Mapping[Key, int], seed: int, draws: int
) -> None:
    import numpy as np

    values = np.array([item.value for item in known], dtype=np.float64)
    longer = np.array([(item.length or 0) - baseline_lengths[_key(item)] for item in known], dtype=np.float64)
    clusters = [item.cluster for item in known]
    one_each = len(set(clusters)) == len(clusters)
    widest = clustered_mean(values.tolist(), clusters, (0.0, 1.0))
    statistics: dict[str, Callable[[np.ndarray], float]] = {
        "win_rate": lambda chosen: float(np.mean(values[chosen])),
        "lc_win_rate": lambda chosen: length_controlled(values[chosen], longer[chosen]),
    }
    for metric, statistic in statistics.items():
        low, high = bca(len(known), statistic, None if one_each else clusters, draws, seed)
        if np.ptp(values) == 0 or high - low < 1e-9:  # all verdicts alike: that is not certainty
            low, high = widest.low, widest.high
        made.add(metric, statistic(np.arange(len(known))), len(known), low, high)


class _Scores:
    """The scores of a task, as they are made."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.scores: list[Score] = []

    def add(self, metric: str, value: float, n: int, low: float, high: float) -> None:
        self.scores.append(Score(f"{self.task}/{metric}", self.task, metric, value, n, low, high))

    def share(self, metric: str, hits: Sequence[bool], clusters: Sequence[str]) -> None:
        found = clustered_mean([float(hit) for hit in hits], clusters, (0.0, 1.0))
        self.add(metric, found.value, len(hits), found.low, found.high)

    def length(self, metric: str, lengths: Sequence[int], clusters: Sequence[str]) -> None:
        """Where lengths do not vary nothing tells how far their mean may: then the interval is what was seen."""
        found = clustered_mean([float(length) for length in lengths], clusters, (0.0, LONGEST))
        low, high = found.low, found.high
        if not 0 < found.se < inf:
            low, high = float(min(lengths)), float(max(lengths))
        self.add(metric, found.value, len(lengths), low, high)
