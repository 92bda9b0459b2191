"""What one run came to: which test prompts each model got right, what was kept, how good the judge was, what it cost.

Reads the records of finished steps, each once. Knows: one run. Does not know: other runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from isheep.records import Answer, Decision, Outcome, Pair, Score, Task, Verdict
from isheep.report.ledger import Ledger, ledger
from isheep.report.summary import assessment, best_layouts, truth_of
from isheep.runs import Run
from isheep.store import Artifact

#: (task, decoding): what a score speaks of.
Cell = tuple[str, str]
#: Which model of a run is compared: "last", "best", "all", or the number of the iteration that made it.
Choice = int | str


@dataclass(frozen=True)
class Outcomes:
    """A run that is done."""

    run: Run
    _ledgers: dict[int | None, Ledger] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def seed(self) -> int:
        return self.run.recipe.seed

    @cached_property
    def right(self) -> Mapping[int, Mapping[Cell, Mapping[str, bool]]]:
        """Iteration -> (task, decoding) -> test item -> whether M_t got it right, in its best layout.

        Only the base model is tried in several layouts; choosing its best on the test itself favours the base.
        """
        return {t: _right(artifact) for t, artifact in sorted(self.run.artifacts("evaluate").items())}

    @cached_property
    def cells(self) -> frozenset[Cell]:
        """What every model of this run was tested on."""
        found = [frozenset(cells) for cells in self.right.values()]
        return frozenset.intersection(*found) if found else frozenset()

    @cached_property
    def prompts(self) -> Mapping[str, str]:
        """Test -> digest of its prompts: an equal name does not make an equal test."""
        tests = [(step, self.run.artifact(step)) for step in self.run.steps if step.name.startswith("tests.")]
        return {
            step.name.removeprefix("tests."): str(artifact.manifest["content"])
            for step, artifact in tests
            if artifact and artifact.has(Task)
        }

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


def _right(evaluated: Artifact) -> dict[Cell, dict[str, bool]]:
    best = best_layouts(evaluated.read(Score))
    found: dict[Cell, dict[str, bool]] = {}
    for answer in evaluated.read(Answer):
        cell = (answer.task, answer.decoding)
        if best.get(cell) == answer.layout:
            found.setdefault(cell, {})[answer.item] = answer.correct
    return found
