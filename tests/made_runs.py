"""Runs whose every figure was chosen: published step by step into a store, without running any."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from isheep import load_recipe
from isheep.records import Answer, Decision, ModelRef, Outcome, Pair, Record, Score, Task, Verdict
from isheep.runs import Run, RunStep
from isheep.store import Store
from isheep.store.key import digest

#: (iteration, number of the item, decoding) -> right or wrong.
Right = Callable[[int, int, str], bool]
MakeRun = Callable[..., Run]


class Maker:
    """Publishes the steps of a run one by one, without running any."""

    def __init__(self, store: Store, name: str, seed: int, iterations: int, truth: str) -> None:
        changes = [f"iterations={iterations}", f"report.truth={truth}"]
        self.recipe = load_recipe("fake", changes, seed=seed, name=name).recipe
        self.store, self.name, self.steps = store, name, list[RunStep]()

    def step(self, name: str, stage: str, t: int, records: Sequence[Record], **manifest: Any) -> None:
        """`manifest`: prompt_tokens, tokens, trained_tokens (usage), and what else stands in it."""
        key = digest([self.name, self.recipe.seed, name, t])
        usage = {k: manifest.pop(k, 0) for k in ("prompt_tokens", "tokens", "trained_tokens")}
        whole = {
            "name": name, "iteration": t, "usage": usage, "notes": [], "seconds": 1.0, "resumed": False,
            "parameters": 1000, "joules": 5.0,
        }  # fmt: skip
        with self.store.claim(stage, key) as claim:
            for record in records:
                claim.journal.append(record)
            claim.publish({**whole, **manifest}, list(dict.fromkeys(map(type, records))))
        self.steps.append(RunStep(name if stage == "seeds" else f"{name}.{t}", stage, t, key))

    def done(self, left_to_do: Sequence[RunStep] = ()) -> Run:
        return Run(f"{self.name}.seed{self.recipe.seed}", self.store, self.recipe, (*self.steps, *left_to_do))


def made_run(
    store: Store,
    name: str,
    seed: int,
    right: Right,
    *,
    iterations: int = 2,
    items: int = 10,
    decodings: Sequence[str] = ("greedy",),
    task: str = "quiz",
    wording: str = "Say",
    kept: Sequence[int] = (4, 2),
    generated: int = 100,
    trained_tokens: int = 50,
    parameters: int | None = 1000,
    joules: float | None = 5.0,
    best: int | None = None,
    stop_after: int | None = None,
    asked: int | None = None,
    scores: tuple[float, float] = (9.0, 2.0),
    complete: bool = True,
) -> Run:
    """A run in which everything is chosen. The base model is also tried in a worse layout, in which nothing is right.

    Every iteration answers six tasks of lamb's world, of which the first three rightly; `scores` are those of right and
    wrong answers. `stop_after`: the review of that iteration ends the run, though later steps lie in the store.
    `asked`: only so many of the items are put to the models.
    """
    make = Maker(store, name, seed, iterations, "lamb")
    rest = {"parameters": parameters, "joules": joules}
    tests = [Task(f"{task}:q{i:02d}", f"{wording} {i}.", answers=(str(i),)) for i in range(items)]
    make.step(f"tests.{task}", "seeds", 0, tests, parameters=None, joules=None)

    def evaluate(t: int) -> None:
        layouts = {"best": right} | ({"worst": lambda *_: False} if t == 0 else {})
        answers = [
            Answer(f"{layout}/{d}/{test.id}", task, test.id, layout, d, "x", rule(t, i, d), True, 5, 2)
            for layout, rule in layouts.items()
            for d in decodings
            for i, test in enumerate(tests[:asked])
        ]
        made = []
        for layout in layouts:
            for d in decodings:
                cell = [a.correct for a in answers if (a.layout, a.decoding) == (layout, d)]
                share = sum(cell) / len(cell)
                made.append(Score(f"{layout}/{d}", task, "accuracy", share, items, 0, 1, layout, d))
        make.step("evaluate", "evaluate", t, [*answers, *made], prompt_tokens=1000, tokens=10, **rest)

    evaluate(0)
    for t in range(iterations):
        texts = ["down"] * 3 + ["left"] * 3
        pairs = [
            Pair(f"p{i}", "Name the opposite of up.", "", text, "stop", True, 5, 2)
            for i, text in enumerate(texts)
        ]
        verdicts = [
            Verdict(f"p{i}/quality", f"p{i}", "quality", scores[i // 3], "", 7, 0) for i in range(len(texts))
        ]
        decisions = [
            Decision(f"p{i:03d}", i < kept[t], None if i < kept[t] else "x", None, None) for i in range(12)
        ]
        make.step("responses", "responses", t, pairs, prompt_tokens=200, tokens=generated, **rest)
        make.step("assessment", "assessment", t, verdicts, prompt_tokens=40, tokens=2, **rest)
        make.step("filter", "filter", t, decisions, parameters=None, joules=None)
        model = ModelRef(f"model.{t + 1}", "adapter", "question", kept[t], trained_tokens)
        make.step("train", "train", t, [model], trained_tokens=trained_tokens, **rest)
        if complete or t + 1 < iterations:
            evaluate(t + 1)
        if best is not None or stop_after is not None:
            outcome = Outcome(f"review.{t}", t == stop_after, "", t + 1 if best is None else min(best, t + 1))
            make.step("review", "review", t, [outcome], parameters=None, joules=None)
    return make.done(
        [] if complete else [RunStep(f"evaluate.{iterations}", "evaluate", iterations, "0" * 64)]
    )


def skilled(merit: float, growth: float, seed: int) -> Right:
    """A model that gets better with every iteration, its answers drawn once for each seed."""

    def right(t: int, i: int, decoding: str) -> bool:
        drawn = random.Random(f"{seed}/{t}/{i}/{decoding}").random()
        return drawn < merit + growth * t - 0.15 * (decoding == "sampled")

    return right
