"""The model underneath: logits of many rows at once, with or without an adapter's matrices added to its weights."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


class Model:
    """A causal LM, and a changed copy of it for each adapter."""

    def __init__(self, folder: str, dtype: str, targets: list[str]) -> None:
        self._targets = set(targets)
        # What is stored and what is read of it, as vLLM does: the config's end tokens are the model's.
        self._versions: dict[int, Any] = {
            0: AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
        }
        self.config = self._versions[0].config
        self.ends = _ends(self._versions[0].generation_config.eos_token_id)

    def add(self, number: int, folder: str, max_rank: int) -> None:
        config = json.loads((Path(folder) / "adapter_config.json").read_text(encoding="utf-8"))
        if config["r"] > max_rank:
            raise ValueError(f"LoRA rank {config['r']} is greater than max_lora_rank {max_rank}.")
        adapted = copy.deepcopy(self._versions[0])
        pairs: dict[str, dict[str, Tensor]] = {}
        for name, tensor in load_file(Path(folder) / "adapter_model.safetensors").items():
            module, _, kind = name.removeprefix("base_model.model.").removesuffix(".weight").rpartition(".")
            if kind not in ("lora_A", "lora_B"):
                raise ValueError(f"{name} is unsupported LoRA weight")
            pairs.setdefault(module, {})[kind] = tensor
        with torch.no_grad():
            for module, pair in pairs.items():
                if module.rpartition(".")[2] not in self._targets:
                    continue  # vLLM says nothing of it either
                change = (
                    pair["lora_B"].float() @ pair["lora_A"].float() * (config["lora_alpha"] / config["r"])
                )
                adapted.get_submodule(module).weight += change
        self._versions[number] = adapted

    def layers(self) -> torch.nn.Module:
        """A model in which q, k and v are one layer, as vLLM packs them; what takes adapters is marked."""
        found = torch.nn.Module()
        packed = {"qkv_proj": ["q_proj", "k_proj", "v_proj"]}
        found.packed_modules_mapping = packed
        names = {name.rpartition(".")[2] for name, _ in self._versions[0].named_modules() if "proj" in name}
        for name in [*packed, *(names - set(packed["qkv_proj"]))]:
            layer = torch.nn.Module()
            if self._targets & {name, *packed.get(name, ())}:
                layer.lora_a_stacked = ()
            found.add_module(name, layer)
        return found

    def logits(self, number: int, rows: list[list[int]]) -> Tensor:
        """Log-probabilities [row, position, token] of rows padded on the right; nothing real stands behind padding."""
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            found: Tensor = self._versions[number](input_ids=ids, use_cache=False).logits
        return found.float()


def _ends(ids: int | list[int] | None) -> set[int]:
    return set() if ids is None else set(ids) if isinstance(ids, list) else {ids}
