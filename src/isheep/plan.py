"""A plan: the recipe unrolled into a row of steps, each with its key, before anything runs.

Pure apart from reading the outside files' digests. Here one sees Algorithm 1 as it will be run: which model writes,
which judges, where each training starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from isheep.errors import RecipeError
from isheep.making import Maker
from isheep.plan_evaluation import Evaluations
from isheep.recipe import Loaded
from isheep.stages.likelihood import LikelihoodSettings
from isheep.stages.vectors import VectorsSettings
from isheep.steps import Plan, Step, StepRef

__all__ = ["Plan", "Step", "StepRef", "make_plan"]


def make_plan(loaded: Loaded, match: Plan | None = None) -> Plan:
    """Unroll a checked recipe. Reads the named outside files once, for their digests; loads no model.

    `match`: the plan of the arm whose counts `filter.match` asks for, in a sweep. Raises RecipeError without it.
    """
    name = loaded.recipe.filter.match
    if isinstance(name, str) and match is None:
        raise RecipeError(
            f"filter.match: there is no arm {name!r} to match outside a sweep",
            "give a count, or run it as an arm of a sweep (`isheep sweep --help`)",
        )
    return _Planner(loaded, match).plan()


@dataclass(slots=True)
class _History:
    """The steps of the iterations so far that later ones look back at, oldest first."""

    wrote: list[Step] = field(default_factory=list)
    #: By iteration: the answers of every turn.
    answered: list[list[Step]] = field(default_factory=list)
    kept: list[Step] = field(default_factory=list)
    tested: list[Step] = field(default_factory=list)
    reviews: list[Step] = field(default_factory=list)


class _Planner:
    def __init__(self, loaded: Loaded, match: Plan | None) -> None:
        self.recipe = loaded.recipe
        self.files = loaded.files
        self.match = {step.iteration: step for step in match.of("filter")} if match else {}
        self.maker = Maker(loaded)
        self._step = self.maker.step
        self.evaluations = Evaluations(self.maker)
        self.history = _History()

    def plan(self) -> Plan:
        recipe, past = self.recipe, self.history
        seeds = self._step("seeds", "seeds", 0, recipe.seeds, {})
        tests = self.evaluations.tests()
        past.tested.extend(self._evaluate(0, None, tests))
        planted = None
        if recipe.probes.count and recipe.assessment.level != "none" and recipe.iterations:
            planted = self._step("probes", "probes", 0, recipe.probes, {"seeds": [seeds]})
        every = (*tests, *self.evaluations.tests("also"))
        asked = self.evaluations.questions(every) if recipe.iterations else ()
        current: Step | None = None  # the step that made M_t; None is the base model
        direct = recipe.train.start == "direct"
        for t in range(min(1, recipe.iterations) if direct else recipe.iterations):
            current = self._iteration(t, current, seeds, planted, tests, asked)
        return Plan(recipe, tuple(self.maker.steps))

    def _iteration(
        self,
        t: int,
        current: Step | None,
        seeds: Step,
        planted: Step | None,
        tests: tuple[Step, ...],
        asked: tuple[Step, ...],
    ) -> Step:
        """One turn of Algorithm 1: M_t in, M_{t+1} out."""
        recipe, past = self.recipe, self.history
        author = current if recipe.instructions.author == "current" else None
        judge = current if recipe.assessment.judge == "current" else None
        writing = recipe.instructions
        if recipe.train.start == "direct":  # all iterations' tasks at once, from the base model
            writing = writing.model_copy(update={"count": writing.count * recipe.iterations})
        wrote = self._step(
            "instructions", "instructions", t, writing, {"seeds": [seeds], "earlier": past.wrote}, author
        )
        answered = self._answers(t, wrote, current)
        judged = self._step("assessment", "assessment", t, recipe.assessment, {"responses": answered}, judge)
        probed: list[Step] = []
        if planted:
            shown = 0 if judge is None else t  # the base model's verdicts on the probes never change
            probed.append(
                self._step(
                    "probe_scores", "assessment", shown, recipe.assessment, {"responses": [planted]}, judge
                )
            )
        ours = {"seeds": [seeds], "instructions": [wrote], "responses": answered}
        leaks = self.evaluations.contamination(t, asked, ours)
        kept = self._filter(t, answered, judged, current, tests, leaks)
        past.answered.append(answered)
        past.kept.append(kept)
        trained = self._train(t, current)
        made = self._prefer(t, wrote, trained, tests, leaks)
        past.tested.extend(self._evaluate(t + 1, made, tests))
        self._review(t, wrote, judged, planted, probed)
        past.wrote.append(wrote)
        return made

    def _answers(self, t: int, wrote: Step, current: Step | None) -> list[Step]:
        """The answers to the instructions, and to each follow-up the model writes to them."""
        recipe = self.recipe
        answered = [
            self._step("responses", "responses", t, recipe.responses, {"instructions": [wrote]}, current)
        ]
        for turn in range(2, recipe.followups.turns + 1):
            asked = self._step(
                f"turn{turn}.followups",
                "followups",
                t,
                recipe.followups,
                {"responses": answered[-1:]},
                current,
            )
            answered.append(
                self._step(
                    f"turn{turn}.responses",
                    "responses",
                    t,
                    recipe.responses,
                    {"instructions": [asked]},
                    current,
                )
            )
        return answered

    def _filter(
        self,
        t: int,
        answered: list[Step],
        judged: Step,
        current: Step | None,
        tests: tuple[Step, ...],
        leaks: list[Step],
    ) -> Step:
        """The filter, and what some filters need to be known besides the scores."""
        chosen, past = self.recipe.filter, self.history
        inputs: dict[str, Iterable[Step]] = {"responses": answered, "assessment": [judged], "tests": tests}
        if chosen.needs_likelihood:
            inputs["likelihood"] = [
                self._step(
                    "likelihood", "likelihood", t, LikelihoodSettings(), {"responses": answered}, current
                )
            ]
        if chosen.density:
            settings = VectorsSettings(pooling=chosen.density.pooling, of=chosen.density.of)
            inputs["vectors"] = [
                self._step("vectors", "vectors", t, settings, {"responses": answered}, current)
            ]
        if chosen.overlap and chosen.overlap.across:
            inputs["earlier_responses"] = [step for steps in past.answered for step in steps]
            inputs["earlier"] = past.kept
        if self.recipe.contamination.drop:
            inputs["leaks"] = leaks
        if t in self.match:
            inputs["match"] = [self.match[t]]
        return self._step("filter", "filter", t, chosen, inputs)

    def _prefer(self, t: int, wrote: Step, trained: Step, tests: tuple[Step, ...], leaks: list[Step]) -> Step:
        """The preference step after SFT, where the recipe asks for it; else the SFT model itself."""
        recipe = self.recipe
        if not recipe.preferences.samples:
            return trained
        drawing = recipe.responses.model_copy(update={"samples": recipe.preferences.samples})
        judge = trained if recipe.assessment.judge == "current" else None
        drawn = self._step("candidates", "responses", t, drawing, {"instructions": [wrote]}, trained)
        judged = self._step(
            "candidate_scores", "assessment", t, recipe.assessment, {"responses": [drawn]}, judge
        )
        compared = self._step(
            "preferences",
            "preferences",
            t,
            recipe.preferences,
            {
                "responses": [drawn],
                "assessment": [judged],
                "tests": tests,
                "leaks": leaks if recipe.contamination.drop else [],
            },
        )
        return self._step("prefer", "prefer", t, recipe.prefer, {"preferences": [compared]}, trained)

    def _review(self, t: int, wrote: Step, judged: Step, planted: Step | None, probed: list[Step]) -> None:
        past = self.history
        inputs: dict[str, Iterable[Step]] = {
            "instructions": [wrote],
            "responses": past.answered[-1],
            "assessment": [judged],
            "filter": past.kept[-1:],
            "earlier_responses": [step for steps in past.answered[:-1] for step in steps],
            "earlier": past.kept[:-1],
            "probes": [planted] if planted else [],
            "probe_scores": probed,
            "first": past.reviews[:1],
            **{f"evaluate.{k}": [step] for k, step in enumerate(past.tested)},
        }
        past.reviews.append(self._step("review", "review", t, self.recipe.review, inputs))

    def _train(self, t: int, current: Step | None) -> Step:
        start, past = self.recipe.train.start, self.history
        since = 0 if start == "total_base" else -1
        return self._step(
            "train", "train", t, self.recipe.train,
            {"responses": [a for steps in past.answered[since:] for a in steps], "filter": past.kept[since:]},
            current if start == "one_last" else None,
        )  # fmt: skip

    def _evaluate(self, t: int, model: Step | None, tests: tuple[Step, ...]) -> Iterable[Step]:
        if tests:
            yield self._step("evaluate", "evaluate", t, self.recipe.evaluate, {"tests": tests}, model)
        self.evaluations.model(t, model)
        if self.recipe.iterations:
            self.evaluations.trial(t, model, tests)
