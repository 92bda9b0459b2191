"""Runs to talk to: one of lamb with random adapters, and one without a model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from isheep import load_recipe
from isheep.files import model_path
from isheep.records import ModelRef
from isheep.runs import Run, RunStep, open_run
from isheep.store import Store
from isheep.store.key import digest
from isheep.walk import run
from small_adapters import make_adapter
from toy import toy


@pytest.fixture(scope="session")
def fake_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two iterations without a model. Copy its store before writing beside it."""
    folder = tmp_path_factory.mktemp("talk")
    return run(toy(folder), folder / "store")


@pytest.fixture
def own_run(fake_run: Run, tmp_path: Path) -> Run:
    """A copy of it that a test may write to."""
    shutil.copytree(fake_run.store.root, tmp_path / "store")
    return open_run("last", tmp_path / "store")


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """A run of some base whose two trainings made random adapters. `config` goes to LoraConfig."""

    def make(name: str, base: str, layout: str = "question", **config: object) -> Run:
        store = Store(tmp_path_factory.mktemp(name) / "store")
        sets = [f"model.base={base}", f"model.layout={layout}", "iterations=2", "runtime.device=cpu"]
        recipe = load_recipe("lamb", sets, name=name).recipe
        steps = []
        for t in range(2):
            key = digest([name, t])
            with store.claim("train", key) as claim:
                make_adapter(model_path(base), claim.folder / "adapter", seed=t, **config)
                claim.journal.append(ModelRef(f"model.{t + 1}", "adapter", layout))
                claim.publish({"name": f"train.{t}"}, [ModelRef])
            steps.append(RunStep(f"train.{t}", "train", t, key))
        folder = store.runs_folder / name
        folder.mkdir(parents=True)
        plain = {"name": name, "plan": "x", "recipe": recipe.model_dump(mode="json")}
        plain["steps"] = [asdict(step) for step in steps]
        (folder / "run.json").write_text(json.dumps(plain), encoding="utf-8")
        return open_run(name, store)

    return make


@pytest.fixture(scope="session")
def lamb_run(make_run: Callable[..., Run]) -> Run:
    return make_run("lambs", "lamb")
