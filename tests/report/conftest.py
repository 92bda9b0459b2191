"""What the report's tests share: runs of the fake backend, and a summary whose scores can be chosen."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from isheep import load_recipe, run
from isheep.report.ledger import Cost
from isheep.report.verdict import verdict, warnings
from isheep.runs import Run
from isheep.stats import paired_difference, wilson

NO_COST = asdict(Cost())
SMALL = ["instructions.count=40", "instructions.lists_per_round=8", "filter.min_kept=1"]


@pytest.fixture(scope="session")
def tests_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test set of twenty questions that the fake model cannot answer."""
    path = tmp_path_factory.mktemp("tests") / "quiz.jsonl"
    rows = [
        {"id": f"q{i:02d}", "instruction": f"Say the number {i}.", "answers": [str(i)]} for i in range(20)
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


@pytest.fixture(scope="session")
def fake_run(tmp_path_factory: pytest.TempPathFactory, tests_file: Path) -> Run:
    """A finished run of two iterations with an evaluation."""
    loaded = load_recipe("fake", [*SMALL, f"evaluate.tasks=[{tests_file}]"])
    return run(loaded, tmp_path_factory.mktemp("store"))


@pytest.fixture
def start(tmp_path: Path, tests_file: Path) -> Callable[..., Run]:
    """Does a small run of the fake backend with these settings."""

    def made(*overrides: str) -> Run:
        return run(load_recipe("fake", [*SMALL, f"evaluate.tasks=[{tests_file}]", *overrides]), tmp_path)

    return made


def _scores(
    task: str, decoding: str, hits: int, n: int, layout: str, ended: float, mark: str
) -> list[dict[str, Any]]:
    low, high = wilson(hits, n)
    right = {"value": hits / n, "n": n, "ci_low": low, "ci_high": high}
    stops = {"value": ended, "n": n, "ci_low": ended, "ci_high": ended}
    head = {"task": task, "layout": layout}
    return [
        {**head, "metric": f"accuracy_{decoding}{mark}", **right},
        {**head, "metric": f"ended_{decoding}{mark}", **stops},
    ]


def make_summary(
    hits: Sequence[int],
    *,
    decoding: str = "greedy",
    task: str = "quiz",
    n: int = 100,
    planned: int | None = None,
    ended: float = 1.0,
    own: int | None = None,
) -> dict[str, Any]:
    """A summary in which M_t got `hits[t]` of `n` prompts right (the same ones first, so gains are paired)."""
    planned = len(hits) - 1 if planned is None else planned
    entries: list[dict[str, Any]] = []
    for t in range(planned + 1):
        entry: dict[str, Any] = {
            "iteration": t, "scores": [], "gain": [], "candidates": 0, "instructions": 0, "responses": 0, "kept": 0,
            "turns": [], "judge": None, "review": None, "prefer": None,
            "dropped": {}, "lengths": {"all": None, "kept": None}, "train": None, "tokens": {}, "usage": {},
            "seconds": {}, "keys": {}, "notes": [],
            "assessment": {"mean": None, "auroc": None, "unreadable": 0, "scales": {"quality": None}},
        }  # fmt: skip
        if t < len(hits):
            entry["scores"] = _scores(
                task, decoding, hits[t], n, "question" if t else "qa", ended if t else 0.1, ""
            )
            if t == 0 and own is not None:
                entry["scores"] += _scores(task, decoding, own, n, "question", 0.1, "@question")
            if t:
                after, before = ([i < h for i in range(n)] for h in (hits[t], hits[0]))
                value, low, high = paired_difference(after, before)
                cell = {"value": value, "n": n, "ci_low": low, "ci_high": high}
                entry["gain"] = [{"task": task, "metric": f"accuracy_{decoding}", **cell}]
        entries.append(entry)
    complete = len(hits) == planned + 1
    return finish(
        {
            "run": "made", "seed": 7, "recipe": "made", "model": "lamb", "complete": complete,
            "next": None if complete else f"responses.{len(hits) - 1}", "tests": [task], "iterations": entries,
            "totals": {"seconds": 0.0, "tokens": 0}, "stopped": None, "result": None, "guard": "warn",
            "ledger": {"stages": {}, "training": NO_COST, "evaluation": NO_COST, "notes": []},
        }
    )  # fmt: skip


def finish(summary: dict[str, Any]) -> dict[str, Any]:
    """Verdict and warnings after a change."""
    return {**summary, "verdict": verdict(summary), "warnings": warnings(summary)}


@pytest.fixture
def summary_of() -> Callable[..., dict[str, Any]]:
    return make_summary
