"""train: fine-tune on the kept pairs with LoRA (paper, Algorithm 1, M_{t+1}).

The texts are laid out by the very object that asked them. Only the answer and its end are learned. The next model
starts from the base model every time (`one_base`) unless the recipe says otherwise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from isheep.backends.base import Example, Trained, TrainSpec
from isheep.errors import YieldError
from isheep.records import Decision, ModelRef, Pair, Record
from isheep.stages.stage import Context, Settings, Stage
from isheep.text.prompts import Layout


class LoraSettings(Settings):
    rank: int = Field(8, ge=1)
    """Rank r (paper: 8)."""
    alpha: int = Field(16, ge=1)
    """Scale alpha (paper: 16)."""
    dropout: float = Field(0.05, ge=0, lt=1)
    """Dropout on the adapter's input (paper: 0.05)."""
    target_modules: str | tuple[str, ...] = "all-linear"
    """Which modules get an adapter (paper: all linear modules)."""


class TrainSettings(Settings):
    start: Literal["one_base", "one_last", "total_base"] = "one_base"
    """Where training starts and on what: base on this iteration's pairs (`one_base`, Algorithm 1), the last model on
    this iteration's pairs (`one_last`), or base on the pairs of all iterations so far (`total_base`)."""
    lora: LoraSettings = LoraSettings()
    """The adapter."""
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
    max_samples: int | None = Field(None, ge=1)
    """Train on at most this many pairs, drawn at random (released code: 3000; paper: all)."""
    save_steps: int = Field(50, ge=1)
    """Optimiser steps between checkpoints; an interrupted training goes on from the last one."""
    merge: bool = False
    """Also write the merged model. Off: the adapter is all that is needed, and a few MB instead of many GB."""


def chosen(pairs: Sequence[Pair], decisions: Sequence[Decision]) -> list[Pair]:
    """The kept pairs, by id."""
    kept = {d.id for d in decisions if d.kept}
    return [pair for pair in pairs if pair.id in kept]


def examples(pairs: Sequence[Pair], layout: Layout) -> list[Example]:
    """Training texts: the prompt that was asked, the answer as it would be given."""
    return [
        Example(p.id, layout.prompt(p.instruction, p.input), layout.completion(p.response)) for p in pairs
    ]


def spec(settings: TrainSettings, seed: int, dtype: str) -> TrainSpec:
    """The settings as the trainer wants them."""
    lora = settings.lora
    return TrainSpec(
        rank=lora.rank,
        alpha=lora.alpha,
        dropout=lora.dropout,
        target_modules=lora.target_modules,
        learning_rate=settings.learning_rate,
        scheduler=settings.scheduler,
        warmup_steps=settings.warmup_steps,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        accumulation=settings.accumulation,
        cutoff=settings.cutoff,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        save_steps=settings.save_steps,
        merge=settings.merge,
        seed=seed,
        dtype=dtype,
    )


def run(ctx: Context[TrainSettings]) -> Iterator[Record]:
    settings = ctx.settings
    if ctx.written(ModelRef):
        return  # trained, and interrupted before it was published
    pairs = chosen(ctx.read("responses", Pair), ctx.read("filter", Decision))
    if not pairs:
        raise YieldError("there is no pair to train on", "see why with `isheep show`")
    if settings.max_samples is not None and len(pairs) > settings.max_samples:
        pairs = sorted(
            sorted(pairs, key=lambda p: ctx.seed(p.id))[: settings.max_samples], key=lambda p: p.id
        )
    assert ctx.model is not None
    trainer = ctx.trainer()
    layout = trainer.layout(ctx.layout)
    seed = ctx.seed("train") % 2**31
    trained = trainer.train(
        examples(pairs, layout),
        spec(settings, seed, ctx.model.dtype),
        layout,
        ctx.folder,
        lambda done, total: ctx.report(done, total, "steps"),
    )
    if trained.truncated:
        ctx.note(
            f"{trained.truncated} of {len(pairs)} training texts were longer than {settings.cutoff} tokens"
        )
    if not all(math.isfinite(loss) for _, loss in trained.losses):
        raise YieldError(
            "training diverged: the loss is not a number",
            f"lower train.learning_rate (it is {settings.learning_rate:g}) or train.max_grad_norm",
        )
    write_losses(ctx, trained)
    yield model_ref(ctx, layout, len(pairs), trained)


def write_losses(ctx: Context[TrainSettings], trained: Trained) -> None:
    """The loss curve, a line per logged step."""
    lines = [json.dumps({"step": step, "loss": loss}) for step, loss in trained.losses]
    (ctx.folder / "losses.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def model_ref(ctx: Context[TrainSettings], layout: Layout, pairs: int, trained: Trained) -> ModelRef:
    """The record that stands for M_{t+1}."""
    losses = [loss for _, loss in trained.losses]
    return ModelRef(
        f"model.{ctx.iteration + 1}",
        "adapter",
        layout.name,
        pairs,
        trained.tokens,
        trained.steps,
        losses[0] if losses else None,
        losses[-1] if losses else None,
    )


STAGE = Stage("train", 1, TrainSettings, run, (ModelRef,), needs="train")
