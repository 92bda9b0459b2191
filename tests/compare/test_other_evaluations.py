"""Arms are compared by every evaluation's headline: benchmarks, IFEval and the share of comparisons won."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from evaluated import IFEVAL, PAIRS
from isheep.compare import Comparison, compare
from isheep.errors import StoreError
from isheep.evaluation import evaluate
from isheep.records import Item
from isheep.report.items import items_of
from isheep.runs import Run, open_run
from isheep.stats import holm
from isheep.walk import run
from toy import toy, write_lines

Arms = dict[str, list[Run]]


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> Arms:
    """Two arms of two seeds; one was given its benchmark and its judge afterwards."""
    folder = tmp_path_factory.mktemp("arms")
    prompts, pairs = write_lines(folder / "p.jsonl", IFEVAL), write_lines(folder / "pairs.jsonl", PAIRS)
    asked = (
        "iterations=1",
        "benchmarks.tasks=[boolq, squadv2]",
        f"ifeval.file={prompts}",
        f"chat.pairwise=[{pairs}]",
        "judge={kind: scripted, script: longer}",
    )
    made: Arms = {"best": [], "random": []}
    for seed in range(2):
        made["best"].append(run(toy(folder, *asked, seed=seed), folder / "s", f"best.{seed}"))
        plain = toy(folder, "iterations=1", "filter.by=random", seed=seed)
        made["random"].append(run(plain, folder / "s", f"random.{seed}"))
        evaluate(f"random.{seed}", ["boolq", "squadv2"], store=folder / "s", overrides=asked[2:])
    made["random"] = [open_run(one.name, folder / "s") for one in made["random"]]
    return made


@pytest.fixture(scope="module")
def found(arms: Arms) -> Comparison:
    return compare(arms, "best")


HEADLINES = {
    ("toy_tests", "greedy"),
    ("toy_tests", "sampled"),
    ("boolq", "acc"),
    ("squadv2", "exact"),
    ("ifeval", "prompt_level_strict_acc"),
    ("pairs", "win_rate"),
}


def test_every_headline_is_compared(found: Comparison) -> None:
    assert {(r.task, r.decoding) for r in found.results if r.arm == "best"} == HEADLINES
    assert {(r.task, r.decoding) for r in found.results if r.arm == "random"} == HEADLINES


def mean(items: list[Item], task: str, metric: str) -> float:
    return fmean(i.value for i in items if (i.task, i.metric) == (task, metric) and i.value is not None)


@pytest.mark.parametrize(
    ("task", "metric", "headline"),
    [
        ("boolq", "acc", "acc"),
        ("ifeval", "prompt_level_strict_acc", "prompt_level_strict_acc"),
        ("pairs", "preference", "win_rate"),
    ],
)
def test_scores_and_differences_are_of_the_same_items(
    arms: Arms, found: Comparison, task: str, metric: str, headline: str
) -> None:
    cells = {r.arm: r for r in found.results if (r.task, r.decoding) == (task, headline)}
    scores = {arm: [mean(items_of(one)[1], task, metric) for one in runs] for arm, runs in arms.items()}
    for arm, result in cells.items():
        assert result.score_by_seed == pytest.approx(tuple(scores[arm]))
        assert result.gain is not None
    difference = cells["random"].difference
    assert difference is not None
    assert difference.value == pytest.approx(fmean(scores["random"]) - fmean(scores["best"]))
    assert cells["random"].p_holm is not None


def test_figures_that_are_no_headline_are_left_out(found: Comparison) -> None:
    assert {(r.task, r.decoding) for r in found.results} <= HEADLINES


def test_one_test_may_be_chosen(arms: Arms) -> None:
    found = compare(arms, "best", tasks=["boolq"])
    assert {(r.task, r.decoding) for r in found.results} == {("boolq", "acc")}


def test_a_run_that_was_not_asked_leaves_the_others_nothing_to_compare_by(arms: Arms, tmp_path: Path) -> None:
    more = [run(toy(tmp_path, "iterations=1", "train.epochs=1.0", seed=0), tmp_path / "s", "bare")]
    found = compare({**arms, "bare": more}, "best")
    assert {r.task for r in found.results} == {"toy_tests"}
    assert any("boolq" in note for note in found.notes)


def judged(folder: Path, name: str, script: str, *changes: str) -> Run:
    """A run of one iteration whose models a scripted judge compared with the file's answers."""
    pairs = write_lines(folder / "pairs.jsonl", PAIRS)
    asked = (
        "iterations=1",
        f"chat.pairwise=[{pairs}]",
        f"judge={{kind: scripted, script: {script}}}",
        *changes,
    )
    return run(toy(folder, *asked, seed=0), folder / "s", name)


def test_what_two_judges_said_is_never_paired(tmp_path: Path) -> None:
    arms = {"a": [judged(tmp_path, "a", "longer")], "b": [judged(tmp_path, "b", "first", "filter.by=random")]}
    with pytest.raises(StoreError, match="not scored by the same") as caught:
        compare(arms, "a")
    assert "scripted first" in caught.value.message
    assert {r.task for r in compare(arms, "a", tasks=["toy_tests"]).results} == {"toy_tests"}


def test_a_missing_verdict_leaves_out_its_prompt_alone(tmp_path: Path) -> None:
    """One model's verdict on one question cannot be read: that question counts for nobody, and a note says so."""
    runs = [judged(tmp_path, "a", "longer"), judged(tmp_path, "b", "longer", "filter.by=random")]
    (step,) = [s for s in runs[1].due if s.stage == "judged" and s.iteration == 1]
    artifact = runs[1].artifact(step)
    assert artifact is not None
    whole = artifact.read(Item)
    cut = [replace(i, value=None) if n == 0 else i for n, i in enumerate(whole)]
    with pytest.MonkeyPatch.context() as patch:
        given = type(artifact).read
        patch.setattr(
            type(artifact),
            "read",
            lambda self, cls: cut if (self.key, cls) == (artifact.key, Item) else given(self, cls),
        )
        found = compare({"a": runs[:1], "b": runs[1:]}, "a", tasks=["pairs"])
    assert {r.score.prompts for r in found.results} == {len(PAIRS) - 1}
    assert (
        "pairs (win_rate): 1 of 3 prompts are left out, as a value of some model is missing." in found.notes
    )
    (b,) = [r for r in found.results if r.arm == "b"]
    assert b.score.value == pytest.approx(fmean(i.value or 0.0 for i in whole[1:]))


def test_the_family_is_of_all_headlines_but_those_at_t_1(found: Comparison) -> None:
    """Each benchmark has a metric of another name, which makes it no family of its own."""
    for sampled in (False, True):
        told = [r for r in found.results if (r.decoding == "sampled") is sampled]
        here = [r for r in told if r.difference]
        assert len(here) == (1 if sampled else len(HEADLINES) - 1)
        assert [r.p_holm for r in here] == holm([r.difference.p for r in here if r.difference])
        assert [r.gain_p_holm for r in told] == holm([r.gain.p for r in told if r.gain])
