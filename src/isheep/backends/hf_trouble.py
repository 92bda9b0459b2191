"""Why a model cannot be loaded, in a sentence, and the next step: from its folder, and from what the libraries raise.

Knows: where transformers looks, and how the libraries behind it complain.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

from isheep.backends.base import ModelSpec
from isheep.errors import BackendError


def check_folder(base: str) -> None:
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


def explain(model: ModelSpec, error: Exception, what: str) -> BackendError:
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


def too_large(model: ModelSpec, device: torch.device) -> BackendError:
    return BackendError(
        f"{model.base} does not fit into the memory of {device}",
        "choose a smaller model or device, fewer bits (model.load_in), or more GPUs (runtime.device_map: true)",
    )
