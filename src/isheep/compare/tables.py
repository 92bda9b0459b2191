"""The tables of a comparison's page: all figures, pairs kept, costs and labels, runs."""

from __future__ import annotations

from statistics import fmean

from isheep.compare.results import COLUMNS, Comparison, Result
from isheep.compare.words import label, lines, model
from isheep.report.ledger import Cost
from isheep.report.numbers import NONE, count, duration, energy, large, short_count
from isheep.report.tables import Table


def figure_table(comparison: Comparison) -> Table:
    """The table of the terminal."""
    header, *rows = lines(comparison)
    return Table("Every arm, test and model", tuple(header), tuple(map(tuple, rows)))


def kept_table(comparison: Comparison) -> Table | None:
    """Pairs kept by iteration: the mean over seeds, and each seed's count."""
    arms = [arm for arm in comparison.arms if any(arm.kept.values())]
    longest = max((len(kept) for arm in arms for kept in arm.kept.values()), default=0)
    rows = []
    for arm in arms:
        by_iteration = [[kept[t] for kept in arm.kept.values() if t < len(kept)] for t in range(longest)]
        rows.append((arm.name, *map(_counts, by_iteration)))
    columns = ("arm", *(f"iteration {t}" for t in range(longest)))
    return Table("Pairs kept: mean (each seed)", columns, tuple(rows)) if rows else None


def _counts(kept: list[int]) -> str:
    if not kept:
        return NONE
    return f"{count(fmean(kept))} ({', '.join(map(count, kept))})" if len(kept) > 1 else count(kept[0])


def cost_table(comparison: Comparison) -> Table:
    """What it took to make each model, mean over seeds."""
    columns = ("arm", "model", "kept pairs", "trained pairs", *_COSTS, "tests: FLOPs", "tests: time")
    rows = []
    for r in comparison.budgets():
        tests = r.ledger.evaluation
        pairs = (count(sum(r.ledger.kept)), count(sum(r.ledger.trained_pairs)))
        rows.append(
            (r.arm, model(r), *pairs, *_cost(r.ledger.training), large(tests.flops), duration(tests.seconds))
        )
    return Table("Tokens, FLOPs, time and energy of each model, mean over seeds", columns, tuple(rows))


def stage_table(comparison: Comparison) -> Table:
    """The same by stage."""
    rows = [
        (f"{r.arm}, {model(r)}: {stage}", *_cost(cost))
        for r in comparison.budgets()
        for stage, cost in (*r.ledger.stages.items(), ("tests", r.ledger.evaluation))
    ]
    return Table("The same by stage", ("arm and stage", *_COSTS), tuple(rows))


_COSTS = ("generated", "read", "scored", "trained on", "FLOPs", "time", "energy")


def _cost(spent: Cost) -> tuple[str, ...]:
    tokens = (short_count(n) for n in (spent.generated, spent.read, spent.scored, spent.trained))
    return (*tokens, large(spent.flops), duration(spent.seconds), energy(spent.joules))


def label_table(comparison: Comparison) -> Table | None:
    """Which arms may be called matched with the reference, and why the others may not."""
    compared = [r for r in comparison.budgets() if r.compute_matched is not None]
    rows = tuple((f"{r.arm}, {model(r)}", *_labels(r)) for r in compared)
    columns = ("arm", "kept pairs", "why not", "compute", "why not ")
    return Table("Matched with the reference?", columns, rows, numeric=False) if rows else None


def _labels(result: Result) -> tuple[str, ...]:
    return tuple(
        text
        for reasons in (result.pair_matched, result.compute_matched)
        for text in (label(reasons), "; ".join(reasons or ()))
    )


def run_table(comparison: Comparison) -> Table:
    """Which runs are behind all this, and which are not."""
    rows = [
        (arm.name, *row)
        for arm in comparison.arms
        for row in (
            *((str(seed), run, "compared") for seed, run in arm.runs.items()),
            *((NONE, run, f"left out: {why}") for run, why in arm.left_out.items()),
        )
    ]
    return Table("Runs", ("arm", "seed", "run", "state"), tuple(rows), numeric=False)


def column_table() -> Table:
    """The columns of compare.csv."""
    return Table("Columns of compare.csv", ("column", "what it holds"), tuple(COLUMNS.items()), numeric=False)
