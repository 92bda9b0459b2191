"""Loading a causal LM, its tokenizer and an adapter; and saying what is wrong when that fails.

Knows: devices, number types, where transformers looks. Does not know what the model is loaded for.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.names import unknown
from isheep.errors import BackendError

#: dtype names a recipe may give; "auto" is settled by the device.
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

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
    return pick_device(runtime.device)


def describe_device(device: torch.device) -> str:
    """What a manifest says of the device: its kind (and number, where one was asked for), its name or its threads."""
    if device.type == "cuda":
        return f"{device}: {torch.cuda.get_device_name(device)}"
    return f"cpu: {torch.get_num_threads()} threads" if device.type == "cpu" else device.type


def load_tokenizer(model: ModelSpec) -> Any:
    """The tokenizer of the base model, padding on the left, with a pad token in any case (only its mask matters)."""
    _check_folder(model.base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(model.base, **_where(model))
    except Exception as error:
        raise _explain(model, error, "tokenizer") from error
    if len(tokenizer) == 0:
        raise BackendError(
            f"{model.base} has no tokenizer",
            "save one next to the weights: tokenizer.save_pretrained(FOLDER)",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
    tokenizer.padding_side = "left"
    return tokenizer


def load_model(model: ModelSpec, device: torch.device, dtype: torch.dtype) -> Any:
    """The base model without adapter, in eval mode."""
    _check_folder(model.base)
    try:
        config = AutoConfig.from_pretrained(model.base, **_where(model))
        heads = [a for a in config.architectures or () if any(word in a for word in _NOT_CAUSAL)]
        if heads or config.is_encoder_decoder:
            raise BackendError(
                f"{model.base} is not a causal language model ({', '.join(heads) or config.model_type})",
                "choose a decoder-only model, one that AutoModelForCausalLM is made for",
            )
        loaded = AutoModelForCausalLM.from_pretrained(
            model.base, config=config, dtype=dtype, use_safetensors=True, **_where(model)
        )
    except BackendError:
        raise
    except torch.OutOfMemoryError as error:
        raise BackendError(
            f"{model.base} does not fit into the memory of {device}", "choose a smaller model or device"
        ) from error
    except Exception as error:
        raise _explain(model, error, "model") from error
    return loaded.to(device).eval()


def add_adapter(base: Any, model: ModelSpec, trainable: bool = False) -> Any:
    """The base with its adapter on top. In float32 it is merged in memory (exact enough, and faster)."""
    if model.adapter is None:
        return base
    from peft import PeftModel

    if not (Path(model.adapter) / "adapter_config.json").is_file():
        raise BackendError(f"no adapter at {model.adapter}", "the folder must hold adapter_config.json")
    try:
        adapted = PeftModel.from_pretrained(base, model.adapter, is_trainable=trainable)
    except Exception as error:
        raise BackendError(
            f"the adapter {model.adapter} cannot be put on {model.base}: {error}",
            "an adapter fits only the base model it was trained on",
        ) from error
    if trainable:
        return adapted
    merged = adapted.merge_and_unload() if base.dtype == torch.float32 else adapted
    return merged.eval()


def context_length(model: Any) -> int:
    """How many tokens the model can hold, prompt and answer together."""
    return int(getattr(model.config.get_text_config(), "max_position_embeddings", None) or NO_LIMIT)


def _where(model: ModelSpec) -> dict[str, Any]:
    return {"revision": model.revision, "trust_remote_code": model.trust_remote_code}


def _check_folder(base: str) -> None:
    looks_like_path = base.startswith((".", "/", "~", os.sep)) or base.count("/") > 1 or "\\" in base
    path = Path(base)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise BackendError(
                f"{base} is a folder, but holds no config.json", "give the folder that save_pretrained wrote"
            )
    elif path.exists() or looks_like_path:
        raise BackendError(
            f"there is no model folder at {base}", "check model.base; a hub id looks like owner/name"
        )


def _explain(model: ModelSpec, error: Exception, what: str) -> BackendError:
    """Turn what the libraries raised into a sentence and a next step."""
    names: set[str] = set()
    text = ""
    cause: BaseException | None = error
    while cause is not None and len(names) < 20:
        names.add(type(cause).__name__)
        text += f"{cause}\n"
        cause = cause.__cause__ or cause.__context__
    base = model.base
    if "GatedRepoError" in names:
        return BackendError(f"{base} is gated", "accept its terms on the hub, then `hf auth login`")
    if names & {"OfflineModeIsEnabled", "LocalEntryNotFoundError", "ConnectError", "ConnectionError"}:
        hint = "download it where there is a network (`hf download`), or give a local folder as model.base"
        return BackendError(f"{base} is not on this machine and the hub cannot be reached", hint)
    if names & {"RepositoryNotFoundError", "RevisionNotFoundError", "HFValidationError"}:
        return BackendError(
            f"the hub knows no {base}", "check model.base and model.revision; private ones need a token"
        )
    if "trust_remote_code" in text:
        return BackendError(
            f"{base} brings its own code", "if you trust it, set model.trust_remote_code: true"
        )
    if "Unrecognized configuration class" in text:
        return BackendError(
            f"{base} is not a causal language model", "choose one that AutoModelForCausalLM loads"
        )
    if what == "model" and "safetensors" in text:
        return BackendError(
            f"{base} has no readable safetensors weights: {error}",
            "convert them: AutoModelForCausalLM.from_pretrained(...).save_pretrained(FOLDER)",
        )
    if what == "tokenizer":
        return BackendError(
            f"{base} has no tokenizer that can be loaded: {error}", "save one next to the weights"
        )
    return BackendError(
        f"{base} cannot be loaded: {error}", "does AutoModelForCausalLM.from_pretrained load it?"
    )
