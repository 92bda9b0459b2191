"""Which adapters vLLM can put on a base model, read from an adapter's own files; no weight is loaded.

vLLM (0.29 to 0.33, `lora/peft_helper.py` and `lora/utils.py`) takes plain LoRA matrices and nothing else: what PEFT
writes beside them (trained rows of the embeddings, whole modules, biases, DoRA) it refuses, in the middle of a run.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from isheep.errors import BackendError

#: The ranks vLLM can be opened for (`MaxLoRARanks`); a smaller adapter runs as one of the next of these.
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)

#: What vLLM calls the output layer; it knows no adapter for it by another name.
_HEAD = "lm_head"


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter vLLM can put on."""

    folder: str
    rank: int
    #: Last part of the names of the layers it changes.
    layers: frozenset[str]
    parameters: int

    @property
    def room(self) -> int:
        """The rank vLLM must have been opened for."""
        return next(rank for rank in RANKS if rank >= self.rank)

    def makes_room_for(self, other: Adapter) -> bool:
        """Can a vLLM that was opened for this one take the other?"""
        return other.rank <= self.room and other.layers <= self.layers


def read(folder: str) -> Adapter:
    """Look at an adapter. Raises BackendError when vLLM cannot put it on."""
    path = Path(folder)
    if not (path / "adapter_config.json").is_file():
        raise BackendError(f"no adapter at {folder}", "the folder must hold adapter_config.json")
    config = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    _check(folder, config)
    rank = max([config["r"], *(config.get("rank_pattern") or {}).values()])
    if rank > RANKS[-1]:
        raise BackendError(
            f"the adapter {folder} is of rank {rank}, and vLLM takes no more than {RANKS[-1]}",
            "backend.engine: hf takes every rank",
        )
    sizes = _sizes(path)
    layers = frozenset(_layer(name) for name in sizes)
    if _HEAD in layers:
        raise BackendError(
            f"the adapter {folder} changes the output layer, which vLLM leaves as it is where it reads prompts",
            "use backend.engine: hf, or leave the output layer out of train.lora.target_modules",
        )
    return Adapter(str(path.absolute()), rank, layers, sum(sizes.values()))


def taken(model: Any) -> list[str]:
    """By which names in adapters' files the layers are known that take adapters. `model`: vLLM's own, in its worker."""
    ours = {
        name.rpartition(".")[2] for name, layer in model.named_modules() if hasattr(layer, "lora_a_stacked")
    }
    packed: dict[str, list[str]] = {}
    for part in (*model.children(), model):
        packed |= getattr(part, "packed_modules_mapping", None) or {}
    return sorted(ours | {name for layer in ours for name in packed.get(layer, ())})


def _check(folder: str, config: dict[str, Any]) -> None:
    if config.get("trainable_token_indices"):
        raise BackendError(
            f"the adapter {folder} holds trained rows of the embeddings (the layout's tokens were new to the model), "
            "which vLLM cannot put on",
            "use backend.engine: hf; or model.layout: question, which needs no new tokens; or a model with the adapter "
            "merged in (train.merge: true) as model.base",
        )
    odd = [name for name in ("modules_to_save", "use_dora", "lora_bias") if config.get(name)]
    odd += ["bias"] * (config.get("bias", "none") != "none")
    odd += ["peft_type"] * (config.get("peft_type", "LORA") != "LORA")
    if odd:
        raise BackendError(
            f"the adapter {folder} is more than LoRA matrices ({', '.join(odd)}), which vLLM cannot put on",
            "use backend.engine: hf, or a model with the adapter merged in as model.base",
        )


def _sizes(folder: Path) -> dict[str, int]:
    """Numbers in each of an adapter's matrices."""
    file = folder / "adapter_model.safetensors"
    if not file.is_file():
        raise BackendError(
            f"the adapter {folder} holds no adapter_model.safetensors",
            "save it again with PEFT: save_pretrained",
        )
    with safe_open(file, framework="np") as tensors:
        return {name: math.prod(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118


def _layer(name: str) -> str:
    """The layer a matrix belongs to: "model.layers.0.mlp.up_proj.lora_A.weight" -> "up_proj"; "experts" for each."""
    parts = name.split(".")
    if "experts" in parts:
        return "experts"
    return parts[next((n for n, part in enumerate(parts) if part.startswith("lora_")), len(parts)) - 1]
