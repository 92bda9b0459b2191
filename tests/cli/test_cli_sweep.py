"""`isheep sweep` and `isheep compare` as a user meets them."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.compare import COLUMNS
from isheep.runs import open_run
from isheep.sweep import open_sweep, run_sweep, sweep_names
from said import Isheep
from toy_sweep import sweep_file, toy_sweep

IMPOSSIBLE: dict[str, Any] = {"filter": {"threshold": 10, "keep_fraction": None}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a finished sweep."""
    folder = tmp_path_factory.mktemp("sweep")
    return run_sweep(toy_sweep(folder), folder / "store").store.root


# sweep


def test_the_shipped_sweeps_are_listed(isheep: Isheep) -> None:
    said = isheep("sweep", "--list")
    assert isheep("sweep").out == said.out
    for name in ("lamb_table2", "lamb_baselines", "fake"):
        assert re.search(rf"^{name} +\w", said.out, re.MULTILINE)
    listed = json.loads(isheep("sweep", "--list", "--json").out)
    assert listed.keys() == sweep_names().keys()
    assert all(listed.values())


def test_the_plan_of_a_sweep(isheep: Isheep, tmp_path: Path) -> None:
    sweep_file(tmp_path)
    rows = json.loads(isheep("sweep", "halves.yaml", "--plan", "--json").out)
    assert [(row["arm"], row["seed"]) for row in rows] == [
        ("best", 0),
        ("random", 0),
        ("best", 1),
        ("random", 1),
    ]
    assert [(row["steps"], row["done"], row["shared"], row["to_do"]) for row in rows] == [
        (14, 0, 0, 14), (14, 0, 10, 4), (14, 0, 0, 14), (14, 0, 10, 4),
    ]  # fmt: skip
    assert 0 < rows[1]["read"] < rows[0]["read"]
    assert not (tmp_path / "isheep-store").exists(), "a plan changes nothing"
    table = isheep("sweep", "halves.yaml", "--plan", "--seed", "1").out
    assert "halves" in table
    assert re.search(r"all\W+28\W+0\W+10\W+18\W", table)
    isheep("sweep", "halves.yaml", "--seed", "0")
    after = json.loads(isheep("sweep", "halves.yaml", "--plan", "--json").out)
    assert [(row["done"], row["shared"], row["to_do"], row["written"]) for row in after[:2]] == [
        (14, 0, 0, 0)
    ] * 2
    assert [row["seconds"] for row in rows] == [None] * 4, "nobody knows yet"
    assert [row["seconds"] for row in after[:2]] == [0, 0]
    assert after[2]["seconds"] > after[3]["seconds"] > 0, "told by what the finished seed took"
    assert [{**row, "seconds": None} for row in after[2:]] == rows[2:]


def test_a_sweep_runs_and_is_compared(isheep: Isheep, tmp_path: Path) -> None:
    sweep_file(tmp_path)
    said = isheep("sweep", "halves.yaml")
    assert said.code == 0
    lines = said.out.splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["[1/4]", "best", "seed", "0", "done"],
        ["[2/4]", "random", "seed", "0", "done"],
        ["[3/4]", "best", "seed", "1", "done"],
        ["[4/4]", "random", "seed", "1", "done"],
    ]
    assert "compared with best" in said.out
    page = Path(lines[-1].removeprefix("page").strip())
    assert page == tmp_path / "isheep-store" / "sweeps" / "halves" / "compare.html"
    assert page.is_file()
    assert open_sweep("halves").arms.keys() == {"best", "random"}
    assert isheep("show", "halves.random.seed1").code == 0
    again = isheep("sweep", "halves.yaml")
    assert again.out == said.out


def test_a_sweep_in_json(isheep: Isheep, tmp_path: Path) -> None:
    sweep_file(tmp_path)
    said = isheep("sweep", "halves.yaml", "--json", "--set", "evaluate.decodings=[greedy]", "--workers", "2")
    rows = json.loads(said.out)
    assert {(row["arm"], row["task"], row["decoding"], tuple(row["seeds"])) for row in rows} == {
        (arm, "toy_tests", "greedy", (0, 1)) for arm in ("best", "random")
    }
    assert all(row.keys() == COLUMNS.keys() for row in rows)
    assert "[4/4]" in said.err


def test_a_failed_arm_is_named_and_the_code_is_4(isheep: Isheep, tmp_path: Path) -> None:
    sweep_file(tmp_path, arms={"best": None, "strict": IMPOSSIBLE, "random": {"filter": {"by": "random"}}})
    said = isheep("sweep", "halves.yaml")
    assert said.code == 4
    assert "compared with best" in said.out
    assert said.out.count("failed: halves.strict.seed") == 2
    assert "halves.strict.seed1: the filter kept 0 of 12 pairs" in said.out
    assert not open_run("halves.strict.seed0").complete


def test_where_the_reference_failed_nothing_is_compared_and_both_are_said(
    isheep: Isheep, tmp_path: Path
) -> None:
    sweep_file(tmp_path, arms={"best": IMPOSSIBLE, "random": {"filter": {"match": "best"}}})
    said = isheep("sweep", "halves.yaml")
    assert said.code == 4
    assert "not compared: no run of best can be compared" in said.out
    assert "failed: halves.best.seed0: the filter kept 0 of 12 pairs" in said.out
    assert (
        "failed: halves.random.seed0: best, whose counts are to be matched, did not get to filter.0"
        in said.out
    )


def test_a_sweep_without_a_test_says_so_first(isheep: Isheep, tmp_path: Path) -> None:
    sweep_file(tmp_path)
    words = ("sweep", "halves.yaml", "--set", "evaluate.tasks=[]", "--set", "iterations=0")
    planned = isheep(*words, "--plan")
    assert planned.out.startswith("no test is named (")
    said = isheep(*words)
    assert said.out.startswith("no test is named (")
    assert said.code == 5
    assert "never tested" in said.err


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("sweep", "nope"), 2, "sweep: no file 'nope'"),
        (("sweep", "toy.yaml"), 2, "the sweep has mistakes:"),
        (("sweep", "fake", "--set", "sead=3"), 2, "arm best: the recipe has 1 mistake"),
        (("sweep", "fake", "--set", "seed=3"), 2, "seed: every arm is run with the sweep's own `seeds`"),
        (("sweep", "fake", "--seed", "-1"), 2, "seeds: expected one or more different seeds"),
        (("sweep", "fake", "--store", "toy.yaml"), 5, "Not a directory"),
        (("compare", "nope"), 5, "no sweep 'nope' in "),
        (("compare", "nope", "neither"), 5, "no run 'nope' in "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_errors_are_a_message_a_hint_and_a_code(
    isheep: Isheep, words: Sequence[str], code: int, error: str
) -> None:
    said = isheep(*words)
    assert said.code == code
    assert error in said.err
    assert "\nhint: " in said.err


# compare


def test_compare_a_sweep(isheep: Isheep, finished: Path) -> None:
    said = isheep("compare", "halves", "--store", str(finished))
    assert said.code == 0
    assert "compared with best" in said.out
    folder = finished / "sweeps" / "halves"
    assert {path.name for path in folder.iterdir()} == {
        "sweep.json",
        "plots",
        "compare.html",
        "compare.csv",
        "compare.json",
    }
    with (folder / "compare.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["arm"] for row in rows} == {"best", "random"}
    assert list(rows[0]) == list(COLUMNS)


def test_compare_with_another_reference_and_model(isheep: Isheep, finished: Path) -> None:
    words = (
        "compare",
        "halves",
        "--store",
        str(finished),
        "--reference",
        "random",
        "--iteration",
        "0",
        "--json",
    )
    rows = json.loads(isheep(*words).out)
    assert {row["iteration"] for row in rows} == {"0"}
    assert all((row["difference"] is None) == (row["arm"] == "random") for row in rows)
    assert all(row["difference"] == 0 for row in rows if row["arm"] == "best"), (
        "both begin with the same model"
    )


def test_compare_runs(isheep: Isheep, finished: Path) -> None:
    store = ("--store", str(finished))
    runs = [f"halves.{arm}.seed{seed}" for arm in ("best", "random") for seed in (0, 1)]
    rows = json.loads(isheep("compare", *runs, *store, "--json").out)
    assert {(row["arm"], tuple(row["seeds"])) for row in rows} == {
        ("halves.best.seed0", (0, 1)),
        ("halves.random.seed0", (0, 1)),
    }, "runs that differ in their seed are one arm"
    assert (finished / "sweeps" / "compare" / "compare.html").is_file()
    two = isheep("compare", "halves.best.seed0", "halves.random.seed0", *store)
    assert two.code == 0
    assert "compared with halves.best.seed0" in two.out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("halves", "--reference", "worst"), "no arm 'worst' to compare with"),
        (("halves", "--iteration", "first"), "'first' names no model"),
        (("halves", "--iteration", "9"), "best has no tested model 9"),
    ],
)
def test_what_cannot_be_compared_is_said(
    isheep: Isheep, finished: Path, words: Sequence[str], error: str
) -> None:
    said = isheep("compare", *words, "--store", str(finished))
    assert said.code == 5
    assert error in said.err
