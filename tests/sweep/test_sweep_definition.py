"""A sweep file: unrolled into jobs, and refused with all its mistakes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from isheep.errors import RecipeError
from isheep.files import PACKAGE
from isheep.sweep import load_sweep, sweep_names
from toy_sweep import toy_sweep


def test_every_arm_is_run_with_every_seed(tmp_path: Path) -> None:
    loaded = toy_sweep(tmp_path, seeds=[3, 1])
    assert [(job.arm, job.seed, job.run) for job in loaded.jobs] == [
        ("best", 3, "halves.best.seed3"),
        ("random", 3, "halves.random.seed3"),
        ("best", 1, "halves.best.seed1"),
        ("random", 1, "halves.random.seed1"),
    ]
    for job in loaded.jobs:
        assert job.plan.recipe == job.loaded.recipe
        assert job.plan.recipe.seed == job.seed
        assert job.plan.recipe.name == f"halves.{job.arm}"


def test_seeds_stand_in_the_file_or_in_the_call(tmp_path: Path) -> None:
    assert {job.seed for job in toy_sweep(tmp_path, seeds=None).jobs} == {0, 1, 2, 3, 4}
    assert {job.seed for job in toy_sweep(tmp_path, only=[7]).jobs} == {7}


def test_common_changes_arms_and_overrides_in_this_order(tmp_path: Path) -> None:
    arms = {"a": {"responses": {"max_tokens": 2}, "train": {"epochs": 2.5}}, "b": None}
    common = {"responses": {"max_tokens": 1, "temperature": 0.5}, "train": {"epochs": 1.5}}
    jobs = {
        job.arm: job.plan.recipe
        for job in toy_sweep(
            tmp_path, "train.epochs=3.5", seeds=[0], arms=arms, common=common, reference="b"
        ).jobs
    }
    assert {arm: r.responses.max_tokens for arm, r in jobs.items()} == {"a": 2, "b": 1}
    assert {arm: r.responses.temperature for arm, r in jobs.items()} == {"a": 0.5, "b": 0.5}
    assert {arm: r.train.epochs for arm, r in jobs.items()} == {"a": 3.5, "b": 3.5}


def test_an_arm_comes_after_the_one_it_is_matched_to(tmp_path: Path) -> None:
    arms = {
        "c": {"filter": {"match": "b"}},
        "b": {"filter": {"match": "a"}},
        "a": None,
        "d": {"iterations": 0},
    }
    jobs = toy_sweep(tmp_path, arms=arms, reference="d").jobs
    for seed in (0, 1):
        order = [job for job in jobs if job.seed == seed]
        assert [job.arm for job in order if job.arm != "d"] == ["a", "b", "c"]
        plans = {job.arm: job.plan for job in order}
        assert {job.arm: job.match for job in order} == {
            "a": None,
            "b": plans["a"],
            "c": plans["b"],
            "d": None,
        }
        assert all(job.match is None or job.match.recipe.seed == seed for job in order)


def test_arms_share_what_they_have_in_common(tmp_path: Path) -> None:
    first, second = toy_sweep(tmp_path, seeds=[0]).jobs
    ours, theirs = ({step.name: step.key for step in job.plan.steps} for job in (first, second))
    assert {name for name in ours if ours[name] != theirs[name]} == {
        "filter.0",
        "train.0",
        "evaluate.1",
        "review.0",
    }


def test_an_arm_may_start_from_another_recipe(tmp_path: Path) -> None:
    arms: dict[str, Any] = {"toy": None, "other": {"extends": "fake", "iterations": 1}}
    jobs = {job.arm: job for job in toy_sweep(tmp_path, arms=arms, reference="toy", seeds=[0]).jobs}
    assert jobs["other"].plan.recipe.instructions.count == 60
    assert jobs["toy"].plan.recipe.instructions.count == 12


def test_files_are_found_beside_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "base.yaml").write_text("extends: fake\niterations: 1\n")
    (tmp_path / "mine" / "seeds.jsonl").write_text('{"instruction": "Say yes."}\n')
    whole = {
        "name": "s",
        "recipe": "./base.yaml",
        "arms": {"a": {"seeds": {"file": "seeds.jsonl"}}},
        "reference": "a",
    }
    (tmp_path / "mine" / "sweep.yaml").write_text(yaml.safe_dump(whole))
    monkeypatch.chdir(tmp_path)
    (job, *_) = load_sweep("mine/sweep.yaml").jobs
    assert job.loaded.files["seeds.file"] == tmp_path / "mine" / "seeds.jsonl"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "a/b"}, "name: expected letters, digits"),
        ({"name": "x" * 49}, "name: expected letters, digits"),
        ({"arms": {}}, "arms: "),
        ({"arms": []}, "arms: expected a group of settings"),
        ({"arms": {"best": 3}}, "arms.best: expected a group of settings (found 3)"),
        ({"arms": {"a b": None}}, "arms: 'a b' cannot name an arm"),
        ({"arms": {"best\n": None}}, "arms: 'best\\n' cannot name an arm"),
        ({"reference": "worst"}, "reference: no arm 'worst'; arms: best, random"),
        ({"recipe": 3}, "recipe: expected text"),
        ({"seeds": 5}, "seeds: expected a list (found 5)"),
        ({"seeds": "01"}, "seeds: expected a list"),
        ({"seeds": []}, "seeds: expected one or more different seeds"),
        ({"seeds": [0, 0]}, "seeds: expected one or more different seeds"),
        ({"seeds": [-1]}, "seeds: expected one or more different seeds"),
        ({"seeds": [True]}, "seeds.0: expected a whole number"),
        ({"iteration": "first"}, "iteration: expected 'last' or 'best'"),
        ({"iteration": -1}, "iteration: expected 'last', 'best' or the number of a model, found -1"),
        ({"question": 3}, "question: expected text"),
        ({"nme": "x"}, "nme: unknown setting; did you mean 'name'?"),
        ({"recipe": "lmab"}, "arm best: extends: no file 'lmab'; did you mean 'lamb'?"),
        ({"common": {"seed": 3}}, "arm best: seed: every arm is run with the sweep's own `seeds`"),
        ({"arms": {"best": {"filter": {"match": "best"}}}}, "match one another in a circle: best -> best"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_mistake_is_named_before_anything_runs(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        toy_sweep(tmp_path, **changes)
    assert caught.value.message.startswith("the sweep has mistakes:\n  ")
    assert said in caught.value.message
    assert caught.value.hint


def test_the_mistakes_of_all_arms_come_at_once(tmp_path: Path) -> None:
    arms = {
        "best": {"sead": 3},
        "low": {"filter": {"threshold": 11, "match": "bset"}},
        "lost": {"filter": {"match": "nobody"}},
        "fine": {"filter": {"match": "best"}},
    }
    with pytest.raises(RecipeError) as caught:
        toy_sweep(tmp_path, arms=arms)
    for said in (
        "arm best: the recipe has 1 mistake:\n  sead: unknown setting",
        "arm low: the recipe has 1 mistake:\n  filter.threshold: expected 10 or less",
        "arm lost: filter.match: no arm 'nobody'; arms: best, low, lost, fine",
    ):
        assert said in caught.value.message
    assert "arm fine" not in caught.value.message


def test_arms_cannot_match_one_another_in_a_circle(tmp_path: Path) -> None:
    arms = {a: {"filter": {"match": b}} for a, b in (("a", "b"), ("b", "c"), ("c", "a"))}
    with pytest.raises(
        RecipeError, match=r"in a circle: (a -> c -> b -> a|b -> a -> c -> b|c -> b -> a -> c)"
    ):
        toy_sweep(tmp_path, arms=arms, reference="a")


@pytest.mark.parametrize("override", ["seed=3", " seed =3"])
def test_a_seed_by_set_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(RecipeError, match="seed: every arm is run with the sweep's own `seeds`"):
        toy_sweep(tmp_path, override)


@pytest.mark.parametrize("name", sorted(sweep_names()))
def test_every_shipped_sweep_loads_and_plans(name: str) -> None:
    path = PACKAGE / "recipes" / "sweeps" / f"{name}.yaml"
    assert sweep_names()[name] == path
    assert path.read_text(encoding="utf-8").startswith(f"# isheep sweep {name}")
    loaded = load_sweep(name)
    assert loaded.sweep.name == name
    assert loaded.sweep.description
    assert loaded.sweep.question.count("?") >= 1
    arms = {job.arm for job in loaded.jobs}
    assert len(loaded.jobs) == len(arms) * len(loaded.sweep.seeds)
    assert len({job.run for job in loaded.jobs}) == len(loaded.jobs)
    plans = {job.arm: tuple(step.key for step in job.plan.steps) for job in loaded.jobs if job.seed == 0}
    assert len(set(plans.values())) == len(arms), "no two arms are the same run"
    if name.startswith(("lamb_", "fake")):
        assert all(job.plan.recipe.evaluate.tasks for job in loaded.jobs)


def test_a_sweep_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_sweep("lamb_tabel2")
    assert caught.value.message == "sweep: no file 'lamb_tabel2'; did you mean 'lamb_table2'?"
    assert "--list" in caught.value.hint
