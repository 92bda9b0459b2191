"""An engine stays loaded from step to step, and goes when it cannot serve the next or something broke."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.fake import FakeEngine
from isheep.engines import Engines
from isheep.errors import BackendError
from isheep.plan import make_plan
from isheep.store import Store
from isheep.walk import Hands, run, same_engine
from toy import contents, toy


class Opened(FakeEngine):
    """A fake that says when it is opened and closed, and turns to the models it is told to."""

    log: list[tuple[str, str]]
    turns = True

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        self.log.append(("open", model.base))
        super().__init__(model, runtime)

    def turn_to(self, model: ModelSpec) -> bool:
        return super().turn_to(model) and self.turns

    def close(self) -> None:
        self.log.append(("close", ""))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    Opened.log = []
    monkeypatch.setattr("isheep.backends.fake.FakeEngine", Opened)
    return Opened.log


def test_one_engine_serves_as_long_as_it_can(log: list[tuple[str, str]]) -> None:
    engines, runtime = Engines(), Runtime()
    first = engines.open("fake", ModelSpec("a"), runtime)
    assert engines.open("fake", ModelSpec("b"), runtime) is first
    assert engines.open("fake", ModelSpec("b"), Runtime(batch_size=2)) is not first
    engines.close()
    engines.close()
    assert log == [("open", "a"), ("close", ""), ("open", "b"), ("close", "")]


def test_one_that_cannot_turn_goes_before_the_next_comes(
    log: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Opened, "turns", False)
    engines = Engines()
    engines.open("fake", ModelSpec("a"), Runtime())
    engines.open("fake", ModelSpec("b"), Runtime())
    assert log == [("open", "a"), ("close", ""), ("open", "b")]


def test_a_run_loads_once_between_two_trainings(log: list[tuple[str, str]], tmp_path: Path) -> None:
    made = run(toy(tmp_path, "iterations=2"), tmp_path / "store")
    assert made.complete
    assert log == [("open", "toy-base"), ("close", "")] * 3  # before, between and behind the two


def test_what_breaks_in_a_step_is_not_used_again(
    log: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = toy(tmp_path, "iterations=1")

    def broken(*args: Any, **kwargs: Any) -> Iterator[Any]:
        raise BackendError("broken")
        yield

    monkeypatch.setattr(Opened, "score", broken)
    monkeypatch.setattr(Opened, "generate", broken)
    store = Store(tmp_path / "store")
    with Hands(loaded.recipe.runtime, store, Runtime(), lambda event: None) as hands:
        for step in make_plan(loaded).steps:
            if step.model is None:
                hands.do(step)
                continue
            with pytest.raises(BackendError, match="broken"):
                hands.do(step)
            break
        assert log == [("open", "toy-base"), ("close", "")]


def test_a_process_stays_for_the_steps_its_engine_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    import isheep.worker as worker

    start = worker._start

    def counted(log: Path) -> Any:
        started.append(1)
        return start(log)

    monkeypatch.setattr(worker, "_start", counted)
    loaded = toy(tmp_path, "iterations=1", "runtime.isolation=process")
    made = run(loaded, tmp_path / "store")
    assert contents(made) == contents(run(toy(tmp_path, "iterations=1"), tmp_path / "other"))
    assert len(started) == 3  # all that asks the base, the training, all that asks the new model
    logs = {path.name.split("-")[0] for path in (tmp_path / "store" / "logs").iterdir()}
    assert {"responses.0", "train.0", "evaluate.1"} <= logs


def test_which_steps_one_engine_serves(tmp_path: Path) -> None:
    steps = {s.name: s for s in make_plan(toy(tmp_path, "iterations=2")).steps}
    assert same_engine(steps["instructions.0"], steps["responses.0"])
    assert same_engine(steps["responses.0"], steps["responses.1"])  # the fake swaps adapters
    of_hf = [replace(steps[name], backend="hf") for name in ("instructions.0", "responses.0", "responses.1")]
    assert same_engine(*of_hf[:2])
    assert not same_engine(*of_hf[1:])  # transformers loads a model for each adapter
    assert not same_engine(of_hf[0], steps["responses.0"])
    assert not same_engine(steps["responses.0"], steps["train.0"])
    assert not same_engine(steps["train.0"], steps["train.1"])
