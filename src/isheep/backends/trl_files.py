"""What a training leaves on disk: checkpoints that are whole or ignored, an adapter of the same bytes each time, and
on demand the base with the adapter merged into it.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, load_peft_weights

from isheep.backends import hf_load
from isheep.backends.base import ModelSpec

ADAPTER, MERGED = "adapter", "merged"

_SEAL = "complete"


def seal(checkpoint: Path) -> None:
    """Mark a checkpoint as whole; the last thing that is written into it."""
    (checkpoint / _SEAL).touch()


def newest_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint. Those that a kill cut short are removed."""
    whole: list[tuple[int, Path]] = []
    for path in folder.glob("checkpoint-*"):
        if (path / _SEAL).exists():
            whole.append((int(path.name.rpartition("-")[2]), path))
        else:
            shutil.rmtree(path, ignore_errors=True)
    return str(max(whole)[1]) if whole else None


def adapter_parameters(folder: Path) -> int:
    """Parameters of a saved adapter."""
    return sum(values.numel() for values in load_peft_weights(str(folder), device="cpu").values())


def write_adapter(
    model: Any, folder: Path, base: str, weights: dict[str, torch.Tensor] | None = None
) -> None:
    """Save the adapter; its config names the base as the recipe does, in an order that does not vary.

    `weights`: those of the adapter by the model's own names, where the model itself holds only a part of them.
    """
    aside = folder.with_name(folder.name + ".tmp")
    for old in (aside, folder):
        if old.exists():
            shutil.rmtree(old)
    # TRL keeps the frozen copy of a preference training in the same model: only the trained one is written.
    model.save_pretrained(
        aside, state_dict=weights, save_embedding_layers=False, selected_adapters=["default"]
    )
    for extra in aside.glob("*.md"):
        extra.unlink()
    path = aside / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base
    for key in ("target_modules", "modules_to_save"):
        if isinstance(config.get(key), list):
            config[key] = sorted(config[key])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    aside.rename(folder)


def write_merged(model: ModelSpec, dtype: torch.dtype, folder: Path) -> None:
    """Merge folder/"adapter" into the base's own weights, loaded anew on the CPU, and save the whole.

    For a base in fewer bits, where merging would round twice, and for one that no process holds whole.
    """
    base = hf_load.load_model(replace(model, load_in=""), torch.device("cpu"), dtype)
    save_merged(PeftModel.from_pretrained(base, str(folder / ADAPTER)), hf_load.load_tokenizer(model), folder)


def save_merged(model: Any, tokenizer: Any, folder: Path) -> None:
    """Merge the adapter into the base it lies on, and save both as one model with its tokenizer."""
    model.merge_and_unload().save_pretrained(folder / MERGED)
    tokenizer.save_pretrained(folder / MERGED)
