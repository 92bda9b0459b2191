"""From scored items to scores: each with its interval, each change against the base model on the very same prompts.

Computed last, from records. Knows: items of several models of one run. Pairing is refused where two models were not
asked the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.chat.protocols import RULE
from isheep.errors import PairingError
from isheep.records import Item
from isheep.stats import clustered_difference, clustered_mean, holm

#: Metrics that are no shares: the least and the largest value.
BOUNDS: Mapping[str, tuple[float, float]] = {"grade": (1.0, 10.0)}
#: Only exact-match tests are asked in several decodings, and only their metrics are named by it.
EXACT_MATCH = frozenset({"accuracy", "ended"})
#: Signs of health, not of quality: never compared with the base model.
NOT_COMPARED = frozenset({"ended"})
#: The metric by which two layouts of one test are compared.
BEST_BY = "accuracy"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one score speaks of."""

    task: str
    metric: str
    decoding: str
    layout: str = ""

    @property
    def name(self) -> str:
        """The metric as summary.json calls it: "accuracy_greedy", "acc_norm"."""
        return f"{self.metric}_{self.decoding}" if self.metric in EXACT_MATCH else self.metric


def cells(items: Iterable[Item]) -> dict[Cell, list[Item]]:
    """The items of each cell, in order."""
    found: dict[Cell, list[Item]] = {}
    for item in items:
        found.setdefault(Cell(item.task, item.metric, item.decoding, item.layout), []).append(item)
    return found


def best_layouts(items: Iterable[Item]) -> dict[tuple[str, str], str]:
    """(task, decoding) -> the layout with the highest accuracy, where a test was asked in several (the base model's).
    Choosing it on the test itself favours the base model, which is the safe side for a claim of improvement."""
    best: dict[tuple[str, str], tuple[float, str]] = {}
    for cell, members in sorted(cells(items).items(), key=lambda entry: entry[0].layout):
        if cell.metric == BEST_BY:
            mean = _mean([i.value for i in members if i.value is not None])
            if (cell.task, cell.decoding) not in best or mean > best[cell.task, cell.decoding][0]:
                best[cell.task, cell.decoding] = (mean, cell.layout)
    return {key: layout for key, (_, layout) in best.items()}


def in_best_layout(items: Iterable[Item]) -> list[Item]:
    """The items that count: of a test asked in several layouts, those of the best."""
    items = list(items)
    best = best_layouts(items)
    return [i for i in items if best.get((i.task, i.decoding), i.layout) == i.layout]


def score_rows(items: Iterable[Item]) -> list[Row]:
    """One row per cell: mean, 95 % interval over clusters, items, clusters, and how many values are missing.

    A cell without any value has none: its row says how many are missing.
    """
    items = list(items)
    best = best_layouts(items)
    rows = []
    for cell, members in cells(items).items():
        is_best = best.get((cell.task, cell.decoding), cell.layout) == cell.layout
        rows.append(
            {
                "task": cell.task,
                "metric": cell.name if is_best else f"{cell.name}@{cell.layout}",
                **_estimate(cell.metric, members),
                "layout": cell.layout,
            }
        )
    return sorted(rows, key=lambda r: (in_other_layout(r), r["task"], r["metric"]))


def in_other_layout(row: Mapping[str, Any]) -> bool:
    """Whether a row is the base model's in a layout that is not its best: "accuracy_greedy@plain" (not "pass@1")."""
    return bool(row["layout"]) and str(row["metric"]).endswith(f"@{row['layout']}")


def _estimate(metric: str, members: Sequence[Item]) -> Row:
    known = [(i.value, i.cluster) for i in members if i.value is not None]
    counts = {"n": len(known), "missing": len(members) - len(known)}
    if not known:
        return {"value": None, "ci_low": None, "ci_high": None, "clusters": 0, **counts}
    found = clustered_mean([v for v, _ in known], [c for _, c in known], BOUNDS.get(metric, (0.0, 1.0)))
    return {
        "value": found.value,
        "ci_low": found.low,
        "ci_high": found.high,
        "clusters": found.clusters,
        **counts,
    }


def paired(after: Iterable[Item], before: Iterable[Item]) -> list[tuple[Item, Item]]:
    """The items of two models that were asked the same: same task, metric, decoding, prompt and item; layouts may
    differ. Items without a value on either side are left out, as are those that only one model has.

    Raises PairingError when one prompt's text differs, as the two were then not asked the same question, or when they
    were not scored by the same.
    """
    known = {(i.task, i.metric, i.decoding, i.prompt, i.item): i for i in before}
    pairs = []
    for item in after:
        other = known.get((item.task, item.metric, item.decoding, item.prompt, item.item))
        if other is None or item.value is None or other.value is None:
            continue
        if item.prompt_hash != other.prompt_hash:
            raise PairingError(
                f"{item.task}: the prompt {item.prompt!r} was not the same for both models",
                "evaluate both with the same data and settings; only scores on the same prompts can be paired",
            )
        if not same_scorer(item.scorer, other.scorer):
            raise PairingError(
                f"{item.task}: one was scored by {other.scorer}, the other by {item.scorer}",
                "evaluate both again with the same judge, prompts and versions",
            )
        pairs.append((item, other))
    return pairs


def same_scorer(one: str, other: str) -> bool:
    """Whether two items were scored alike. Where a rule settled every verdict on a model (it said nothing at all), no
    judge was asked, and any judge of the other model will do."""
    (judge, rest), (others, others_rest) = (scorer.partition(", ")[::2] for scorer in (one, other))
    return one == other or (rest == others_rest and f"judge {RULE}" in (judge, others))


def gain_rows(after: Iterable[Item], before: Iterable[Item]) -> list[Row]:
    """One row per cell: the mean paired difference to the base model, its interval, and p of no difference.

    Where pairing is refused the row holds the reason and no number.
    """
    base = cells(i for i in in_best_layout(before) if i.metric not in NOT_COMPARED)
    by_name = {(cell.task, cell.name): members for cell, members in base.items()}
    rows = []
    for cell, members in cells(in_best_layout(after)).items():
        others = by_name.get((cell.task, cell.name))
        if not others:
            continue
        row: Row = {"task": cell.task, "metric": cell.name}
        try:
            pairs = paired(members, others)
        except PairingError as error:
            rows.append({**row, **_nothing, "refused": error.message})
            continue
        if pairs:
            rows.append({**row, **_difference(cell.metric, pairs)})
    return sorted(rows, key=lambda r: (r["task"], r["metric"]))


_nothing: Row = {"value": None, "n": 0, "ci_low": None, "ci_high": None, "p": None, "p_holm": None}


def _difference(metric: str, pairs: Sequence[tuple[Item, Item]]) -> Row:
    binary = all(item.value in (0.0, 1.0) for pair in pairs for item in pair)
    found = clustered_difference(
        [a.value or 0.0 for a, _ in pairs],
        [b.value or 0.0 for _, b in pairs],
        [a.cluster for a, _ in pairs],
        BOUNDS.get(metric, (0.0, 1.0)),
    )
    return {
        "value": found.value,
        "n": len(pairs),
        "ci_low": found.low,
        "ci_high": found.high,
        "clusters": found.clusters,
        # What decides how small a change could have been seen; only where items are right or wrong.
        "changed": sum(a.value != b.value for a, b in pairs) / len(pairs) if binary else None,
        "p": found.p,
        "p_holm": None,
    }


def family_of(rows: Iterable[Row], declared: Sequence[str], headlines: Mapping[str, str]) -> list[Row]:
    """The rows that make up the family of tests: those the recipe declares ("task" stands for its headline metric,
    "task/metric" for one), or each task's headline metric."""

    def belongs(row: Row) -> bool:
        if row.get("p") is None:
            return False
        named = f"{row['task']}/{row['metric']}"
        is_headline = headlines.get(row["task"]) == row["metric"]
        return named in declared or (is_headline and (row["task"] in declared or not declared))

    return [row for row in rows if belongs(row)]


def correct(family: Sequence[Row]) -> None:
    """Write Holm's adjusted p into each row of a family of tests (all models of a run together)."""
    for row, adjusted in zip(family, holm([row["p"] for row in family]), strict=True):
        row["p_holm"] = adjusted


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
