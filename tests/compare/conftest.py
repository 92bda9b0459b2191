"""What the tests of comparisons share: runs of the fake backend, and runs whose every figure was chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isheep import load_recipe, run
from isheep.runs import Run
from isheep.store import Store
from made_runs import MakeRun, made_run, skilled

SMALL = ["instructions.count=24", "instructions.lists_per_round=8", "filter.min_kept=1"]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """`made_run` in a store of this test."""
    store = Store(tmp_path / "store")
    return lambda *args, **rest: made_run(store, *args, **rest)


@pytest.fixture(scope="session")
def chosen_arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Run]]:
    """Three arms of four seeds with 80 prompts: one much better than the reference, one that hardly differs."""
    store = Store(tmp_path_factory.mktemp("chosen"))
    arms = {"plain": (0.4, 0.02), "better": (0.4, 0.2), "alike": (0.42, 0.02)}
    return {
        name: [
            made_run(
                store, name, seed, skilled(*merit, seed), items=80, decodings=("greedy", "sampled"),
                kept=(8, 6 if name == "better" else 8), best=1,
            )
            for seed in range(4)
        ]
        for name, merit in arms.items()
    }  # fmt: skip


@pytest.fixture(scope="session")
def fake_arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Run]]:
    """Two arms of three seeds, done by the fake backend on one store."""
    folder = tmp_path_factory.mktemp("fake")
    tests = folder / "quiz.jsonl"
    rows = [
        {"id": f"q{i:02d}", "instruction": f"Say the number {i}.", "answers": [str(i)]} for i in range(12)
    ]
    tests.write_text("\n".join(map(json.dumps, rows)) + "\n")
    arms = {"best": [], "random": ["filter.by=random"]}
    return {
        arm: [
            run(
                load_recipe("fake", [*SMALL, f"evaluate.tasks=[{tests}]", *changes], seed=seed),
                folder,
                f"{arm}.{seed}",
            )
            for seed in range(3)
        ]
        for arm, changes in arms.items()
    }
