"""What every fine-tuning stage shares: the optimiser's settings, the adapter's, and what is written down at the end."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

from pydantic import Field

from isheep.backends.base import Trained, TrainSpec
from isheep.errors import YieldError
from isheep.records import ModelRef
from isheep.stages.stage import Context, Settings
from isheep.text.prompts import Layout


class OptimiserSettings(Settings):
    """What every kind of fine-tuning has."""

    learning_rate: float = Field(5e-5, gt=0)
    """Peak learning rate (paper: 5e-5)."""
    scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    """Learning-rate schedule (paper: cosine)."""
    warmup_steps: int = Field(20, ge=0)
    """Optimiser steps of warm-up (paper: 20)."""
    epochs: float = Field(2.0, gt=0)
    """Passes over the pairs (paper: 2)."""
    batch_size: int = Field(1, ge=1)
    """Examples per forward pass (paper: 1)."""
    accumulation: int = Field(16, ge=1)
    """Forward passes per optimiser step (paper: 2 on each of 8 GPUs, 16 in all; the same total on one)."""
    cutoff: int = Field(1024, ge=8)
    """Longest training text in tokens (paper: 1024)."""
    weight_decay: float = Field(0.0, ge=0)
    """Weight decay on the adapter."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradient clipping."""
    save_steps: int = Field(50, ge=1)
    """Optimiser steps between checkpoints; an interrupted training goes on from the last one."""


class LoraSettings(Settings):
    rank: int = Field(8, ge=1)
    """Rank r (paper: 8)."""
    alpha: int = Field(16, ge=1)
    """Scale alpha (paper: 16)."""
    dropout: float = Field(0.05, ge=0, lt=1)
    """Dropout on the adapter's input (paper: 0.05)."""
    target_modules: str | tuple[str, ...] = "all-linear"
    """Which modules get an adapter (paper: all linear modules)."""


def spec(
    ctx: Context[Any], settings: OptimiserSettings, lora: LoraSettings, merge: bool = False
) -> TrainSpec:
    """The settings as a trainer wants them, with the step's own seed."""
    assert ctx.model is not None
    optimiser = {name: getattr(settings, name) for name in OptimiserSettings.model_fields}
    seed = ctx.seed("train") % 2**31
    return TrainSpec(**optimiser, **lora.model_dump(), merge=merge, seed=seed, dtype=ctx.model.dtype)


def finish(
    ctx: Context[Any], trained: Trained, layout: Layout, examples: int, cutoff: int, section: str
) -> ModelRef:
    """Note what was cut, refuse what diverged, write the losses; the record that stands for M_{t+1}.

    `section` names the recipe's section, for the advice.
    """
    if trained.truncated:
        ctx.note(f"{trained.truncated} of {examples} training texts were longer than {cutoff} tokens")
    if not all(math.isfinite(loss) for _, loss in trained.losses):
        raise YieldError(
            "training diverged: the loss is not a number",
            f"lower {section}.learning_rate or {section}.max_grad_norm",
        )
    lines = [json.dumps({"step": step, "loss": loss}) for step, loss in trained.losses]
    (ctx.folder / "losses.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    losses = [loss for _, loss in trained.losses]
    return ModelRef(
        f"model.{ctx.iteration + 1}",
        "adapter",
        layout.name,
        examples,
        trained.tokens,
        trained.steps,
        losses[0] if losses else None,
        losses[-1] if losses else None,
    )
