"""What of a run will fail is told before its first step, all at once, and only of what is still to do."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from isheep import backends
from isheep.backends import Entry, obstacles
from isheep.backends.base import ModelSpec, Runtime
from isheep.errors import BackendError
from isheep.plan import Plan, make_plan
from isheep.preflight import preflight
from isheep.store import Store
from isheep.walk import run
from toy import toy

Asked = list[tuple[str, frozenset[str]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The fake engine and trainer, with a check that notes what it is asked and objects to what it is told to."""
    log: Asked = []
    module = ModuleType("picky")

    def check(model: ModelSpec, runtime: Runtime, needs: frozenset[str]) -> list[str]:
        log.append((model.adapter or model.base, needs))
        return [f"no {need} here" for need in sorted(needs & {"score", "train"})]

    module.__dict__["check"] = check
    monkeypatch.setitem(sys.modules, "picky", module)
    entry = Entry("picky", "nothing", check="check")
    monkeypatch.setattr(backends, "ENGINES", {**backends.ENGINES, "fake": entry})
    monkeypatch.setattr(backends, "TRAINERS", {**backends.TRAINERS, "fake": entry})
    return log


def planned(folder: Path, *overrides: str) -> Plan:
    return make_plan(toy(folder, "iterations=1", *overrides))


def test_all_obstacles_are_told_at_once_before_anything_is_done(tmp_path: Path, asked: Asked) -> None:
    with pytest.raises(BackendError) as caught:
        run(toy(tmp_path, "iterations=1", "assessment.reading=expected"), tmp_path / "store")
    assert caught.value.message == "this run cannot work here:\n  no score here\n  no train here"
    assert not (tmp_path / "store").exists()
    assert ("toy-base", frozenset({"train", "accumulation 1"})) in asked
    assert ("toy-base", frozenset({"generate", "score", "adapter"})) in asked


@pytest.mark.parametrize(
    ("override", "needs"),
    [
        ("assessment.reading=sampled", set()),
        ("assessment.reading=expected", {"score"}),
        ("filter.ppl={}", {"likelihood"}),
        ("filter.density={}", {"hidden"}),
    ],
)
def test_what_a_recipe_asks_of_its_engine(
    tmp_path: Path, asked: Asked, override: str, needs: set[str]
) -> None:
    steps = planned(tmp_path, "assessment.reading=sampled", override).steps
    with pytest.raises(BackendError):
        preflight(steps, Store(tmp_path / "store"), Runtime())
    of_engine = [found for _, found in asked if "generate" in found]
    assert of_engine == [frozenset({"generate", "adapter", *needs})]


def test_what_is_done_is_not_asked_for(tmp_path: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(tmp_path)
    store = Store(tmp_path / "store")
    monkeypatch.setattr(Store, "find", lambda self, stage, key: object())
    preflight(plan.steps, store, Runtime())
    assert asked == []


def test_a_package_that_is_missing_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        backends, "ENGINES", {"far": Entry("isheep.backends.nowhere_at_all", "X", "far", check="c")}
    )

    def missing(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'farlib'", name="farlib")

    monkeypatch.setattr("importlib.import_module", missing)
    (sentence,) = obstacles("engine", "far", ModelSpec("x"), Runtime(), {"generate"})
    assert "farlib" in sentence
    assert "pip install 'isheep[far]'" in sentence


def test_workers_are_checked_beside_the_engine(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def workers(model: ModelSpec, runtime: Runtime, needs: Collection[str]) -> list[str]:
        return ["no cluster"]

    module = ModuleType("cluster")
    module.__dict__["check"] = workers
    monkeypatch.setitem(sys.modules, "cluster", module)
    monkeypatch.setattr(backends, "_WORKERS", Entry("cluster", "nothing", check="check"))
    monkeypatch.setattr(backends, "_LAUNCHED", Entry("cluster", "nothing", check="check"))
    two = Runtime(workers=2)
    assert obstacles("engine", "fake", ModelSpec("x"), two, {"score"}) == ["no score here", "no cluster"]
    assert obstacles("engine", "fake", ModelSpec("x"), Runtime(), {"generate"}) == []
    launched = Runtime(launch="torchrun")
    assert obstacles("trainer", "trl", ModelSpec("x"), launched, {"train"}) == ["no cluster"]
    assert obstacles("trainer", "fake", ModelSpec("x"), launched, {"train"}) == ["no train here"]
