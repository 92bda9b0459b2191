"""transformers' own server on the embedded model: what it can is used, what it cannot is refused before the run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from isheep import run
from isheep.backends.base import ModelSpec, Request, Runtime, Sampling, ServerSpec
from isheep.backends.hf import HFEngine
from isheep.backends.openai import OpenAIEngine, obstacles
from isheep.errors import BackendError
from isheep.files import model_path
from isheep.recipe import load_recipe
from isheep.records import Completion, Pair, Verdict
from isheep.text.prompts import LAYOUTS

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("openai")

pytestmark = pytest.mark.slow

LAMB = str(model_path("lamb"))
#: Seconds it may take to start: it imports much, and other tests may run beside it.
START = 300
ONE_AFTER_THE_OTHER = Runtime(concurrency=1)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = "from transformers.cli.transformers import main; main()"
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            command,
            "serve",
            LAMB,
            "--port",
            str(port),
            "--host",
            "127.0.0.1",
            "--device",
            "cpu",
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(START * 5):
            assert child.poll() is None, "the server did not start"
            try:
                requests.get(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        child.kill()
        child.wait()


def spec(url: str) -> ModelSpec:
    return ModelSpec(LAMB, server=ServerSpec(url, model=LAMB))


def asked(temperature: float) -> list[Request]:
    layout = LAYOUTS["question"]
    settings = Sampling(24, temperature, stops=layout.stop_texts)
    tasks = (
        "What is one more than 375?",
        "Which does not belong: hat, melon or bed?",
        "Is a fly bigger than a camel?",
    )
    return [Request(str(n), layout.prompt(task), settings, seed=n) for n, task in enumerate(tasks * 4)]


def written(engine: OpenAIEngine | HFEngine, requests: list[Request]) -> dict[str, Completion]:
    return {c.id: c for c in engine.generate(requests)}


def test_greedy_texts_are_the_models(url: str) -> None:
    direct = written(HFEngine(ModelSpec(LAMB), Runtime(device="cpu")), asked(0.0))
    found = written(OpenAIEngine(spec(url), Runtime(concurrency=4)), asked(0.0))
    assert {id: (c.text, c.finish, c.ended, c.prompt_tokens) for id, c in found.items()} == {
        id: (c.text, c.finish, c.ended, c.prompt_tokens) for id, c in direct.items()
    }


def test_it_samples_and_keeps_to_seeds_one_request_at_a_time(url: str) -> None:
    """It draws only when told in its own words (generation_config), from one random state for all requests."""
    engine = OpenAIEngine(spec(url), ONE_AFTER_THE_OTHER)
    texts = written(engine, asked(1.0))
    assert len({c.text for c in texts.values()}) > 4
    assert written(engine, asked(1.0)[::-1]) == texts
    assert engine.notes == []


def test_a_prompt_too_long_is_seen_here_as_it_does_not_see_it(url: str) -> None:
    engine = OpenAIEngine(spec(url), ONE_AFTER_THE_OTHER)
    assert engine.context == 256
    (done,) = engine.generate([Request("x", "a sheep " * 300, Sampling(9, 0.0))])
    assert done.finish == "too_long"


def test_what_it_cannot_is_refused_before_the_run(url: str, tmp_path: Path) -> None:
    found = obstacles(spec(url), ONE_AFTER_THE_OTHER, {"generate", "score", "likelihood", "adapter"})
    assert [sentence.split(":")[0] for sentence in found] == [
        "assessment.reading",
        "filter.ppl",
        "server.adapters",
    ]
    with pytest.raises(BackendError, match="cannot work here") as caught:
        run(
            load_recipe("lamb", ["backend.engine=openai", f"server.url={url}", f"server.model={LAMB}"]),
            tmp_path,
        )
    assert "assessment.reading" in caught.value.message
    assert "server.adapters" in caught.value.message
    assert not list(tmp_path.rglob("manifest.json"))


def test_an_iteration_of_the_shipped_recipe(url: str, tmp_path: Path) -> None:
    """The server writes, answers and judges in its own words; the model is trained here."""
    settings = (
        "backend.engine=openai", f"server.url={url}", f"server.model={LAMB}", "runtime.concurrency=1", "iterations=1",
        "instructions.count=8", "instructions.lists_per_round=3", "assessment.reading=sampled", "evaluate.tasks=[]",
        "filter.min_kept=1", "exam.questions=0", "train.epochs=1", "runtime.isolation=none", "probes.count=4",
    )  # fmt: skip
    done = run(load_recipe("lamb", settings), tmp_path / "store")
    steps = {step.name: done.artifact(step) for step in done.steps}
    assert all(steps.values())
    pairs, verdicts = (
        steps[name].read(cls) for name, cls in (("responses.0", Pair), ("assessment.0", Verdict))
    )  # type: ignore[union-attr]
    assert len(pairs) == 8
    assert all(pair.tokens > 0 for pair in pairs)
    assert sum(verdict.score is not None for verdict in verdicts) > len(verdicts) / 2
    assert steps["train.0"].manifest["device"].startswith("cpu")  # type: ignore[union-attr]
    assert steps["responses.0"].manifest["device"].startswith("server: 127.0.0.1:")  # type: ignore[union-attr]
