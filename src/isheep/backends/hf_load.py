"""Loading a causal LM, its tokenizer and an adapter.

Knows: devices, number types, fewer bits, what a config tells. Does not know what the model is loaded for.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.hf_trouble import check_folder, explain, too_large
from isheep.backends.names import unknown
from isheep.errors import BackendError, MissingExtraError

#: dtype names a recipe may give; "auto" is settled by the device.
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

NO_BITSANDBYTES = "model.load_in needs the package 'bitsandbytes', which is not installed"

#: The context of a model whose config names none.
NO_LIMIT = 2**31

#: Heads that are loaded by AutoModelForCausalLM but cannot write text.
_NOT_CAUSAL = ("MaskedLM", "Classification", "QuestionAnswering", "PreTraining", "NextSentence")


def pick_device(name: str) -> torch.device:
    """The device asked for; "auto" takes CUDA, then Apple's MPS, then the CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise unknown("device", name, ["auto", "cpu", "cuda", "mps"]) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BackendError(
            f"device {name!r} was asked for, but torch sees no CUDA", "set runtime.device: auto"
        )
    return device


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """The number type asked for; "auto" is bfloat16 on a GPU that has it, float32 on the CPU."""
    if name != "auto":
        if name not in DTYPES:
            raise unknown("dtype", name, ["auto", *DTYPES])
        return DTYPES[name]
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def prepare(runtime: Runtime) -> torch.device:
    """Settle threads, device and the libraries' chatter for this process."""
    if runtime.threads:
        torch.set_num_threads(runtime.threads)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    # What these libraries deprecate in one another is nothing a user can act on.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|peft|trl|accelerate)\b")
    # At every layer: that 8-bit weights are multiplied in float16.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    return pick_device(runtime.device)


def describe_device(device: torch.device, model: Any = None) -> str:
    """What a manifest says of the device: its kind (and number, where one was asked for), its name or its threads.

    A `model` that is spread over several is described by how many there are: "2 x cuda: NVIDIA H200".
    """
    if device.type == "cuda":
        several = len(set(getattr(model, "hf_device_map", {"": device}).values()))
        return f"{several} x " * (several > 1) + f"{device}: {torch.cuda.get_device_name(device)}"
    return f"cpu: {torch.get_num_threads()} threads" if device.type == "cpu" else device.type


def load_tokenizer(model: ModelSpec) -> Any:
    """The tokenizer of the base model, padding on the left, with a pad token in any case (only its mask matters)."""
    check_folder(model.base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(model.base, **_where(model))
    except Exception as error:
        raise explain(model, error, "tokenizer") from error
    if len(tokenizer) == 0:
        raise BackendError(
            f"{model.base} has no tokenizer",
            "save one next to the weights: tokenizer.save_pretrained(FOLDER)",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
    tokenizer.padding_side = "left"
    return tokenizer


def spread(runtime: Runtime, device: torch.device) -> str | None:
    """The `device_map` of a model that is to be laid over all GPUs, layer by layer; None on anything but a GPU."""
    return "auto" if runtime.device_map and device.type == "cuda" else None


def load_model(
    model: ModelSpec,
    device: torch.device,
    dtype: torch.dtype,
    device_map: str | dict[str, str] | None = None,
    place: bool = True,
) -> Any:
    """The base model without adapter, in eval mode, in fewer bits where the spec says so.

    `device_map` as in transformers; None: all of it on `device`. `place` False: where transformers leaves it, for a
    training that shares the model out by itself.
    """
    if model.load_in and device_map is None:
        device_map = {"": str(device)}  # quantised weights are made where they are to lie
    config = load_config(model)
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            model.base,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            device_map=device_map,
            quantization_config=_fewer_bits(model, dtype),
            **_where(model),
        )
    except MissingExtraError:
        raise
    except torch.OutOfMemoryError as error:
        raise too_large(model, device) from error
    except Exception as error:
        if "dispatched on the CPU" in str(
            error
        ):  # transformers' word for quantised weights that find no room
            raise too_large(model, device) from error
        raise explain(model, error, "model") from error
    if device_map == "auto" and {"cpu", "disk"} & set(getattr(loaded, "hf_device_map", {}).values()):
        raise too_large(model, device)  # no adapter can be put on weights that are fetched for each use
    return (loaded.to(device) if place and device_map is None else loaded).eval()


def load_embeddings(model: ModelSpec) -> Any:
    """The base model without its layers, on the CPU: what it knows of its tokens, at little cost in time and memory."""
    config = load_config(model)
    config.get_text_config().num_hidden_layers = 0
    try:
        return AutoModelForCausalLM.from_pretrained(
            model.base, config=config, dtype="auto", use_safetensors=True, **_where(model)
        )
    except Exception as error:
        raise explain(model, error, "model") from error


def load_config(model: ModelSpec) -> Any:
    """What the base model's files say of it. Raises BackendError when it cannot write text."""
    check_folder(model.base)
    try:
        config = AutoConfig.from_pretrained(model.base, **_where(model))
    except Exception as error:
        raise explain(model, error, "model") from error
    heads = [a for a in config.architectures or () if any(word in a for word in _NOT_CAUSAL)]
    if heads or config.is_encoder_decoder:
        raise BackendError(
            f"{model.base} is not a causal language model ({', '.join(heads) or config.model_type})",
            "choose a decoder-only model, one that AutoModelForCausalLM is made for",
        )
    return config


def size(model: ModelSpec) -> int:
    """Parameters of the base model, shared ones once; no weight is loaded."""
    config = load_config(model)
    try:
        with torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(config, trust_remote_code=model.trust_remote_code)
    except Exception as error:
        raise explain(model, error, "model") from error
    return int(empty.num_parameters())


def _fewer_bits(model: ModelSpec, dtype: torch.dtype) -> BitsAndBytesConfig | None:
    """LLM.int8 (Dettmers et al. 2022) or NF4 with double quantisation (QLoRA, Dettmers et al. 2023)."""
    if not model.load_in:
        return None
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtraError(NO_BITSANDBYTES, "pip install 'isheep[quant]'")
    if model.load_in == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def add_adapter(base: Any, model: ModelSpec, trainable: bool = False, exact: bool = True) -> Any:
    """The base with its adapter on top. In float32 it is merged in memory (exact enough, and faster).

    Into weights of fewer bits, or such as lie on the disk, it is not merged. `exact`: the adapter is float32 whatever
    the base; else of the base's number type.
    """
    if model.adapter is None:
        return base
    from peft import PeftModel

    if not (Path(model.adapter) / "adapter_config.json").is_file():
        raise BackendError(f"no adapter at {model.adapter}", "the folder must hold adapter_config.json")
    try:
        adapted = PeftModel.from_pretrained(
            base, model.adapter, is_trainable=trainable, autocast_adapter_dtype=exact
        )
    except Exception as error:
        raise BackendError(
            f"the adapter {model.adapter} cannot be put on {model.base}: {error}",
            "an adapter fits only the base model it was trained on",
        ) from error
    if trainable:
        return adapted
    whole = not getattr(base, "is_quantized", False) and not any(p.is_meta for p in base.parameters())
    return (adapted.merge_and_unload() if whole and base.dtype == torch.float32 else adapted).eval()


def count_parameters(model: Any) -> int:
    """Parameters of a loaded model, its adapter's too; shared ones once, packed ones (of 4 bits) each."""
    return int(model.num_parameters())


def input_device(model: Any) -> torch.device:
    """Where token ids must lie. A model spread over devices takes them where its first layer runs."""
    embedding = model.get_input_embeddings()
    hook = getattr(embedding, "_hf_hook", None)
    where = getattr(hook, "execution_device", None)
    return torch.device(where) if where is not None else embedding.weight.device


def context_length(config: Any, model: ModelSpec) -> int:
    """How many tokens the model can hold, prompt and answer together; fewer where the spec wants that."""
    limit = getattr(config.get_text_config(), "max_position_embeddings", None) or NO_LIMIT
    return min(int(limit), model.context or NO_LIMIT)


def _where(model: ModelSpec) -> dict[str, Any]:
    return {"revision": model.revision, "trust_remote_code": model.trust_remote_code}
