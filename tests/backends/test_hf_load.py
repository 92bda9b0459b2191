"""Every way a model can fail to load ends in a sentence and a next step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from isheep.backends import hf_load, open_engine
from isheep.backends.base import ModelSpec, Query, Request, Runtime, Sampling
from isheep.errors import BackendError, RecipeError
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
