"""What one run came to: which test prompts each model got right, what was kept, how good the judge was, what it cost.

Reads the records of finished steps, each once. Knows: one run. Does not know: other runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

from isheep.records import Decision, Item, Outcome, Pair, Verdict
from isheep.report.evaluations import BEST_BY, BOUNDS, in_best_layout
from isheep.report.evaluations import Cell as Measured
from isheep.report.items import items_of
from isheep.report.ledger import Ledger, ledger
from isheep.report.scored import MEANS, headline
from isheep.report.summary import assessment, truth_of
from isheep.runs import Run
from isheep.store.key import digest

#: (task, decoding), or (task, headline metric) for what is no exact-match test: what a score speaks of.
Cell = tuple[str, str]
#: Which model of a run is compared: "last", "best", "all", or the number of the iteration that made it.
Choice = int | str


@dataclass(frozen=True)
class Outcomes:
    """A run that is done."""

    run: Run
    _ledgers: dict[int | None, Ledger] = field(default_factory=dict, init=False, repr=False, compare=False)
    _paired: dict[Cell, frozenset[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def seed(self) -> int:
        return self.run.recipe.seed

    @cached_property
    def right(self) -> Mapping[int, Mapping[Cell, Mapping[str, float]]]:
        """Iteration -> cell -> prompt -> what M_t scored on it, from 0 to 1, in its best layout.

        Prompts of one cluster stand as one, with their mean: they are not independent. Only the base model is tried in
        several layouts; choosing its best on the test itself favours the base.
        """
        return {t: _marks(items) for t, items in items_of(self.run).items()}

    def pair_by(self, cell: Cell, prompts: frozenset[str]) -> None:
        """Count only these prompts of a cell from now on: those that have a value in all that is compared."""
        self._paired[cell] = prompts

    def marks(self, t: int, cell: Cell) -> Mapping[str, float]:
        """Prompt -> what M_t scored on it, of those that count."""
        found = self.right[t][cell]
        kept = self._paired.get(cell)
        return found if kept is None else {prompt: value for prompt, value in found.items() if prompt in kept}

    @cached_property
    def cells(self) -> frozenset[Cell]:
        """What every model of this run was tested on."""
        found = [frozenset(cells) for cells in self.right.values()]
        return frozenset.intersection(*found) if found else frozenset()

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """Task -> digest of its prompts: an equal name does not make an equal test. Where the models of this run were
        not asked the same it is of no other run."""
        asked: dict[str, dict[int, set[str]]] = {}
        for t, items in items_of(self.run).items():
            for item in items:
                asked.setdefault(item.task, {}).setdefault(t, set()).add(f"{item.prompt} {item.prompt_hash}")
        tests = [
            step.name.removeprefix("tests.") for step in self.run.steps if step.name.startswith("tests.")
        ]
        order = sorted(asked, key=lambda task: (tests.index(task) if task in tests else len(tests), task))
        found: dict[str, str] = {}
        for task in order:
            first, *others = asked[task].values()
            is_one = all(other == first for other in others)
            found[task] = digest(sorted(first) if is_one else [self.run.name, task])
        return found

    @cached_property
    def scorers(self) -> Mapping[str, frozenset[str]]:
        """Task -> who scored its models; another judge, or another baseline, is another test."""
        found: dict[str, set[str]] = {}
        for items in items_of(self.run).values():
            for item in items:
                found.setdefault(item.task, set()).add(item.scorer)
        return {task: frozenset(names) for task, names in found.items()}

    @cached_property
    def kept(self) -> tuple[int, ...]:
        """Pairs kept, by iteration."""
        decided = sorted(self.run.artifacts("filter").items())
        return tuple(sum(decision.kept for decision in artifact.read(Decision)) for _, artifact in decided)

    @cached_property
    def auroc(self) -> Mapping[int, float | None]:
        """Iteration -> how well its judge told right from wrong; None where nobody knows the truth."""
        truth = truth_of(self.run.recipe.report.truth)
        answered, judged = (self.run.artifacts(stage) for stage in ("responses", "assessment"))
        if truth is None:
            return {}
        return {
            t: assessment(answered[t].read(Pair), judged[t].read(Verdict), [], truth)["auroc"]
            for t in answered.keys() & judged.keys()
        }

    def ledger(self, until: int | None) -> Ledger:
        """What it took to get to M_until, or the whole run."""
        if until not in self._ledgers:
            self._ledgers[until] = ledger(self.run, until)
        return self._ledgers[until]

    @property
    def last(self) -> int:
        """The last model that was tested."""
        return max(self.right)

    @cached_property
    def best(self) -> int:
        """The best model as the run's own newest review named it; the last one where there was no review."""
        reviews = self.run.artifacts("review")
        verdicts = reviews[max(reviews)].read(Outcome) if reviews else []
        return verdicts[-1].best if verdicts else self.last

    def chosen(self, choice: Choice) -> tuple[int, ...]:
        """The iterations a choice means, as far as they were tested. "all": every model but the base model, or that one
        where there is no other."""
        if choice == "all":
            return tuple(t for t in self.right if t) or (0,)
        named = {"last": lambda: self.last, "best": lambda: self.best}
        meant = named[choice]() if isinstance(choice, str) else choice
        return (meant,) if meant in self.right else ()


def _marks(items: Iterable[Item]) -> dict[Cell, dict[str, float]]:
    """Cell -> cluster -> mean of its values. Only shares: grades and what has no value are left out."""
    found: dict[Cell, dict[str, list[float]]] = {}
    kept = [i for i in in_best_layout(items) if i.value is not None and i.metric not in BOUNDS]
    named = {(i.task, _named(i)) for i in kept}
    heads = {task: headline(task, [m for t, m in named if t == task]) for task in {t for t, _ in named}}
    for item in kept:
        exact = item.metric == BEST_BY
        if exact or heads[item.task] == _named(item):
            cell = (item.task, item.decoding if exact else _named(item))
            found.setdefault(cell, {}).setdefault(item.cluster, []).append(item.value or 0.0)
    return {cell: {c: fmean(values) for c, values in marks.items()} for cell, marks in found.items()}


def _named(item: Item) -> str:
    """What the mean of such items is called in a summary: "accuracy_greedy", "win_rate"."""
    return MEANS.get(item.metric, Measured(item.task, item.metric, item.decoding).name)
