"""vLLM itself: the contract of all engines, adapters, and its answers held against transformers'.

Needs vLLM and a GPU, or vLLM's build for CPUs: `pytest tests/gpu`. docs/vllm.md keeps what was run, when, on what.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from isheep.backends import open_engine
from isheep.backends.base import Engine, ModelSpec, Passage, Query, Request, Runtime, Sampling
from isheep.records import Completion
from small_adapters import make_adapter
from tiny_models import make_model
from vllm_at_hand import real

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not real(), reason="no vLLM, or nothing it could run on")]

#: Heads of 32 numbers: the smallest that every attention kernel of vLLM takes.
TINY = {"arch": "llama", "template": True, "hidden": 128}
#: Several engines share the device in these tests.
SHARE = 0.15
SCORES = tuple(str(n) for n in range(1, 11))


def _contract() -> ModuleType:
    path = Path(__file__).parents[1] / "contract" / "test_engine_contract.py"
    spec = importlib.util.spec_from_file_location("engine_contract", path)
    assert spec is not None
    assert spec.loader is not None
    import sys

    module = sys.modules["engine_contract"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


contract = _contract()
# The same tests, and the fixtures they lean on, with the opener below.
globals().update({name: found for name, found in vars(contract).items() if name.startswith("test_")})
reader, embedder = contract.reader, contract.embedder


def _runtime(**more: Any) -> Runtime:
    return Runtime(gpu_memory=SHARE, threads=1, **more)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    # In float32, so that near ties do not decide what is compared.
    return ModelSpec(str(make_model(tmp_path_factory.mktemp("model"), **TINY)), dtype="float32")


@pytest.fixture(scope="module")
def opener(base: ModelSpec) -> Iterator[Any]:
    opener = contract.Opener(contract.Made("vllm", base, _runtime()))
    yield opener
    for engine in opener.opened.values():
        engine.close()


def _greedy(engine: Engine) -> dict[str, Completion]:
    sampling = Sampling(24, temperature=0.0, stops=("in", "e"), until="[aou]{2}")
    prompts = [f"Question: describe{' a sheep' * n}\nAnswer:" for n in range(6)]
    return {c.id: c for c in engine.generate([Request(str(n), p, sampling) for n, p in enumerate(prompts)])}


def _alike(engine: Engine, other: Engine) -> None:
    """The same greedy texts to the token, the same numbers to four digits."""
    assert _greedy(engine) == _greedy(other)
    queries = [Query(str(n), "Score (1 to 10):" + " x" * n, SCORES) for n in range(4)]
    told = {c.id: c for c in other.score(queries)}
    for choice in engine.score(queries):
        assert choice.probabilities == pytest.approx(told[choice.id].probabilities, abs=1e-4)
        assert choice.mass == pytest.approx(told[choice.id].mass, rel=1e-3)
    passages = [Passage(str(n), "Question: x\nAnswer:", " It is" + " white" * n) for n in range(4)]
    read = {one.id: one for one in other.likelihood(passages)}
    for one in engine.likelihood(passages):
        assert one.text_loglik == pytest.approx(read[one.id].text_loglik, rel=1e-4)
        assert one.prompt_loglik == pytest.approx(read[one.id].prompt_loglik, rel=1e-4)
        assert one.text_tokens == read[one.id].text_tokens


def test_it_says_what_transformers_says(opener: Any, base: ModelSpec) -> None:
    reference = open_engine("hf", base, Runtime(threads=1))
    _alike(opener(4), reference)
    assert opener(4).parameters == reference.parameters
    assert opener(4).layout("auto") == reference.layout("auto")


def test_adapters_take_turns(base: ModelSpec, tmp_path: Path) -> None:
    first, second = (
        ModelSpec(base.base, dtype="float32", adapter=str(make_adapter(base.base, tmp_path / name, seed)))
        for seed, name in enumerate(("first", "second"))
    )
    engine = open_engine("vllm", first, _runtime())
    try:
        for model in (first, second, base, first):
            assert engine.turn_to(model)
            _alike(engine, open_engine("hf", model, Runtime(threads=1)))
    finally:
        engine.close()


def test_memory_comes_back(base: ModelSpec) -> None:
    """One process may open one engine after the other."""
    texts = []
    for _ in range(2):
        engine = open_engine("vllm", base, _runtime())
        texts.append(_greedy(engine))
        engine.close()
    assert texts[0] == texts[1]


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_say_what_one_says(opener: Any, base: ModelSpec) -> None:
    engine = open_engine("vllm", base, _runtime(tensor_parallel=2))
    try:
        _alike(engine, opener(4))
    finally:
        engine.close()
