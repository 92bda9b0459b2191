"""One run with every option switched on: what each of them leaves in the store."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from pathlib import Path

import pytest

from everything import everything
from isheep.records import (
    Answer,
    Decision,
    Instruction,
    Judgment,
    Likelihood,
    Measure,
    ModelRef,
    Outcome,
    Pair,
    Preference,
    Question,
    Vector,
    Verdict,
)
from isheep.report.items import items_of
from isheep.runs import Run
from isheep.step import Event
from isheep.walk import run
from toy import contents, toy


def more(folder: Path) -> tuple[str, ...]:
    """More than the few tasks of a run that is killed hundreds of times."""
    return (*everything(folder), "instructions.count=12", "filter.ppl.limit=60", "filter.density.clusters=10")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Read it, change nothing."""
    folder = tmp_path_factory.mktemp("whole")
    return run(toy(folder, *more(folder)), folder / "store")


def answers(whole: Run, t: int) -> dict[str, Pair]:
    """The pairs of an iteration, of both turns."""
    turns = [whole.named(name)[t].read(Pair) for name in ("responses", "turn2.responses")]
    return {pair.id: pair for turn in turns for pair in turn}


def test_every_step_is_done_and_sound(whole: Run) -> None:
    assert whole.complete
    assert whole.due == whole.steps
    for step in whole.steps:
        artifact = whole.artifact(step)
        assert artifact is not None
        assert artifact.verify() == []
    for room in ("work", "locks", "trash"):
        assert [path for path in (whole.store.root / room).rglob("*") if path.is_file()] == []
    summary = json.loads((whole.folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["complete"] is True


def test_turns_follow_answers_that_ended(whole: Run) -> None:
    for t in range(2):
        first, second = (whole.named(n)[t].read(Pair) for n in ("responses", "turn2.responses"))
        asked = whole.named("turn2.followups")[t].read(Instruction)
        assert len(first) == 12
        assert {i.id for i in asked} == {f"{p.id}+" for p in first if p.response and p.finish == "stop"}
        assert {p.id for p in second} == {i.id for i in asked if i.reason is None}
        assert {p.parent for p in second} <= {p.id for p in first}
        assert all(len(p.history) == 2 for p in second)


def test_everything_is_known_of_every_pair(whole: Run) -> None:
    for t in range(2):
        pairs = answers(whole, t)
        verdicts = whole.artifacts("assessment")[t].read(Verdict)
        assert Counter(v.pair for v in verdicts) == Counter(dict.fromkeys(pairs, 2))
        assert {v.scale for v in verdicts} == {"quality"}
        assert {d.id for d in whole.artifacts("likelihood")[t].read(Likelihood)} == set(pairs)
        assert {d.id for d in whole.artifacts("vectors")[t].read(Vector)} == set(pairs)
        planted = whole.artifacts("probes")[0].read(Pair)
        scored = Counter(v.pair for v in whole.named("probe_scores")[t].read(Verdict))
        assert scored == Counter({pair.id: 2 for pair in planted})


def test_every_pair_is_decided_and_several_filters_had_their_say(whole: Run) -> None:
    reasons: set[str | None] = set()
    for t in range(2):
        decisions = {d.id: d for d in whole.artifacts("filter")[t].read(Decision)}
        pairs = answers(whole, t)
        assert decisions.keys() == pairs.keys()
        kept = {id for id, decision in decisions.items() if decision.kept}
        assert {p.parent for id, p in pairs.items() if id in kept and p.parent} <= kept
        reasons |= {decision.reason for decision in decisions.values()}
    assert {"high_ppl_response", "same_cluster", "not_in_best"} <= reasons


def test_what_is_kept_is_trained_on_and_then_preferred(whole: Run) -> None:
    keys = {step.name: step.key for step in whole.steps}
    kept = [sum(d.kept for d in a.read(Decision)) for a in whole.artifacts("filter").values()]
    trained = [a.read(ModelRef)[0].pairs for a in whole.artifacts("train").values()]
    assert trained == [kept[0], sum(kept)], "total_base"
    for t in range(2):
        candidates = whole.named("candidates")[t]
        assert candidates.manifest["model"]["adapter"] == keys[f"train.{t}"]
        every = whole.artifacts("preferences")[t].read(Preference)
        preferences = [p for p in every if p.reason is None]  # the others were left out, each with its reason
        texts = {p.response for p in candidates.read(Pair)}
        assert {text for p in preferences for text in (p.chosen, p.rejected)} <= texts
        (model,) = whole.artifacts("prefer")[t].read(ModelRef)
        assert model.pairs == len(preferences) > 0
        assert whole.artifacts("evaluate")[t + 1].manifest["model"]["adapter"] == keys[f"prefer.{t}"]
    assert whole.artifacts("responses")[1].manifest["model"]["adapter"] == keys["prefer.0"]


def test_every_iteration_is_reviewed(whole: Run) -> None:
    for t in range(2):
        review = whole.artifacts("review")[t]
        measures = {m.id: m for m in review.read(Measure)}
        assert {"median_words", "kept_share", "saturation/quality", "probe_auroc"} <= measures.keys()
        (outcome,) = review.read(Outcome)
        assert not outcome.stop
    right = [[a.correct for a in whole.artifacts("evaluate")[t].read(Answer)] for t in range(3)]
    assert len(right[1]) == len(right[2]) == 3


def test_every_model_is_evaluated_in_every_way(whole: Run) -> None:
    for t in range(3):
        for name in (
            "also",
            "benchmarks",
            "ifeval",
            "pairs.chat",
            "talk.chat",
            "talk.judged",
            "exam_responses",
            "exam_own",
        ):
            assert t in whole.named(name), f"{name} of M{t}"
        assert (t in whole.named("pairs.judged")) == (t > 0), "the base model is what they are held against"
        assert all(j.value is not None for j in whole.named("talk.judged")[t].read(Judgment))
    items = items_of(whole)
    asked = {(item.task, item.metric, item.prompt, item.item): item.prompt_hash for item in items[0]}
    for t in (1, 2):
        shared = [item for item in items[t] if item.task != "pairs"]
        assert {(i.task, i.metric, i.prompt, i.item) for i in shared} == asked.keys()
        assert all(asked[i.task, i.metric, i.prompt, i.item] == i.prompt_hash for i in shared)
    summary = json.loads((whole.folder / "summary.json").read_text(encoding="utf-8"))
    for entry in summary["iterations"][1:]:
        gains = {(row["task"], row["metric"]) for row in entry["gain"]}
        assert {
            ("boolq", "acc"),
            ("squadv2", "exact"),
            ("ifeval", "prompt_level_strict_acc"),
            ("talk", "grade"),
        } <= gains
    assert summary["trial"] is not None


def test_every_text_of_the_loop_was_held_against_every_question(whole: Run) -> None:
    asked = {
        q.task
        for s in whole.steps
        if s.stage == "questions" and (a := whole.artifact(s))
        for q in a.read(Question)
    }
    assert asked == {"toy_tests", "more", "boolq", "squadv2", "ifeval", "pairs", "talk"}
    for t in range(2):
        counts = {m.id: m.value for m in whole.named("contamination")[t].read(Measure)}
        assert counts["seed/checked"] == 6
        assert counts["instruction/checked"] == 12
        assert counts["response/checked"] == len(answers(whole, t))


def test_interrupted_again_and_again_it_ends_the_same(tmp_path: Path, whole: Run) -> None:
    made: Run | None = None
    times = 0
    while made is None:
        times += 1
        assert times < 100
        heard = 0

        def tell(event: Event) -> None:
            nonlocal heard
            heard += event.kind != "cached"
            if heard > 40:
                raise KeyboardInterrupt

        with contextlib.suppress(KeyboardInterrupt):
            made = run(toy(tmp_path, *more(tmp_path)), tmp_path / "store", tell=tell)
    assert times > 8
    assert contents(made) == contents(whole)
