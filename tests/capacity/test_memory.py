"""Memory: what autograd keeps is measured here on a CPU; the rest is arithmetic that must move the right way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from transformers import Qwen2Config, Qwen2ForCausalLM

from isheep.capacity.memory import (
    activations,
    cache,
    gib,
    layer_activations,
    serving,
    told,
    training,
    weights,
)
from isheep.capacity.shape import SHAPES, Shape

SEVEN = SHAPES["Qwen/Qwen1.5-7B"]
TOKENS = 64


def kept(shape: Shape, layers: int, dropout: float, recompute: bool = False) -> int:
    """Bytes autograd saves in a forward pass of a model with an adapter, without its parameters."""
    config = Qwen2Config(
        hidden_size=shape.hidden, intermediate_size=shape.inner, num_hidden_layers=layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads, vocab_size=shape.vocab,
    )  # fmt: skip
    lora = LoraConfig(r=2, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM")
    model: Any = get_peft_model(Qwen2ForCausalLM(config).to(torch.bfloat16), lora)
    model.train()
    model.enable_input_require_grads()
    if recompute:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    saved: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    tokens = torch.zeros(1, TOKENS, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), torch.autocast("cpu", torch.bfloat16):
        model(input_ids=tokens, labels=tokens)
    return sum(t.untyped_storage().nbytes() for at, t in saved.items() if at not in own)


@pytest.mark.parametrize("dropout", [0.0, 0.05])
@pytest.mark.parametrize(("hidden", "inner", "kv_heads"), [(256, 688, 8), (256, 1024, 2), (384, 1024, 4)])
def test_activations_are_what_autograd_keeps(hidden: int, inner: int, kv_heads: int, dropout: float) -> None:
    shape = Shape(hidden, inner, 2, 8, kv_heads, 256)
    one = (kept(shape, 4, dropout) - kept(shape, 2, dropout)) / 2 / TOKENS
    assert layer_activations(shape, dropout > 0) == pytest.approx(one, rel=0.1)


def test_recomputing_keeps_the_inputs_of_layers() -> None:
    shape = Shape(256, 688, 4, 8, 8, 256)
    one = (kept(shape, 6, 0.05, recompute=True) - kept(shape, 2, 0.05, recompute=True)) / 4 / TOKENS
    more = activations(shape, 1, recompute=True) - layer_activations(shape, True)
    assert more / shape.layers == pytest.approx(one, rel=0.05)


def test_weights() -> None:
    assert gib(weights(SEVEN, "16bit")) == pytest.approx(14.4, abs=0.05)
    assert weights(SEVEN, "32bit") == 2 * weights(SEVEN, "16bit")
    tables = 2 * 151936 * 4096 * 2
    for bits, each in (("8bit", 1.0), ("4bit", 0.5625)):
        rest = weights(SEVEN, bits) - each * SEVEN.quantised
        assert rest == pytest.approx(tables, rel=0.01), "embeddings and head stay in 16 bits"


def test_a_cache_is_split_by_heads() -> None:
    grouped = SHAPES["meta-llama/Llama-3.1-8B"]
    assert cache(grouped, 1000) == 1000 * 2 * 2 * 32 * 8 * 128
    assert cache(grouped, 1000, 4) == cache(grouped, 1000) / 4
    assert cache(grouped, 1000, 16) == cache(grouped, 1000, 8), "no half of a head"


def test_the_arithmetic_is_told() -> None:
    parts = {"weights": 2.0 * 2**30, "KV cache": 1.0, "overhead": 1.5 * 2**30}
    assert told(parts) == "weights 2.0 + overhead 1.5 = 3.5 GiB"


@given(
    shards=st.sampled_from([1, 2, 4, 8]), tokens=st.integers(1, 4096), kind=st.sampled_from(["32bit", "16bit"]),
    recompute=st.booleans(),
)  # fmt: skip
def test_training_moves_the_right_way(shards: int, tokens: int, kind: str, recompute: bool) -> None:
    def need(shards: int, tokens: int, recompute: bool = recompute) -> float:
        return sum(training(SEVEN, kind, shards, tokens, SEVEN.adapter(8), recompute).values())

    assert need(shards, tokens + 1) > need(shards, tokens)
    assert need(2 * max(2, shards), tokens) < need(max(2, shards), tokens)
    assert need(shards, tokens, True) <= need(shards, tokens, False) * 1.01
    offloaded = training(SEVEN, kind, 1, tokens, SEVEN.adapter(8), recompute, offload=True)
    assert offloaded["weights"] == offloaded["adapter"] == 0 < offloaded["gathered"]


@given(texts=st.integers(1, 256), tokens=st.integers(2, 4000), gpus=st.sampled_from([1, 2, 4, 8]))
def test_serving_moves_the_right_way(texts: int, tokens: int, gpus: int) -> None:
    for engine in ("hf", "vllm"):
        parts = serving(SEVEN, "16bit", engine, gpus, texts, tokens, tokens / 2)
        assert min(parts.values()) >= 0
        more = serving(SEVEN, "16bit", engine, gpus, texts + 1, tokens, tokens / 2)
        assert sum(more.values()) > sum(parts.values())
        assert serving(SEVEN, "16bit", engine, 8, texts, tokens, 1)["weights"] == weights(SEVEN, "16bit") / 8
