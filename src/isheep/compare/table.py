"""Several arms over several seeds: who is better, by how much, and how sure that is.

Knows: the statistics of models paired by seed and test prompt. Does not know: how the result is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from isheep.compare.outcomes import Cell, Choice
from isheep.compare.pairing import Marks, Model, Runs, gather, pick, shared_cells
from isheep.compare.results import Comparison, Level, Result
from isheep.errors import StoreError
from isheep.report.ledger import matched, matched_pairs, pooled
from isheep.runs import Run
from isheep.stats import Difference, Estimate, crossed, crossed_share, holm

#: From this many seeds on, intervals and p values hold what they promise where seeds differ (see stats.crossed).
ENOUGH_SEEDS = 3


def compare(
    arms: Mapping[str, Sequence[Run]],
    reference: str,
    *,
    iteration: Choice = "last",
    tasks: Sequence[str] | None = None,
    decodings: Sequence[str] | None = None,
) -> Comparison:
    """Compare arms, each with one run per seed, with one of them.

    `iteration`: "last", "best" (as each run's own review named it), "all" but the base, or a number. `tasks` and
    `decodings`: None takes all that every run was tested on. Runs that are not complete are left out and named, and so
    are seeds that only one of two arms has. Raises StoreError where nothing can be paired.
    """
    if reference not in arms:
        raise StoreError(f"no arm {reference!r} to compare with", f"arms: {', '.join(arms) or 'none'}")
    if isinstance(iteration, str) and iteration not in ("last", "best", "all"):
        raise StoreError(
            f"{iteration!r} names no model", "use last, best, all, or the number of an iteration"
        )
    gathered = {name: gather(name, runs) for name, runs in arms.items()}
    done = {name: runs for name, (_, runs) in gathered.items() if runs}
    shown = tuple(arm for arm, _ in gathered.values())
    if reference not in done:
        why = (
            "; ".join(f"{run}: {why}" for run, why in gathered[reference][0].left_out.items())
            or "it has none"
        )
        raise StoreError(f"no run of {reference} can be compared ({why})", "run it first")
    everyone = [outcomes for runs in (done[reference], *done.values()) for outcomes in runs.values()]
    cells, notes = shared_cells(everyone, tasks, decodings)
    picked = {name: pick(runs, iteration) for name, runs in done.items()}
    if not any(picked[reference].values()):
        raise StoreError(f"{reference} has no tested model {iteration!r}", "choose another iteration")
    results = []
    for name, models in picked.items():
        for label, mine in models.items():
            theirs = picked[reference].get(label, {}) if name != reference else None
            notes += _untested(name, label, done[name], mine)
            if theirs is not None:
                notes += _unpaired(name, label, (done[name], mine), (done[reference], theirs))
            results += [_result(name, cell, label, mine, theirs) for cell in cells if mine]
    order = {cell: place for place, cell in enumerate(cells)}
    results.sort(key=lambda result: order[result.task, result.decoding])
    levels = [level for cell in cells for name in done for level in _levels(name, cell, done[name])]
    notes += _few_seeds(results)
    return Comparison(
        reference,
        str(iteration),
        shown,
        tuple(_corrected(results)),
        tuple(levels),
        tuple(dict.fromkeys(notes)),
    )


def _untested(name: str, label: str, runs: Runs, mine: Mapping[int, Model]) -> list[str]:
    return [
        f"{outcomes.run.name} is left out of {name}: no {_named(label)} of it was tested."
        for seed, outcomes in runs.items()
        if seed not in mine
    ]


def _unpaired(
    name: str, label: str, arm: tuple[Runs, Mapping[int, Model]], reference: tuple[Runs, Mapping[int, Model]]
) -> list[str]:
    """The seeds that only one of two arms has, in words."""
    what = _named(label)
    (runs, mine), (others, theirs) = arm, reference
    if not mine.keys() & theirs.keys():
        return [f"{name} and the reference have no {what} under the same seed, so there is no difference."]
    notes = [
        f"Seed {seed} of {name} is left out: the reference has no {what if seed in others else 'run'} of it."
        for seed in sorted(mine.keys() - theirs.keys())
    ]
    return notes + [
        f"Seed {seed} of the reference is left out against {name}: it has no {what if seed in runs else 'run'} of it."
        for seed in sorted(theirs.keys() - mine.keys())
    ]


def _named(label: str) -> str:
    return f"M{label}" if label.isdigit() else f"{label} model"


def _few_seeds(results: Sequence[Result]) -> list[str]:
    counts = {result.score.seeds for result in results}
    if 1 in counts:
        return [
            "With one seed an interval covers the choice of the test prompts only: another seed gives another model."
        ]
    if min(counts) < ENOUGH_SEEDS:
        return ["Two seeds are too few to know how much seeds differ; up to one false claim in ten."]
    return []


def _result(
    name: str, cell: Cell, label: str, mine: Mapping[int, Model], theirs: Mapping[int, Model] | None
) -> Result:
    """One line of the table: over the seeds shared with the reference, or over all where none is."""
    shared = [seed for seed in mine if theirs and seed in theirs]
    models = [mine[seed] for seed in shared or mine]
    others = [theirs[seed] for seed in shared] if theirs else []
    marks, base = [m.marks(cell) for m in models], [m.base.marks(cell) for m in models]
    against = [m.marks(cell) for m in others]
    ours = pooled([m.ledger for m in models])
    reference = pooled([m.ledger for m in others]) if others else None
    judged = [auroc for m in models if (auroc := m.auroc) is not None]
    return Result(
        arm=name,
        task=cell[0],
        decoding=cell[1],
        iteration=label,
        seeds=tuple(shared or mine),
        iterations=tuple(m.t for m in models),
        score_by_seed=tuple(map(_share, marks)),
        base_by_seed=tuple(map(_share, base)),
        score=_over_seeds(marks),
        difference=_paired(marks, against) if against else None,
        difference_by_seed=tuple(_share(a) - _share(b) for a, b in zip(marks, against, strict=bool(against))),
        p_holm=None,
        gain=_paired(marks, base) if any(m.t for m in models) else None,
        gain_p_holm=None,
        auroc=fmean(judged) if judged else None,
        ledger=ours,
        pair_matched=tuple(matched_pairs(ours, reference)) if reference else None,
        compute_matched=tuple(matched(ours, reference)) if reference else None,
    )


def _levels(name: str, cell: Cell, runs: Runs) -> list[Level]:
    """Every model of an arm, from the base on."""
    made = []
    for t in sorted({t for outcomes in runs.values() for t in outcomes.right}):
        marks = {seed: outcomes.marks(t, cell) for seed, outcomes in runs.items() if t in outcomes.right}
        shares = tuple(map(_share, marks.values()))
        made.append(Level(name, *cell, t, tuple(marks), shares, _over_seeds(list(marks.values()))))
    return made


def _corrected(results: Sequence[Result]) -> list[Result]:
    """Holm's correction, for differences to the reference and for gains over the own base. A family are all tests in
    greedy decoding and every benchmark's headline together; answers at T = 1, to the same prompts, are another."""
    made = list(results)
    for sampled in (False, True):
        family = [(i, r.difference) for i, r in enumerate(made) if (r.decoding == "sampled") is sampled]
        for i, p in _holm(family).items():
            made[i] = replace(made[i], p_holm=p)
        family = [(i, r.gain) for i, r in enumerate(made) if (r.decoding == "sampled") is sampled]
        for i, p in _holm(family).items():
            made[i] = replace(made[i], gain_p_holm=p)
    return made


def _holm(family: Sequence[tuple[int, Difference | None]]) -> dict[int, float]:
    tested = {i: difference.p for i, difference in family if difference}
    return dict(zip(tested, holm(list(tested.values())), strict=True))


def _share(marks: Marks) -> float:
    return sum(marks.values()) / len(marks)


def _over_seeds(marks: Sequence[Marks]) -> Estimate:
    items = sorted(marks[0])
    return crossed_share([[one[item] for item in items] for one in marks])


def _paired(ours: Sequence[Marks], theirs: Sequence[Marks]) -> Difference:
    """Ours minus theirs, seed by seed and item by item."""
    items = sorted(ours[0])
    pairs = zip(ours, theirs, strict=True)
    return crossed([[a[item] - b[item] for item in items] for a, b in pairs])
