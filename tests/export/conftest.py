"""Finished runs to export: one of the stand-in with conversations and preferences, one of lamb with a real adapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from isheep import load_recipe, run
from isheep.runs import Run
from toy import TESTS, toy, write_lines


@pytest.fixture(scope="session")
def talked(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two turns, preferences, two iterations; no model."""
    folder = tmp_path_factory.mktemp("talked")
    more = [
        "followups.turns=2",
        "preferences.samples=2",
        "preferences.min_gap=0.01",
        "filter.keep_fraction=0.8",
    ]
    return run(toy(folder, *more), folder / "store")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """lamb, one small iteration."""
    folder = tmp_path_factory.mktemp("trained")
    tests = write_lines(folder / "tests.jsonl", TESTS)
    small = [
        "iterations=1", "instructions.count=16", "instructions.lists_per_round=4", "probes.count=0",
        "filter.min_kept=2", "train.epochs=4", "train.warmup_steps=0", f"evaluate.tasks=[{tests}]",
        "evaluate.base_layouts=[question]", "evaluate.decodings=[greedy]", "exam.questions=0",
        "runtime.isolation=none", "runtime.threads=1",
    ]  # fmt: skip
    return run(load_recipe("lamb", small), folder / "store")


@pytest.fixture(scope="session")
def merged(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its tuned model, merged, with a Modelfile."""
    from isheep.export import export_model

    return export_model(trained, tmp_path_factory.mktemp("merged") / "model", ollama=True)
