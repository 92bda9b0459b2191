"""train: fine-tune on the kept pairs with LoRA (paper, Algorithm 1, M_{t+1}).

The texts are laid out by the very object that asked them. Only the answer and its end are learned. The next model
starts from the base model every time (`one_base`) unless the recipe says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from isheep.backends.base import Example
from isheep.errors import YieldError
from isheep.records import Decision, ModelRef, Pair, Record, kept_pairs
from isheep.stages.stage import Context, Stage
from isheep.stages.tuning import LoraSettings, OptimiserSettings, finish, spec
from isheep.text.prompts import Layout


class TrainSettings(OptimiserSettings):
    start: Literal["one_base", "one_last", "total_base", "direct"] = "one_base"
    """Where training starts and on what (paper, Table 2): base on this iteration's pairs (`one_base`, Algorithm 1), the
    last model on this iteration's pairs (`one_last`), base on the pairs of all iterations so far (`total_base`), or
    base on the pairs of one single iteration that is as large as all of them together (`direct`)."""
    lora: LoraSettings = LoraSettings()
    """The adapter."""
    max_samples: int | None = Field(None, ge=1)
    """Train on at most this many pairs, drawn at random (released code: 3000; paper: all)."""
    merge: bool = False
    """Also write the merged model. Off: the adapter is all that is needed, and a few MB instead of many GB."""


def examples(pairs: Sequence[Pair], layout: Layout) -> list[Example]:
    """Training texts: the prompt that was asked, the answer as it would be given."""
    return [
        Example(p.id, layout.prompt(p.instruction, p.input, p.history), layout.completion(p.response))
        for p in pairs
    ]


def run(ctx: Context[TrainSettings]) -> Iterator[Record]:
    settings = ctx.settings
    if ctx.written(ModelRef):
        return  # trained, and interrupted before it was published
    pairs = kept_pairs(ctx.read("responses", Pair), ctx.read("filter", Decision))
    if not pairs:
        raise YieldError("there is no pair to train on", "see why with `isheep show`")
    if settings.max_samples is not None and len(pairs) > settings.max_samples:
        pairs = sorted(
            sorted(pairs, key=lambda p: ctx.seed(p.id))[: settings.max_samples], key=lambda p: p.id
        )
    trainer = ctx.trainer()
    layout = trainer.layout(ctx.layout)
    trained = trainer.train(
        examples(pairs, layout),
        spec(ctx, settings, settings.lora, settings.merge),
        layout,
        ctx.folder,
        lambda done, total: ctx.report(done, total, "steps"),
    )
    yield finish(ctx, trained, layout, len(pairs), settings.cutoff, "train")


STAGE = Stage("train", 1, TrainSettings, run, (ModelRef,), needs="train")
