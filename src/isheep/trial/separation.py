"""What a judge's scores know of the truth: one set of scored answers -> one set of figures, or why there are none.

Knows: cases. Where a figure would rest on too little it is None and `missing` says so; unreadable scores are counted
and left out, never taken for low ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from isheep.stats import auroc_interval, clustered_mean
from isheep.stats.calibration import calibrated
from isheep.trial.cases import SCALE, Array, Case, Cell, Columns, auroc, estimates, partial_spearman, spearman
from isheep.trial.curve import area, curve

#: Fewer right or fewer wrong answers (or questions) than this, and nothing is said of a judge's skill: the interval
#: of an AUROC on nine against many is some 0.4 wide, and the bootstrap itself begins to fail.
LEAST = 10
#: Fewer readable scores than this are not split in half to calibrate.
LEAST_CALIBRATED = 40
#: Scores from here on count as the top one, as in the histograms: expected scores are rounded.
TOP = 9.5
#: What is computed only where something can be told apart.
SKILLS = ("auroc", "spearman", "partial", "with_length", "length_auroc", "curve", "calibration")


def separation(cases: Sequence[Case], seed: int = 0) -> dict[str, Any]:
    """All figures of one judge on one set of answers.

    - `n`, `questions` (clusters), `unreadable`; `right`: share right of all answers; `missing`: why there is no more
      than this line and the next, or None.
    - `mean` of the readable scores, `top` (share of top scores), `levels` (how many different scores).
    - `auroc`, `spearman` (score and truth), `partial` (the same given the length), `with_length` (Spearman of score
      and length), `length_auroc` (of the length alone), each with its interval over clusters; None where undefined.
    - `curve`: see `trial.curve.curve`.
    - `calibration`: `n`, `ece`, `brier`, `base_brier` and `bins`, or None with too few answers.
    """
    n, c = len(cases), Columns.of(cases)
    made: dict[str, Any] = {
        "n": n,
        "questions": len({case.cluster for case in cases}),
        "unreadable": n - len(c),
        "right": mean_cell([float(case.right) for case in cases], [case.cluster for case in cases]),
        "missing": missing(cases, c),
        "mean": mean_cell(c.score.tolist(), c.clusters, SCALE),
        "top": float((c.score >= TOP).mean()) if len(c) else None,
        "levels": len(set(c.score.tolist())),
        **dict.fromkeys(SKILLS),
    }
    if made["missing"] is None:
        made |= _skill(c, seed) | {"calibration": _calibration(c, seed)}
    return made


def mean_cell(
    values: Sequence[float], clusters: Sequence[str], bounds: tuple[float, float] | None = None
) -> Cell | None:
    """A mean with its interval; None without values, or with too few
    clusters for an interval that says anything."""
    if len(set(clusters)) < LEAST:
        return None
    found = clustered_mean(values, clusters, bounds)
    return {"value": found.value, "n": found.n, "ci_low": found.low, "ci_high": found.high}


def missing(cases: Sequence[Case], c: Columns) -> str | None:
    """Why nothing can be said of the judge's skill, or None."""
    if not cases:
        return "there is no answer with a known truth"
    if not len(c):
        return f"none of the scores of {len(cases)} answers could be read"
    right, of = int(c.right.sum()), f"{len(c)} scored answers"
    if right in (0, len(c)):
        return f"all {of} are {'right' if right else 'wrong'}, so there is nothing to tell apart"
    few, kind = min((right, "right"), (len(c) - right, "wrong"))
    if few < LEAST:
        return f"only {few} of {of} {'is' if few == 1 else 'are'} {kind}; at least {LEAST} of either kind are needed"
    asked = len(set(c.clusters))
    return f"only {asked} different questions; at least {LEAST} are needed" if asked < LEAST else None


def _skill(c: Columns, seed: int) -> dict[str, Any]:
    statistics = {
        "auroc": auroc(c.score, c.right),
        "spearman": spearman(c.score, c.right),
        "partial": partial_spearman(c.score, c.right, c.length),
        "with_length": spearman(c.score, c.length),
        "length_auroc": auroc(c.length, c.right),
        "area": area(c.score, c.right),
    }
    made = estimates(statistics, c.clusters, seed)
    for name, values in (("auroc", c.score), ("length_auroc", c.length)):
        made[name] = widened(made[name], values, c)
    return {**made, "curve": curve(c, made.pop("area"), seed)}


def widened(cell: Cell | None, values: Array, c: Columns) -> Cell | None:
    """An AUROC's figure; where no resample differed (perfect order), with the interval `stats.auroc_interval` gives."""
    if cell is None or cell["ci_low"] < cell["ci_high"]:
        return cell
    right, wrong = np.flatnonzero(c.right), np.flatnonzero(c.right == 0)
    names = [[c.clusters[i] for i in side] for side in (right, wrong)]
    found = auroc_interval(values[right].tolist(), values[wrong].tolist(), (names[0], names[1]))
    assert found is not None
    return {**cell, "ci_low": found[0], "ci_high": found[1]}


def _calibration(c: Columns, seed: int) -> dict[str, Any] | None:
    """Scores turned into chances on half of the questions, and held to the truth on the other half."""
    if len(c) < LEAST_CALIBRATED:
        return None
    found = calibrated(c.score.tolist(), [bool(right) for right in c.right], seed, c.clusters)
    return {
        "n": sum(count for _, _, count in found.bins),
        "ece": found.ece,
        "brier": found.brier,
        "base_brier": found.brier_base_rate,
        "bins": [{"said": said, "right": right, "n": count} for said, right, count in found.bins],
    }
