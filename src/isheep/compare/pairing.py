"""Which runs, tests and models of several arms can be set against one another, and what has to be left out.

Knows: that only equal prompts and equal seeds pair. Does not know: statistics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isheep.compare.outcomes import Cell, Choice, Outcomes
from isheep.compare.results import Arm
from isheep.errors import StoreError
from isheep.report.evaluations import same_scorer
from isheep.report.ledger import Ledger
from isheep.runs import Run

#: The runs of one arm, by seed.
Runs = Mapping[int, Outcomes]
#: What was scored by prompt, from 0 to 1, under one seed.
Marks = Mapping[str, float]


@dataclass(frozen=True)
class Model:
    """M_t of one run."""

    run: Outcomes
    t: int
    #: Whether it was picked as the best, which takes the whole run to know.
    picked: bool = False

    def marks(self, cell: Cell) -> Marks:
        return self.run.marks(self.t, cell)

    @property
    def base(self) -> Model:
        """The model its run began with."""
        return Model(self.run, 0)

    @property
    def ledger(self) -> Ledger:
        """What it took to get it."""
        return self.run.ledger(None if self.picked else self.t)

    @property
    def auroc(self) -> float | None:
        """How good the judge was of the pairs it was trained on."""
        return self.run.auroc.get(self.t - 1)


def gather(name: str, runs: Sequence[Run]) -> tuple[Arm, Runs]:
    """The runs of an arm that can be compared, by seed. Raises StoreError for two runs of one seed."""
    found: dict[int, Outcomes] = {}
    left_out: dict[str, str] = {}
    for run in runs:
        outcomes = Outcomes(run)
        if not run.complete:
            left_out[run.name] = "not complete"
        elif not outcomes.right:
            left_out[run.name] = "never tested (its recipe names no test)"
        elif outcomes.seed in found:
            raise StoreError(
                f"{name} has two runs of seed {outcomes.seed}: {found[outcomes.seed].run.name} and {run.name}",
                "give one run per seed; runs with other settings are another arm",
            )
        else:
            found[outcomes.seed] = outcomes
    found = dict(sorted(found.items()))
    names = {seed: outcomes.run.name for seed, outcomes in found.items()}
    return Arm(name, names, left_out, {seed: outcomes.kept for seed, outcomes in found.items()}), found


def shared_cells(
    runs: Sequence[Outcomes], tasks: Sequence[str] | None, decodings: Sequence[str] | None
) -> tuple[list[Cell], list[str]]:
    """What all runs were tested on, in the order of the recipe's tests and greedy first; and notes on the rest."""
    found = [outcomes.cells for outcomes in runs]
    shared, some = frozenset.intersection(*found), frozenset.union(*found)
    wanted = {
        (task, decoding)
        for task, decoding in some
        if (tasks is None or task in tasks) and (decodings is None or decoding in decodings)
    }
    if not wanted & shared:
        tested = ", ".join(f"{task} ({decoding})" for task, decoding in sorted(shared)) or "no test at all"
        raise StoreError("not every run was tested on that", f"what all runs share: {tested}")
    _check_prompts(runs, sorted(wanted & shared))
    _check_scorers(runs, sorted(wanted & shared))
    order = {task: place for place, task in enumerate(runs[0].prompts)}
    cells = sorted(wanted & shared, key=lambda c: (order.get(c[0], len(order)), c[0], c[1] != "greedy", c[1]))
    notes = [f"{t} ({d}) is left out: not every run was tested on it." for t, d in sorted(wanted - shared)]
    return cells, [*notes, *(note for cell in cells for note in _pair(runs, cell))]


def _check_prompts(runs: Sequence[Outcomes], cells: Sequence[Cell]) -> None:
    """Refuse to pair outcomes of different prompts."""
    first = runs[0]
    for task, _ in cells:
        for other in runs:
            if other.prompts.get(task) != first.prompts.get(task):
                raise StoreError(
                    f"{other.run.name} was tested on other {task} prompts than {first.run.name}",
                    "only scores on the same prompts can be paired; run both with the same test file",
                )


def _check_scorers(runs: Sequence[Outcomes], cells: Sequence[Cell]) -> None:
    """Refuse to pair what different judges said. Of another seed the baseline may be another, as it is not paired."""
    for task in dict.fromkeys(task for task, _ in cells):
        by_seed: dict[int, Outcomes] = {}
        for run in runs:
            peer = by_seed.setdefault(run.seed, run)
            found = peer.scorers[task] | run.scorers[task]
            if not all(same_scorer(one, other) for one in found for other in found):
                raise StoreError(
                    f"{task} was not scored by the same in {peer.run.name} and {run.run.name}: "
                    f"{'; '.join(sorted(found))}",
                    "evaluate both with the same judge, prompts and versions, or compare other tasks",
                )


def _pair(runs: Sequence[Outcomes], cell: Cell) -> list[str]:
    """Let only those prompts count that have a value in every model of every run; a note on how many do not."""
    known = [run.right[t][cell].keys() for run in runs for t in run.right]
    common = frozenset.intersection(*map(frozenset, known))
    every = frozenset.union(*map(frozenset, known))
    if not common:
        raise StoreError(
            f"no prompt of {cell[0]} has a value in every model",
            "compare other tasks, or evaluate this one again",
        )
    for run in runs:
        run.pair_by(cell, common)
    lost = len(every) - len(common)
    if not lost:
        return []
    return [
        f"{cell[0]} ({cell[1]}): {lost} of {len(every)} prompts are left out, as a value of some model is missing."
    ]


def pick(runs: Runs, choice: Choice) -> dict[str, dict[int, Model]]:
    """What a choice means in an arm: its name ("last", or each number for "all") -> seed -> model."""
    chosen = {seed: outcomes.chosen(choice) for seed, outcomes in runs.items()}
    if choice != "all":
        only = {seed: Model(runs[seed], t, choice == "best") for seed, found in chosen.items() for t in found}
        return {str(choice): only}
    every = sorted({t for found in chosen.values() for t in found})
    return {
        str(t): {seed: Model(runs[seed], t) for seed, found in chosen.items() if t in found} for t in every
    }
