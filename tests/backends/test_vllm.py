"""The engine on vLLM, run on the stand-in: held against transformers, with adapters, chunks, a caller that ends early.

Whatever is the same for all engines is in tests/contract; whether the stand-in is like vLLM, in test_vllm_signatures.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from isheep.backends import open_engine
from isheep.backends.base import ModelSpec, Passage, Query, Request, Runtime, Sampling
from isheep.backends.hf import HFEngine
from isheep.backends.hf_choices import Tokenised
from isheep.backends.vllm_adapters import Adapter
from isheep.errors import BackendError
from small_adapters import make_adapter
from tiny_models import make_model
from vllm_at_hand import stand_in

SCORES = tuple(str(n) for n in range(1, 11))


@pytest.fixture(scope="module", autouse=True)
def _stand_in() -> Iterator[None]:
    with stand_in():
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    # Single digits: "10" is two tokens, so scores need two looks.
    folder = make_model(tmp_path_factory.mktemp("m"), template=True, digits="single", bos=True)
    return ModelSpec(str(folder))


@pytest.fixture(scope="module")
def adapters(base: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> list[ModelSpec]:
    """Two of rank 4, one of rank 9."""
    folder = tmp_path_factory.mktemp("adapters")
    return [
        replace(base, adapter=str(make_adapter(base.base, folder / str(n), seed=n, rank=rank)))
        for n, rank in enumerate((4, 4, 9))
    ]


def _open(model: ModelSpec, batch_size: int = 4) -> Any:
    return open_engine("vllm", model, Runtime(batch_size=batch_size, device="cpu", threads=1))


def _hf(model: ModelSpec) -> HFEngine:
    return HFEngine(model, Runtime(batch_size=4, device="cpu", threads=1))


@pytest.fixture(scope="module")
def engine(base: ModelSpec) -> Any:
    return _open(base)


def _requests(count: int = 6, **sampling: Any) -> list[Request]:
    settings = Sampling(**{"max_tokens": 20, **sampling})
    prompts = [f"Question: Describe{' a sheep' * n}\nAnswer:" for n in range(count)]
    return [Request(f"r{n}", prompt, settings, seed=n) for n, prompt in enumerate(prompts)]


def _same(one: Any, other: Any) -> None:
    for sampling in (
        {},
        {"stops": ("e", "in")},
        {"until": "[aou]{2}"},
        {"stops": ("t", "<|im_end|>"), "until": "e."},
    ):
        requests = _requests(temperature=0.0, **sampling)
        written = [{c.id: c for c in engine.generate(requests)} for engine in (one, other)]
        assert written[0] == written[1]
    queries = [Query(f"q{n}", "Score (1 to 10):" + "\n" * (n % 2) + " x" * n, SCORES) for n in range(4)]
    scores = {c.id: c for c in other.score(queries)}
    for found in one.score(queries):
        assert found.probabilities == pytest.approx(scores[found.id].probabilities, abs=1e-5)
        assert found.mass == pytest.approx(scores[found.id].mass, rel=1e-3)
        assert found.prompt_tokens == scores[found.id].prompt_tokens
    passages = [Passage(f"p{n}", "Question: x\nAnswer:", " It is" + " white" * n) for n in range(4)]
    read = {p.id: p for p in other.likelihood(passages)}
    for got in one.likelihood(passages):
        wanted = read[got.id]
        assert (got.text_tokens, got.prompt_tokens) == (wanted.text_tokens, wanted.prompt_tokens)
        assert got.text_loglik == pytest.approx(wanted.text_loglik, rel=1e-4)
        assert got.prompt_loglik == pytest.approx(wanted.prompt_loglik, rel=1e-4)


def test_it_says_what_transformers_says(engine: Any, base: ModelSpec) -> None:
    reference = _hf(base)
    _same(engine, reference)
    assert engine.parameters == reference.parameters
    assert engine.context == reference.context
    for name in ("auto", "chat", "chatml", "question"):
        assert engine.layout(name) == reference.layout(name)
    assert engine.count(["a sheep", "", "1 2 3"]) == reference.count(["a sheep", "", "1 2 3"])


def test_an_end_of_the_layouts_own_is_one_of_vllms(tmp_path: Path) -> None:
    folder = make_model(tmp_path, template=True, tied=False)
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    with torch.no_grad():  # likely, without being certain
        model.get_output_embeddings().weight[end] *= 1.6
    model.save_pretrained(folder)
    engine, reference = (made(ModelSpec(str(folder))) for made in (_open, _hf))
    for stops in (("<|im_end|>",), ("<|im_end|>", "e")):
        requests = _requests(9, temperature=0.0, stops=stops)
        done = {c.id: c for c in engine.generate(requests)}
        assert done == {c.id: c for c in reference.generate(requests)}
        assert {c.ended for c in done.values()} == {True, False}


def test_adapters_take_turns_on_one_base(base: ModelSpec, adapters: list[ModelSpec]) -> None:
    first, second, larger = adapters
    engine = _open(first)
    loaded = engine._core._llm.llm_engine._adapters
    for model in (first, second, base, first):
        assert engine.turn_to(model)
        _same(engine, _hf(model))
    assert loaded == {1, 2}  # a new number for each adapter, loaded once
    assert engine.parameters > _open(base).parameters
    assert not engine.turn_to(larger)  # it was opened for rank 8
    assert not engine.turn_to(replace(second, revision="other"))
    _same(engine, _hf(first))
    assert _open(larger).turn_to(second)


def test_an_engine_opened_without_adapters_takes_none(engine: Any, adapters: list[ModelSpec]) -> None:
    assert not engine.turn_to(adapters[0])
    assert engine.turn_to(replace(adapters[0], adapter=None))


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"trainable_token_indices": {"embed_tokens": [1, 2]}}, "trained rows of the embeddings"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"use_dora": True}, "use_dora"),
        ({"bias": "all"}, "bias"),
        ({"target_modules": ["q_proj", "lm_head"]}, "output layer"),
    ],
)
def test_what_is_more_than_lora_is_refused(
    base: ModelSpec, adapters: list[ModelSpec], tmp_path: Path, config: dict[str, Any], word: str
) -> None:
    odd = replace(base, adapter=str(make_adapter(base.base, tmp_path / "odd", **config)))
    with pytest.raises(BackendError, match=word) as error:
        _open(odd)
    assert "backend.engine: hf" in error.value.hint
    engine = _open(adapters[0])
    with pytest.raises(BackendError, match=word):
        engine.turn_to(odd)
    _same(engine, _hf(adapters[0]))


def test_adapters_of_other_layers_need_loading_anew(base: ModelSpec, tmp_path: Path) -> None:
    few, more = (
        replace(base, adapter=str(make_adapter(base.base, tmp_path / str(len(names)), target_modules=names)))
        for names in (["q_proj", "v_proj"], ["q_proj", "v_proj", "down_proj"])
    )
    engine = _open(few)
    assert not engine.turn_to(more)
    _same(engine, _hf(few))
    assert _open(more).turn_to(few)


def test_layers_vllm_knows_by_no_such_name(
    base: ModelSpec, adapters: list[ModelSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vllm.model import Model

    monkeypatch.setattr(Model, "layers", lambda self: torch.nn.Module())
    with pytest.raises(BackendError, match="finds no layers down_proj, gate_proj"):
        _open(adapters[0])


def test_an_adapter_that_is_none(base: ModelSpec, adapters: list[ModelSpec], tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="no adapter at"):
        _open(replace(base, adapter=str(tmp_path)))
    huge = make_adapter(base.base, tmp_path / "huge", rank=513)
    with pytest.raises(BackendError, match="rank 513"):
        _open(replace(base, adapter=str(huge)))
    other = make_model(tmp_path / "other", hidden=24)
    foreign = make_adapter(other, tmp_path / "foreign")
    with pytest.raises(BackendError, match="cannot put on"):
        _open(replace(base, adapter=str(foreign)))


def test_chunks_hold_many_requests_and_run_whole(base: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = _open(base, batch_size=2)
    assert [len(chunk) for chunk in engine.batches(_requests(1) * 130)] == [64, 64, 2]
    monkeypatch.setattr(engine, "_chunk", 3)
    requests = _requests(7)
    assert engine.batches(requests[::-1]) == [[6, 5, 4], [3, 2, 1], [0]]
    whole = {c.id: c for c in engine.generate(requests)}
    sizes: list[int] = []
    run = engine._core.run
    monkeypatch.setattr(
        engine._core, "run", lambda jobs, adapter: (sizes.append(len(jobs)), run(jobs, adapter))[1]
    )
    rest = {c.id: c for c in engine.generate(requests, skip=("r0", "r1", "r2", "r4"))}
    assert sizes == [
        3,
        1,
    ]  # the first chunk is done; the second runs as it would have, though one of it is known
    assert rest == {id: c for id, c in whole.items() if id in ("r3", "r5", "r6")}


def test_a_chunk_takes_nothing_from_the_cache_of_another(
    base: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = _open(base)
    inside = engine._core._llm.llm_engine
    salts: list[str] = []
    add = inside.add_request

    def spy(id: str, prompt: Any, params: Any, **more: Any) -> str:
        salts.append(prompt["cache_salt"])
        return str(add(id, prompt, params, **more))

    monkeypatch.setattr(inside, "add_request", spy)
    monkeypatch.setattr(engine, "_chunk", 3)
    list(engine.generate(_requests(6)))
    list(engine.generate(_requests(3)))
    assert [len(set(salts[at : at + 3])) for at in (0, 3, 6)] == [1, 1, 1]
    assert len(set(salts)) == 3


def test_what_a_request_asks_for(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    inside = engine._core._llm.llm_engine
    add = inside.add_request
    monkeypatch.setattr(
        inside,
        "add_request",
        lambda id, prompt, params, **more: (asked.append(params), add(id, prompt, params, **more)),
    )
    sampling = Sampling(7, temperature=0.8, top_p=0.9, top_k=50)
    list(engine.generate([Request("r", "x", sampling, seed=2**63 + 5)]))
    list(engine.likelihood([Passage("p", "x", " y")]))
    wrote, read = asked
    assert (wrote.max_tokens, wrote.temperature, wrote.top_p, wrote.top_k, wrote.seed) == (7, 0.8, 0.9, 50, 5)
    assert wrote.stop_token_ids == [engine.tokenizer.eos_token_id]
    assert (read.max_tokens, read.temperature, read.prompt_logprobs) == (1, 0.0, 0)


def test_answers_come_as_they_end(base: ModelSpec) -> None:
    engine = _open(base)
    requests = [replace(r, sampling=Sampling(4 * (6 - n), 0.0)) for n, r in enumerate(_requests(6))]
    lengths = {r.id: r.sampling.max_tokens for r in requests}
    ids = [c.id for c in engine.generate(requests) if c.tokens == lengths[c.id]]
    assert len(ids) > 3
    assert ids == sorted(ids, reverse=True)  # the shortest first


def test_a_caller_who_asks_no_further_leaves_nothing_running(engine: Any) -> None:
    for sampling in ({}, {"stops": ("e",)}):
        answers = engine.generate(_requests(6, **sampling))
        next(answers)
        answers.close()
        assert engine._core._llm.llm_engine.engine_core.running == []
    _same(engine, engine)


def test_a_request_vllm_refuses(engine: Any) -> None:
    mixed = [*_requests(2), Request("hot", "x", Sampling(4, temperature=2.5))]
    with pytest.raises(BackendError, match=r"temperature must be in \[0, 2\]"):
        list(engine.generate(mixed))
    assert engine._core._llm.llm_engine.engine_core.running == []


def test_what_is_too_long_is_not_asked(base: ModelSpec) -> None:
    engine = _open(replace(base, context=32))
    assert engine.context == 32
    # A begin token and single digits: prompts of 6, 29, 30 ... tokens.
    requests = [
        Request(f"{n:02}", "1" * n, Sampling(50, temperature=0.0)) for n in (5, 28, 29, 30, 31, 32, 60)
    ]
    done = {c.id: c for c in engine.generate(requests)}
    sizes = dict(zip((r.id for r in requests), engine.count([r.prompt for r in requests]), strict=True))
    assert set(sizes.values()) == {6, 29, 30, 31, 32, 33, 61}
    for id, completion in done.items():
        assert (completion.finish == "too_long") == (sizes[id] >= 32)
        assert completion.tokens <= max(0, 32 - sizes[id])
    queries = [Query(r.id, r.prompt, SCORES) for r in requests]
    # " 10" is a space, 1 and 0: what follows the second has to be read.
    assert engine._choices.branches("11", SCORES).depth == 2
    assert {c.id for c in engine.score(queries) if c.mass == 0} == {
        i for i, n in sizes.items() if n + 2 >= 32
    }
    passages = [Passage(r.id, "x", r.prompt) for r in requests]
    read = {p.id: p.text_tokens for p in engine.likelihood(passages)}
    assert read["05"] > 0
    assert read["60"] == 0


def test_more_choices_than_one_request_may_ask_for(engine: Any, base: ModelSpec) -> None:
    known: dict[tuple[int, ...], str] = {}
    for a in "abcdefghijklmnopqrstuvwxyz":
        for b in ("", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"):
            known.setdefault(Tokenised(engine.tokenizer).branches("x", (a + b,)).paths[0], a + b)
    choices = tuple(known.values())[:300]
    query = [Query("q", "x", choices)]
    assert max(len(path) for path in Tokenised(engine.tokenizer).branches("x", choices).paths) > 1
    ours, theirs = next(engine.score(query)), next(_hf(base).score(query))
    assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)


def test_numbers_that_are_none_are_told(base: ModelSpec) -> None:
    engine = _open(base)
    model = engine._core._llm.llm_engine._model._versions[0]
    with torch.no_grad():
        model.get_input_embeddings().weight.fill_(float("nan"))
    with pytest.raises(BackendError, match="'q'"):
        list(engine.score([Query("q", "Score:", SCORES)]))
    with pytest.raises(BackendError, match="'p'"):
        list(engine.likelihood([Passage("p", "x", " y")]))


def test_what_vllm_is_opened_with(base: ModelSpec) -> None:
    core = sys.modules["isheep.backends.vllm_core"]
    model = replace(base, revision="abc", trust_remote_code=True)
    runtime = Runtime(tensor_parallel=4, gpu_memory=0.8)
    found = core.arguments(
        model, runtime, "bfloat16", 512, Adapter("x", 9, frozenset({"v_proj", "q_proj"}), 1)
    )
    assert found == {
        "model": base.base,
        "revision": "abc",
        "tokenizer_revision": "abc",
        "trust_remote_code": True,
        "dtype": "bfloat16",
        "max_model_len": 512,
        "seed": 0,
        "enable_prefix_caching": True,
        "tensor_parallel_size": 4,
        "gpu_memory_utilization": 0.8,
        "enable_lora": True,
        "max_loras": 1,
        "max_lora_rank": 16,
        "lora_target_modules": ["q_proj", "v_proj"],
    }
    assert "enable_lora" not in core.arguments(model, Runtime(), "bfloat16", 512, None)


def test_the_users_environment_goes_first(base: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    core = sys.modules["isheep.backends.vllm_core"]
    for name in core.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    _open(base)
    assert os.environ["VLLM_LOGGING_LEVEL"] == "DEBUG"
    assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"


def test_a_model_that_cannot_be_opened(base: ModelSpec) -> None:
    with pytest.raises(BackendError, match=r"vLLM cannot open .* World size"):
        open_engine("vllm", base, Runtime(device="cpu", tensor_parallel=2))
    with pytest.raises(BackendError, match="bitsandbytes") as error:
        _open(replace(base, load_in="4bit"))
    assert "AWQ" in error.value.hint


def test_closing_ends_vllm_and_the_last_one_its_process_groups(base: ModelSpec) -> None:
    from vllm.distributed import parallel_state

    core = sys.modules["isheep.backends.vllm_core"]
    core.Core._alive = 0  # of engines other tests have left
    one, other = _open(base), _open(base)
    inside = one._core._llm.llm_engine.engine_core
    before = parallel_state.cleaned
    one.close()
    assert inside.closed
    assert parallel_state.cleaned == before
    other.close()
    other.close()
    assert parallel_state.cleaned == before + 1


@pytest.mark.parametrize("sampling", [{}, {"stops": ("e",)}])
def test_any_seed_is_taken(engine: Any, sampling: dict[str, Any]) -> None:
    seeds = (-1, 0, 2**63 - 1, 2**64 - 2)
    requests = [
        Request(str(n), "Question: a\nAnswer:", Sampling(8, **sampling), seed) for n, seed in enumerate(seeds)
    ]
    assert len({c.text for c in engine.generate(requests)}) > 2
