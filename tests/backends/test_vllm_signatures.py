"""The stand-in is no more than vLLM: every class, argument and field our engine uses is in vLLM's own source.

Where vLLM is installed, or ISHEEP_VLLM_SOURCE names an unpacked wheel, its source is read; everywhere, what was
recorded of two versions (vllm_signatures.json). An argument our engine passes and the stand-in lacks fails in every
other test.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import importlib.util
import inspect
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import vllm_signatures as signatures

from vllm_at_hand import stand_in

RECORDED: dict[str, dict[str, Any]] = json.loads(signatures.RECORD.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def module() -> Iterator[Callable[[str], Any]]:
    """A module of the stand-in by name."""
    with stand_in():
        yield importlib.import_module


def _source() -> Path | None:
    """The package's folder, where its source can be read; it is not imported."""
    named = os.environ.get("ISHEEP_VLLM_SOURCE")
    if named:
        return signatures._package(Path(named))
    found = importlib.util.find_spec("vllm")
    return Path(found.origin).parent if found and found.origin else None


def _arguments(function: Callable[..., Any]) -> list[str]:
    """As `vllm_signatures` writes them."""
    found = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    return [f"*{p.name}" if p.kind is p.KEYWORD_ONLY else p.name for p in found]


def _odd_arguments(ours: list[str], theirs: list[str], more: list[str]) -> list[str]:
    """Arguments of ours that theirs does not take that way: by position in the same place, by name anywhere."""
    by_name = {name.lstrip("*") for name in theirs} | set(more)
    leading = [name for name in theirs if not name.startswith("*")]
    placed = [name for name in ours if not name.startswith("*")]
    odd = [name for n, name in enumerate(placed) if leading[n : n + 1] != [name]]
    return odd + [name for name in ours if name.startswith("*") and name[1:] not in by_name]


def misfits(module: Callable[[str], Any], real: dict[str, Any]) -> list[str]:
    """What the stand-in has and vLLM has not."""
    engine, outputs = module("vllm.engine"), module("vllm.outputs")
    params, lora = module("vllm.sampling_params"), module("vllm.lora.request")
    classes = real["classes"]
    found: list[str] = []

    def called(
        where: str, function: Callable[..., Any], theirs: list[str], more: tuple[str, ...] = ()
    ) -> None:
        found.extend(f"{where}: {name}" for name in _odd_arguments(_arguments(function), theirs, list(more)))

    def has(where: str, names: Any, theirs: Any) -> None:
        found.extend(f"{where}: {name}" for name in names if name not in theirs)

    called("LLM", engine.LLM.__init__, classes["LLM"]["methods"]["__init__"], classes["EngineArgs"]["fields"])
    for name in ("add_request", "abort_request", "step", "add_lora", "apply_model"):
        called(name, getattr(engine.LLMEngine, name), classes["LLMEngine"]["methods"][name])
    called("shutdown", engine._Core.shutdown, classes["EngineCoreClient"]["methods"]["shutdown"])
    for name in ("tokens_input", "cleanup_dist_env_and_memory"):
        place = {"tokens_input": "vllm.inputs"}.get(name, "vllm.distributed.parallel_state")
        called(name, getattr(module(place), name), real["functions"][name])
    for ours, part in (
        (params.SamplingParams, "fields"),
        (lora.LoRARequest, "fields"),
        (outputs.RequestOutput, "attributes"),
        (outputs.CompletionOutput, "fields"),
        (outputs.Logprob, "fields"),
    ):
        has(ours.__name__, [f.name for f in dataclasses.fields(ours)], classes[ours.__name__][part])
    has("RequestOutputKind", params.RequestOutputKind.__members__, classes["RequestOutputKind"]["fields"])
    has("LLM", ("llm_engine", "model_config"), classes["LLM"]["attributes"])
    has("LLMEngine", ("engine_core",), classes["LLMEngine"]["attributes"])
    has("ModelConfig", ("max_model_len",), classes["ModelConfig"]["fields"])
    return found


@pytest.mark.parametrize("version", list(RECORDED))
def test_the_stand_in_has_nothing_of_its_own(module: Callable[[str], Any], version: str) -> None:
    assert misfits(module, RECORDED[version]) == []


@pytest.mark.parametrize("version", list(RECORDED))
def test_our_constants_are_those_of_vllm(version: str) -> None:
    with stand_in():
        core = importlib.import_module("isheep.backends.vllm_core")
        adapters = importlib.import_module("isheep.backends.vllm_adapters")
        constants = RECORDED[version]["constants"]
        assert constants["MAX_LOGPROB_TOKEN_IDS"] == core.MOST_IDS
        assert tuple(constants["MaxLoRARanks"]) == adapters.RANKS
        assert "bitsandbytes" not in constants["QuantizationMethods"]
        ours = {name for name in core.ENVIRONMENT if name.startswith("VLLM_")}
        assert ours <= set(RECORDED[version]["environment"])


def test_a_wrong_argument_is_noticed(module: Callable[[str], Any]) -> None:
    real = copy.deepcopy(RECORDED["0.33.0"])
    real["classes"]["EngineArgs"]["fields"].remove("max_lora_rank")
    real["classes"]["SamplingParams"]["fields"].remove("logprob_token_ids")
    add_request = real["classes"]["LLMEngine"]["methods"]["add_request"]
    add_request[1:3] = reversed(add_request[1:3])
    assert misfits(module, real) == [
        "LLM: *max_lora_rank",
        "add_request: prompt",
        "add_request: params",
        "SamplingParams: logprob_token_ids",
    ]


def test_vllm_here_is_as_recorded(module: Callable[[str], Any]) -> None:
    source = _source()
    if source is None or source.is_relative_to(Path(__file__).parents[1]):
        pytest.skip("no vLLM here, and ISHEEP_VLLM_SOURCE names none")
    found = signatures.extract(source)
    assert misfits(module, found) == []
    version = signatures.version(source)
    if version in RECORDED:
        assert json.loads(json.dumps(found)) == RECORDED[version]
