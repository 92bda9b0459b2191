"""What a comparison is: plain records of figures, each with its seeds, its interval and what it cost; as CSV and JSON.

Knows: the shape of the result. Does not know: how it is computed (table.py), how it is shown to people (words.py,
page.py).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isheep.report.ledger import Ledger
from isheep.stats import Difference, Estimate

#: The columns of `Comparison.rows` and of compare.csv, in order. Scores and differences are shares (0.1 is ten points);
#: intervals are 95 %. A list stands in one cell of the CSV, with spaces (reasons: "; ") between; not known is empty.
COLUMNS: Mapping[str, str] = {
    "arm": "the arm",
    "task": "test",
    "decoding": "greedy or sampled at T = 1",
    "iteration": "which model: last, best, or its number",
    "iterations": "the number of that model, for each seed",
    "seeds": "the seeds compared; where there is a reference, those both have",
    "prompts": "test prompts, the same under every seed",
    "score": "share of right answers, mean over prompts and seeds; questions on one passage count as one prompt",
    "score_low": "its interval, over seeds and prompts",
    "score_high": "",
    "score_by_seed": "the score of each seed",
    "base": "the base model's score in its best layout, mean over seeds",
    "difference": "to the reference: same seeds, same prompts",
    "difference_low": "its interval, over seeds and prompts",
    "difference_high": "",
    "difference_by_seed": "the difference of each seed",
    "difference_p": "two-sided p of no difference, by itself",
    "difference_p_holm": "after Holm's correction for all differences to the reference; those at T = 1 by themselves",
    "difference_df": "degrees of freedom behind interval and p",
    "gain": "over the arm's own base model",
    "gain_low": "its interval, over seeds and prompts",
    "gain_high": "",
    "gain_p": "two-sided p of no gain, by itself",
    "gain_p_holm": "after Holm's correction for all gains; those at T = 1 by themselves",
    "judge_auroc": "chance that the judge scores a right answer above a wrong one, where truth is known",
    "kept": "pairs kept by iteration up to this model, mean over seeds",
    "trained_pairs": "pairs trained on by iteration",
    "pair_matched": "whether the arm may be called matched in kept pairs",
    "pair_matched_why": "why not",
    "compute_matched": "whether the arm may be called compute-matched",
    "compute_matched_why": "why not",
    "generated": "tokens written by steps that generate",
    "read": "tokens they read",
    "scored": "tokens read and written by steps that score",
    "trained": "tokens trained on, every pass counted",
    "flops": "model FLOPs, estimated; tests left out",
    "seconds": "time of all steps; tests left out",
    "joules": "energy, where every step recorded it; tests left out",
}


@dataclass(frozen=True)
class Result:
    """One arm in one (task, decoding) at one choice of model, over its seeds.

    Differences are paired: same seeds, same prompts. `p_holm` counts every difference to the reference (all tasks, arms
    and iterations compared; answers at T = 1 are a family of their own), `gain_p_holm` every gain over an own base.
    """

    arm: str
    task: str
    decoding: str
    #: "last", "best", or a number: which model of each run this is.
    iteration: str
    #: By seed, in the order of `seeds`: the iteration it was, the score, the base model's score.
    seeds: tuple[int, ...]
    iterations: tuple[int, ...]
    score_by_seed: tuple[float, ...]
    base_by_seed: tuple[float, ...]
    score: Estimate
    #: To the reference arm; None for that arm itself, and where no seed is in both.
    difference: Difference | None
    difference_by_seed: tuple[float, ...]
    p_holm: float | None
    #: Over the arm's own base model; None for a base model itself.
    gain: Difference | None
    gain_p_holm: float | None
    #: Mean AUROC of the judge of the pairs this model was trained on; None where nobody knows the truth.
    auroc: float | None
    #: What it took to make this model, mean over the seeds; of "best" the whole run, which it took to know.
    ledger: Ledger
    #: Why the label is refused; empty: granted; None: nothing to compare with.
    pair_matched: tuple[str, ...] | None
    compute_matched: tuple[str, ...] | None

    def row(self) -> dict[str, Any]:
        """This result as COLUMNS: plain values, lists and None."""
        base = sum(self.base_by_seed) / len(self.base_by_seed)
        cost = asdict(self.ledger.training)
        d, g = self.difference, self.gain
        values = (
            self.arm, self.task, self.decoding, self.iteration, list(self.iterations), list(self.seeds),
            self.score.prompts, self.score.value, self.score.low, self.score.high, list(self.score_by_seed), base,
            *((d.value, d.low, d.high) if d else (None, None, None)), list(self.difference_by_seed),
            d.p if d else None, self.p_holm, d.df if d else None,
            *((g.value, g.low, g.high, g.p) if g else (None, None, None, None)), self.gain_p_holm,
            self.auroc, list(self.ledger.kept), list(self.ledger.trained_pairs),
            *_label(self.pair_matched), *_label(self.compute_matched),
            *(cost[name] for name in ("generated", "read", "scored", "trained", "flops", "seconds", "joules")),
        )  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))


def _label(reasons: tuple[str, ...] | None) -> tuple[bool | None, list[str]]:
    return (None, []) if reasons is None else (not reasons, list(reasons))


@dataclass(frozen=True)
class Level:
    """The score of one model of an arm, over the seeds that have it; iteration 0 is the base model."""

    arm: str
    task: str
    decoding: str
    iteration: int
    seeds: tuple[int, ...]
    score_by_seed: tuple[float, ...]
    score: Estimate


@dataclass(frozen=True)
class Arm:
    """The runs of an arm: those compared, by seed, and those left out, with the reason."""

    name: str
    runs: Mapping[int, str]
    left_out: Mapping[str, str]
    #: Pairs kept by iteration, for each seed.
    kept: Mapping[int, tuple[int, ...]]


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. `notes` say what could not be compared."""

    reference: str
    iteration: str
    arms: tuple[Arm, ...]
    results: tuple[Result, ...]
    levels: tuple[Level, ...]
    notes: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One mapping per result, with the keys of COLUMNS."""
        return [result.row() for result in self.results]

    def to_csv(self, path: Path) -> None:
        """The rows as CSV (UTF-8, a header, lists within a cell)."""
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            out = csv.DictWriter(stream, COLUMNS)
            out.writeheader()
            out.writerows({name: _cell(name, value) for name, value in row.items()} for row in self.rows())

    def to_json(self, path: Path) -> None:
        """Everything: the rows, every model's score, the arms' runs and what was left out, the ledgers by stage."""
        plain = {
            "reference": self.reference,
            "iteration": self.iteration,
            "columns": dict(COLUMNS),
            "rows": self.rows(),
            "levels": [asdict(level) for level in self.levels],
            "arms": [asdict(arm) for arm in self.arms],
            "ledgers": [
                {"arm": r.arm, "iteration": r.iteration, **r.ledger.as_dict()} for r in self.budgets()
            ],
            "notes": list(self.notes),
        }
        text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")

    def budgets(self) -> list[Result]:
        """One result per arm and model: what it cost does not hang on the test."""
        found: dict[tuple[str, str], Result] = {}
        for result in self.results:
            found.setdefault((result.arm, result.iteration), result)
        return list(found.values())

    def cells(self) -> list[tuple[str, str]]:
        """Every (task, decoding), in order."""
        return list(dict.fromkeys((result.task, result.decoding) for result in self.results))


def _cell(name: str, value: object) -> object:
    if isinstance(value, list):
        return ("; " if name.endswith("_why") else " ").join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else value
