"""Whole runs through a server: trained models too, what the server lacks, and a server that dies in the middle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chat_server import Status
from completion_server import LLAMA_CPP, VLLM, CompletionServer, FakeBrain
from isheep import run
from isheep.backends import server
from isheep.backends.http import Retry
from isheep.errors import BackendError
from isheep.recipe import Loaded
from toy import contents, toy

DIGITS = {"": {**{f" {n}": n / 9 for n in range(1, 11)}, **{f"word{n}": -3.0 for n in range(20)}}}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_PATIENT", Retry(tries=2, base=0.001))


def served(folder: Path, at: CompletionServer, *settings: str) -> Loaded:
    folder.mkdir(exist_ok=True)
    own = ("backend.engine=openai", f"server.url={at.url}", "server.adapters=vllm", "runtime.concurrency=3")
    return toy(folder, *own, *settings)


def test_a_run_through_a_server_trained_models_and_all(tmp_path: Path) -> None:
    with CompletionServer(FakeBrain(DIGITS), VLLM) as at:
        done = run(served(tmp_path, at), tmp_path / "store")
        assert len(at.adapters) == 2
        assert {question["model"] for question in at.questions} == {"sheepdog", *at.adapters}
    steps = {step.name: done.artifact(step) for step in done.steps}
    assert all(steps.values())
    manifest = steps["responses.0"].manifest  # type: ignore[union-attr]
    assert manifest["device"] == f"server: {at.url.split('/')[2]}"
    assert manifest["notes"] == []
    assert manifest["usage"]["tokens"] > 0
    # The address is nowhere but there: neither in a key, nor in what was made.
    with CompletionServer(FakeBrain(DIGITS), VLLM) as elsewhere:
        again = run(served(tmp_path, elsewhere), tmp_path / "store")
        assert elsewhere.questions == []
    assert contents(again) == contents(done)


def test_a_server_that_dies_in_the_middle(tmp_path: Path) -> None:
    with CompletionServer(FakeBrain(DIGITS), VLLM) as at:
        whole = contents(run(served(tmp_path, at), tmp_path / "whole"))
        alive = len(at.questions) // 5
        for _ in range(3):
            at.next(*[None] * alive)
            at.always(Status(503))
            with pytest.raises(BackendError, match="503"):
                run(served(tmp_path, at), tmp_path / "broken")
            at.forget()
        assert contents(run(served(tmp_path, at), tmp_path / "broken")) == whole


def test_what_a_server_lacks_is_told_before_anything_is_done(tmp_path: Path) -> None:
    with CompletionServer(FakeBrain(DIGITS), LLAMA_CPP) as at:
        with pytest.raises(BackendError, match="cannot work here") as caught:
            run(served(tmp_path, at), tmp_path / "store")
        assert "server.adapters: this server loads none" in caught.value.message
        at.habits = replace(VLLM, samples=False)
        with pytest.raises(BackendError, match="does not sample"):
            run(served(tmp_path, at), tmp_path / "store")
    assert not list((tmp_path / "store").rglob("manifest.json"))


def test_what_is_found_out_stands_in_the_manifest(tmp_path: Path) -> None:
    with CompletionServer(FakeBrain(DIGITS), replace(VLLM, seeds=False)) as at:
        told: list[str] = []
        done = run(
            served(tmp_path, at, "iterations=0"), tmp_path / "store", tell=lambda e: told.append(e.text)
        )
        step = next(step for step in done.steps if step.name == "evaluate.0")
        (note,) = done.artifact(step).manifest["notes"]  # type: ignore[union-attr]
    assert "another text for the same seed" in note
    assert note in told
