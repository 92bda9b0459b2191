"""Shapes against the libraries that build such models: parameters, cache and adapter, counted in the real thing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

from isheep.capacity.shape import SHAPES, Shape, from_config, like, shape_of
from isheep.errors import RecipeError
from isheep.files import LAMB_MODEL

#: As the hub tells them (the total in each model's safetensors index).
PUBLISHED = {
    "Qwen/Qwen1.5-1.8B": 1_836_828_672, "Qwen/Qwen1.5-4B": 3_950_369_280, "Qwen/Qwen1.5-7B": 7_721_324_544,
    "Qwen/Qwen1.5-14B": 14_167_290_880, "Qwen/Qwen1.5-32B": 32_512_218_112, "Qwen/Qwen1.5-72B": 72_287_920_128,
    "Qwen/Qwen2.5-0.5B": 494_032_768, "Qwen/Qwen2.5-1.5B": 1_543_714_304, "Qwen/Qwen2.5-3B": 3_085_938_688,
    "Qwen/Qwen2.5-7B": 7_615_616_512, "Qwen/Qwen2.5-14B": 14_770_033_664, "Qwen/Qwen2.5-32B": 32_763_876_352,
    "Qwen/Qwen2.5-72B": 72_706_203_648, "Qwen/Qwen3-4B-Base": 4_022_468_096, "Qwen/Qwen3-8B-Base": 8_190_735_360,
    "Qwen/Qwen3-14B-Base": 14_768_307_200, "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "meta-llama/Llama-2-13b-hf": 13_015_864_320, "meta-llama/Llama-2-70b-hf": 68_976_648_192,
    "meta-llama/Meta-Llama-3-8B": 8_030_261_248, "meta-llama/Meta-Llama-3-70B": 70_553_706_496,
    "meta-llama/Llama-3.2-1B": 1_235_814_400, "meta-llama/Llama-3.2-3B": 3_212_749_824,
    "mistralai/Mistral-7B-v0.1": 7_241_732_096, "mistralai/Mistral-7B-v0.3": 7_248_023_552,
}  # fmt: skip
KINDS = {"qwen2": Qwen2Config, "qwen3": Qwen3Config, "llama": LlamaConfig, "mistral": MistralConfig}


def config(kind: str, shape: Shape) -> Any:
    more = {"head_dim": shape.head_dim} if shape.head_dim else {}
    return KINDS[kind](
        hidden_size=shape.hidden, intermediate_size=shape.inner, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads, vocab_size=shape.vocab,
        tie_word_embeddings=shape.tied, **more,
    )  # fmt: skip


def test_published_counts() -> None:
    for name, count in PUBLISHED.items():
        assert SHAPES[name].parameters == count, name


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("qwen2", "Qwen/Qwen1.5-1.8B"),
        ("qwen2", "Qwen/Qwen2.5-0.5B"),
        ("qwen3", "Qwen/Qwen3-0.6B-Base"),
        ("llama", "meta-llama/Llama-3.2-1B"),
        ("mistral", "mistralai/Mistral-7B-v0.1"),
    ],
)
def test_counts_are_those_of_the_model_itself(kind: str, name: str) -> None:
    shape = SHAPES[name]
    made = config(kind, shape)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(made)
    assert shape.parameters == model.num_parameters()
    names = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    matrices = [m.weight for n, m in model.named_modules() if n.endswith(names)]
    assert shape.quantised == sum(w.numel() for w in matrices)
    assert from_config(made.to_dict()) == shape


SMALL = [
    ("qwen2", Shape(64, 96, 2, 4, 2, 128, biases=True)),
    ("qwen3", Shape(64, 96, 3, 4, 2, 128, True, 32, False, True)),
]


@pytest.mark.parametrize(("kind", "shape"), SMALL)
def test_cache_and_adapter_are_those_of_the_model_itself(kind: str, shape: Shape) -> None:
    model = AutoModelForCausalLM.from_config(config(kind, shape)).to(torch.bfloat16)
    cache = model(input_ids=torch.zeros(1, 5, dtype=torch.long), use_cache=True).past_key_values
    kept = sum(t.nbytes for layer in cache.layers for t in (layer.keys, layer.values))
    assert kept == 5 * shape.cache_bytes
    for targets in ("all-linear", ["q_proj", "down_proj"]):
        made = AutoModelForCausalLM.from_config(config(kind, shape))
        lora = get_peft_model(made, LoraConfig(r=3, target_modules=targets, task_type="CAUSAL_LM"))
        trained = sum(p.numel() for p in lora.parameters() if p.requires_grad)
        assert shape.adapter(3, targets) == trained


def test_the_embedded_model() -> None:
    shape = shape_of("lamb")
    assert shape is not None
    assert shape.exact
    with safe_open(LAMB_MODEL / "model.safetensors", "pt") as weights:
        assert shape.parameters == sum(weights.get_tensor(name).numel() for name in weights.keys())  # noqa: SIM118


def test_names() -> None:
    assert shape_of("Qwen/Qwen2.5-7B-Instruct") == shape_of("qwen/qwen2.5-7b") == SHAPES["Qwen/Qwen2.5-7B"]
    assert shape_of("Qwen/Qwen3-8B") == SHAPES["Qwen/Qwen3-8B-Base"]
    assert shape_of("meta-llama/Llama-2-7b-chat-hf") == SHAPES["meta-llama/Llama-2-7b-hf"]
    assert shape_of("somebody/else") is None


@pytest.mark.parametrize("key", ["num_local_experts", "num_experts", "n_routed_experts"])
def test_experts_are_refused_in_words(tmp_path: Path, key: str) -> None:
    plain = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, key: 8}
    (tmp_path / "config.json").write_text(json.dumps(plain))
    with pytest.raises(RecipeError, match="mixture of experts"):
        shape_of(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({**plain, key: 1}))
    assert shape_of(str(tmp_path)) is not None


def test_what_is_not_counted_exactly_says_so(tmp_path: Path) -> None:
    plain = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "model_type": "llama"}
    assert from_config(plain).exact
    assert not from_config({**plain, "model_type": "gemma3_text"}).exact
    assert not from_config({**plain, "attention_bias": True}).exact


@given(st.floats(1e7, 1e12))
def test_a_model_of_that_size(parameters: float) -> None:
    made = like(parameters)
    assert made.parameters == round(parameters)
    assert not made.exact
    assert made.quantised <= made.parameters
    assert made.kv_heads <= made.heads
    # Its layers hold about as much as is asked for; a small one is mostly its embeddings.
    if parameters > 1e9:
        assert 0.4 < made.layers * made.layer_parameters / parameters < 1.7
