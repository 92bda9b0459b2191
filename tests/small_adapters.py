"""LoRA adapters with random matrices, as PEFT writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make_adapter(base: str | Path, folder: Path, seed: int = 0, rank: int = 4, **config: Any) -> Path:
    """An adapter of the model in `base`; `config` goes to PEFT's LoraConfig. Large enough to change every text."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        settings = {
            "target_modules": "all-linear",
            "init_lora_weights": False,
            "lora_alpha": 2 * rank,
            **config,
        }
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=rank, **settings))
    finally:
        torch.random.set_rng_state(state)
    model.save_pretrained(folder)
    return folder
