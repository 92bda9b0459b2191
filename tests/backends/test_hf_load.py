"""Every way a model can fail to load ends in a sentence and a next step."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from isheep.backends import hf_load, obstacles, open_engine
from isheep.backends.base import ModelSpec, Passage, Query, Request, Runtime, Sampling
from isheep.backends.hf import HFEngine
from isheep.errors import BackendError, MissingExtraError, RecipeError
from tiny_models import make_model, make_tokenizer

CPU = torch.device("cpu")


def _load(base: Path | str, **options: Any) -> Any:
    return hf_load.load_model(ModelSpec(str(base), **options), CPU, torch.float32)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="no model folder at"):
        _load(tmp_path / "nowhere")


def test_folder_without_config(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"no config\.json"):
        _load(tmp_path)


def test_hub_that_cannot_be_reached() -> None:
    with pytest.raises(BackendError, match="hub cannot be reached") as caught:
        _load("nobody/nothing")
    assert "local folder" in caught.value.hint


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]},
            "not a causal language model",
        ),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "not a causal language model"),
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "no readable safetensors"),
        ({"model_type": "no_such_thing"}, "cannot be loaded"),
    ],
)
def test_folder_that_is_no_model(tmp_path: Path, config: dict[str, Any], words: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendError, match=words) as caught:
        _load(tmp_path)
    assert caught.value.hint


def test_no_tokenizer(tmp_path: Path) -> None:
    make_model(tmp_path)
    for file in tmp_path.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(BackendError, match="no tokenizer"):
        hf_load.load_tokenizer(ModelSpec(str(tmp_path)))


def test_there_is_always_a_pad_token(tmp_path: Path) -> None:
    make_tokenizer(pad=None).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    tokenizer = hf_load.load_tokenizer(ModelSpec(str(tmp_path)))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    assert tokenizer.padding_side == "left"


def test_missing_adapter(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    with pytest.raises(BackendError, match="no adapter at"):
        hf_load.add_adapter(_load(base), ModelSpec(str(base), adapter=str(tmp_path)))


def test_names_of_devices_and_dtypes() -> None:
    assert hf_load.pick_dtype("auto", CPU) is torch.float32
    assert hf_load.pick_dtype("bfloat16", CPU) is torch.bfloat16
    with pytest.raises(RecipeError, match="unknown dtype"):
        hf_load.pick_dtype("float33", CPU)
    with pytest.raises(RecipeError, match="unknown device"):
        hf_load.pick_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(BackendError, match="no CUDA"):
            hf_load.pick_device("cuda")


def test_a_prompt_that_does_not_fit_is_refused_and_max_tokens_is_clipped(tmp_path: Path) -> None:
    engine = open_engine("hf", ModelSpec(str(make_model(tmp_path, context=32))), Runtime(device="cpu"))
    assert engine.context == 32
    long = "x y z " * 10
    assert engine.count(["x", "x y"]) == [1, 3]
    (done,) = engine.generate([Request("fits", "x y", Sampling(500, 0.0))])
    assert done.prompt_tokens + done.tokens <= 32
    (refused,) = engine.generate([Request("too long", long, Sampling(5))])
    assert (refused.text, refused.finish, refused.tokens) == ("", "too_long", 0)
    (unread,) = engine.score([Query("too long", long, ("1", "10"))])
    assert unread.mass == 0.0
    assert sum(unread.probabilities) == pytest.approx(1)


def test_a_context_that_is_to_be_shorter(tmp_path: Path) -> None:
    base = make_model(tmp_path, context=64)
    assert open_engine("hf", ModelSpec(str(base), context=32), Runtime(device="cpu")).context == 32
    assert open_engine("hf", ModelSpec(str(base), context=999), Runtime(device="cpu")).context == 64


@pytest.mark.parametrize("arch", ["llama", "qwen2"])
@pytest.mark.parametrize("tied", [True, False])
def test_what_is_known_without_loading_the_layers(tmp_path: Path, arch: str, tied: bool) -> None:
    base = make_model(tmp_path, arch, tied=tied)
    whole, bare = _load(base), hf_load.load_embeddings(ModelSpec(str(base)))
    assert hf_load.size(ModelSpec(str(base))) == hf_load.count_parameters(whole)
    assert hf_load.count_parameters(bare) < hf_load.count_parameters(whole) / 2
    for name in ("get_input_embeddings", "get_output_embeddings"):
        assert torch.equal(getattr(whole, name)().weight, getattr(bare, name)().weight)


#: Where a model's parts may lie: all on the disk, or one layer of two.
MAPS = {
    "disk": {"": "disk"},
    "half": {
        "model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.layers.1": "disk", "model.norm": "disk",
        "model.rotary_emb": "cpu", "lm_head": "cpu",
    },
}  # fmt: skip


@pytest.mark.parametrize("where", list(MAPS))
def test_a_model_spread_over_devices_does_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    model = ModelSpec(str(make_model(tmp_path, tied=False)))
    plain = HFEngine(model, Runtime(device="cpu"))
    monkeypatch.setattr(hf_load, "spread", lambda runtime, device: MAPS[where])
    spread = HFEngine(model, Runtime(device="cpu"))
    assert spread.model.hf_device_map == MAPS[where]
    requests = [Request(str(n), "x y " * n, Sampling(8), seed=n) for n in range(1, 6)]
    queries = [Query(str(n), "x " * n, ("1", "10")) for n in range(1, 6)]
    passages = [Passage(str(n), "x " * n, "y") for n in range(1, 6)]
    assert list(spread.generate(requests)) == list(plain.generate(requests))
    for one, other in zip(spread.score(queries), plain.score(queries), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, rel=1e-4)
    for read, expected in zip(spread.likelihood(passages), plain.likelihood(passages), strict=True):
        assert read.text_loglik == pytest.approx(expected.text_loglik, rel=1e-4)


def test_a_model_that_all_gpus_together_cannot_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers would put the rest into memory or on the disk, where no adapter can be put on it."""
    load = transformers.AutoModelForCausalLM.from_pretrained

    def with_too_little_room(*args: Any, device_map: str, **kwargs: Any) -> Any:
        assert device_map == "auto"
        return load(*args, device_map={"": "disk"}, **kwargs)

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", with_too_little_room)
    spec = ModelSpec(str(make_model(tmp_path)))
    with pytest.raises(BackendError, match="does not fit"):
        hf_load.load_model(spec, CPU, torch.float32, device_map="auto")


def test_spreading_is_for_gpus() -> None:
    both = Runtime(device_map=True)
    assert hf_load.spread(both, torch.device("cuda")) == "auto"
    assert hf_load.spread(both, CPU) is None
    assert hf_load.spread(Runtime(), torch.device("cuda")) is None


def _adapter(base: Path, folder: Path) -> str:
    """An adapter that changes the model."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(_load(base), config).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(("bits", "close"), [("8bit", 0.99), ("4bit", 0.7)])
def test_fewer_bits(tmp_path: Path, bits: Any, close: float) -> None:
    layer = pytest.importorskip("bitsandbytes").nn.modules
    base = make_model(tmp_path / "base", hidden=64)
    adapter = _adapter(base, tmp_path / "adapter")
    ids = torch.arange(20, 60).unsqueeze(0)
    for spec in (ModelSpec(str(base)), ModelSpec(str(base), adapter=adapter)):
        whole = hf_load.add_adapter(_load(base), spec)
        packed = hf_load.add_adapter(_load(base, load_in=bits), spec)
        kind = layer.Linear8bitLt if bits == "8bit" else layer.Linear4bit
        assert sum(isinstance(module, kind) for module in packed.modules()) == 14
        with torch.no_grad():
            one, other = whole(ids).logits, packed(ids).logits
        # NF4's blocks of 64 weights are coarse for a random model of this size; lamb's are closer.
        assert torch.cosine_similarity(one.flatten(), other.flatten(), dim=0) > close
        assert not torch.equal(one, other)
        # Merged into float32 weights, kept beside those of fewer bits.
        extra = 0 if spec.adapter is None else hf_load.count_parameters(packed) - hf_load.size(spec)
        assert (extra > 0) == (spec.adapter is not None)
        assert (
            hf_load.count_parameters(packed) - extra == hf_load.count_parameters(whole) == hf_load.size(spec)
        )


def test_an_engine_in_four_bits_writes_and_scores(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    base = make_model(tmp_path, hidden=64)
    engine = open_engine("hf", ModelSpec(str(base), load_in="4bit"), Runtime(device="cpu"))
    requests = [Request(str(n), "x y " * n, Sampling(8), seed=n) for n in range(1, 5)]
    texts = list(engine.generate(requests))
    assert texts == list(engine.generate(requests))
    assert engine.parameters == hf_load.size(ModelSpec(str(base)))
    (choice,) = engine.score([Query("q", "x", ("1", "10"))])
    assert 0 < choice.mass < 1


def test_fewer_bits_without_their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "bitsandbytes" else find(name, *a)
    )
    spec = ModelSpec(str(make_model(tmp_path)), load_in="4bit")
    with pytest.raises(MissingExtraError, match="bitsandbytes") as caught:
        hf_load.load_model(spec, CPU, torch.float32)
    assert "isheep[quant]" in caught.value.hint
    for what, kind in (("engine", "hf"), ("trainer", "trl"), ("examiner", "lm_eval")):
        assert any("isheep[quant]" in found for found in obstacles(what, kind, spec, Runtime(), {"train"}))
        plain = replace(spec, load_in="")
        assert not any("quant" in found for found in obstacles(what, kind, plain, Runtime(), {"train"}))
