"""The door: nothing heavy behind it is touched before it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from isheep import backends
from isheep.backends import ENGINES, TRAINERS, Entry, open_engine, open_trainer
from isheep.backends.base import Engine, ModelSpec, Trainer
from isheep.errors import MissingExtraError, RecipeError


def test_importing_the_door_imports_nothing_heavy() -> None:
    code = (
        "import sys, isheep.backends as b; from isheep.backends.base import ModelSpec;"
        "b.open_engine('fake', ModelSpec('x'));"
        "print([m for m in ('torch', 'transformers', 'trl', 'peft', 'sklearn', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_kinds_are_met_with_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match="unknown engine 'hff'") as caught:
        open_engine("hff", ModelSpec("x"))
    assert "'hf'" in caught.value.hint
    with pytest.raises(RecipeError, match="unknown trainer 'trll'"):
        open_trainer("trll", ModelSpec("x"))


@pytest.mark.parametrize(("extra", "target"), [("vllm", "isheep[vllm]"), ("", "isheep")])
def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch, extra: str, target: str) -> None:
    monkeypatch.setattr(backends, "ENGINES", {"ghost": Entry("no_such_package_here", "X", extra)})
    with pytest.raises(MissingExtraError, match="needs the package 'no_such_package_here'") as caught:
        open_engine("ghost", ModelSpec("x"))
    assert caught.value.hint == f"pip install '{target}'"


def test_fakes_fit_the_protocols() -> None:
    assert isinstance(open_engine("fake", ModelSpec("x")), Engine)
    assert isinstance(open_trainer("fake", ModelSpec("x")), Trainer)
    assert set(ENGINES) >= {"hf", "fake"}
    assert set(TRAINERS) >= {"trl", "fake"}


def test_no_library_reports_its_use_unless_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    open_engine("fake", ModelSpec("lamb"))
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "0")
    open_engine("fake", ModelSpec("lamb"))
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "0"
