"""The decode loop against `model.generate`, token for token, and the batch machinery around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from isheep.backends.base import ModelSpec, Request, Runtime, Sampling
from isheep.backends.hf import HFEngine
from isheep.backends.hf_batches import Halving, plan
from isheep.backends.hf_decode import Runner
from isheep.errors import BackendError
from tiny_models import make_model

SHARED = list(range(40, 64))
PROMPTS = [[*range(10, 10 + n)] for n in (3, 9, 1, 14, 6)] + [[70, 71], [72]]


@pytest.fixture(scope="module", params=["llama", "qwen2"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoModelForCausalLM

    folder = make_model(tmp_path_factory.mktemp(request.param), request.param, tied=False)
    return AutoModelForCausalLM.from_pretrained(folder).eval()


def _generate(model: Any, rows: Sequence[list[int]], count: int) -> list[list[int]]:
    """What transformers itself writes, row by row, greedy, never stopping."""
    from transformers import GenerationConfig

    settings = GenerationConfig(max_new_tokens=count, do_sample=False, pad_token_id=1, eos_token_id=None)
    return [
        model.generate(
            torch.tensor([row]), attention_mask=torch.ones(1, len(row)), generation_config=settings
        )[0, len(row) :].tolist()
        for row in rows
    ]


def _greedy(logits: torch.Tensor, alive: torch.Tensor, step: int) -> torch.Tensor:
    return logits.argmax(-1)


@pytest.mark.parametrize("shared", [[], SHARED])
def test_equals_generate_when_greedy(model: Any, shared: list[int]) -> None:
    rows = [[*shared, *row] for row in PROMPTS]
    wanted = _generate(model, rows, 20)
    with torch.inference_mode():
        assert Runner(model, 1).decode(rows, [20] * len(rows), _greedy, lambda row, written: False) == wanted


def test_rows_leave_when_they_are_done(model: Any) -> None:
    wanted = _generate(model, PROMPTS, 20)
    limits = [20, 3, 20, 1, 11, 20, 5]
    seen: list[int] = []

    def draw(logits: torch.Tensor, alive: torch.Tensor, step: int) -> torch.Tensor:
        seen.append(len(alive))
        return logits.argmax(-1)

    with torch.inference_mode():
        written = Runner(model, 1).decode(PROMPTS, limits, draw, lambda row, w: row == 2 and len(w) == 8)
    ends = [20, 3, 8, 1, 11, 20, 5]
    assert written == [row[:end] for row, end in zip(wanted, ends, strict=True)]
    assert sum(seen) == sum(ends)


def test_a_shared_beginning_changes_no_probability(model: Any) -> None:
    rows = [[*SHARED, *row] for row in PROMPTS]
    runner = Runner(model, 1)
    with torch.inference_mode():
        together = runner.prefill(rows, keep=2).logits
        for row, got in zip(rows, together, strict=True):
            assert torch.allclose(runner.prefill([row], keep=2).logits[0], got, atol=2e-4)


def test_equal_prompts_are_computed_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [PROMPTS[0], PROMPTS[1], PROMPTS[0], PROMPTS[2], PROMPTS[1]]
    runner = Runner(model, 1)
    alone = [runner.decode([row], [9], _greedy, lambda row, tokens: False)[0] for row in rows]
    read: list[int] = []
    forward = runner._forward

    def counted(ids: torch.Tensor, *rest: Any) -> torch.Tensor:
        read.append(len(ids))
        return forward(ids, *rest)

    monkeypatch.setattr(runner, "_forward", counted)
    limits = [9, 4, 7, 9, 2]
    with torch.inference_mode():
        written = runner.decode(rows, limits, _greedy, lambda row, tokens: False)
    assert written == [tokens[:limit] for tokens, limit in zip(alone, limits, strict=True)]
    assert read[:2] == [3, 5], "three prompts, then five texts"


def test_plan_sorts_by_length_then_prompt_then_id() -> None:
    rows = [[1] * 5, [2], [3] * 5, [4] * 3, [1] * 5]
    assert plan(rows, ["b", "x", "a", "c", "a"], 2) == [[1, 3], [4, 0], [2]]


def test_plan_keeps_prompts_that_begin_alike_together() -> None:
    one, two = list(range(20)), list(range(50, 70))
    rows = [[*one, 1, 2], [*two, 1], [*one, 1], [*two, 1, 2], [9]]
    assert plan(rows, list("abcde"), 2) == [[4, 2], [1, 0], [3]]
    assert plan(rows, list("abcde"), 3) == [[4, 2, 1], [0, 3]], "too few to fill a batch: by length alone"


def test_a_batch_that_does_not_fit_is_halved() -> None:
    sizes: list[int] = []

    def work(part: Sequence[int]) -> list[int]:
        sizes.append(len(part))
        if len(part) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [n * 10 for n in part]

    halving = Halving()
    assert list(halving.run(list(range(8)), work)) == [n * 10 for n in range(8)]
    assert sizes == [8, 4, 2, 2, 2, 2]
    assert list(halving.run(list(range(4)), work)) == [0, 10, 20, 30]
    assert sizes[6:] == [2, 2]


def test_a_single_prompt_that_does_not_fit_is_an_error() -> None:
    def work(part: Sequence[int]) -> list[int]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(BackendError, match="out of memory"):
        list(Halving().run([1, 2], work))


def test_other_errors_are_not_swallowed() -> None:
    def work(part: Sequence[int]) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        list(Halving().run([1, 2], work))


def test_the_engine_survives_running_out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = HFEngine(ModelSpec(str(make_model(tmp_path))), Runtime(batch_size=8, device="cpu", threads=1))
    requests = [Request(str(n), f"Question: {n}\nAnswer:", Sampling(6), n) for n in range(10)]
    wanted = sorted(engine.generate(requests), key=lambda c: c.id)
    decode = Runner.decode

    def small(self: Runner, rows: Sequence[list[int]], *rest: Any) -> list[list[int]]:
        if len(rows) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(self, rows, *rest)

    monkeypatch.setattr(Runner, "decode", small)
    assert sorted(engine.generate(requests), key=lambda c: c.id) == wanted


def test_an_end_token_among_the_stops_ends_the_turn(tmp_path: Path) -> None:
    engine = HFEngine(ModelSpec(str(make_model(tmp_path, template=True))), Runtime(device="cpu", threads=1))
    requests = [Request(str(n), "Question: a\nAnswer:", Sampling(40), n) for n in range(40)]
    free = {c.id: c for c in engine.generate(requests)}
    tokenizer = engine.tokenizer
    stop = tokenizer.convert_ids_to_tokens(tokenizer.get_added_vocab()["<|im_end|>"])
    stopped = list(
        engine.generate([replace(r, sampling=replace(r.sampling, stops=(stop,))) for r in requests])
    )
    ended = [c for c in stopped if c.ended and not free[c.id].ended]
    assert ended, "the stop token turned up in none of 40 random texts"
    for completion in ended:
        assert completion.finish == "stop"
        assert stop not in completion.text
        assert free[completion.id].text.startswith(completion.text)
        assert completion.tokens < free[completion.id].tokens
