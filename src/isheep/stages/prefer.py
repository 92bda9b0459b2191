"""prefer: direct preference optimisation on the model's own best and worst answers, going on from the SFT adapter."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from isheep.backends.base import Preferred
from isheep.records import ModelRef, Preference, Record
from isheep.stages.stage import Context, Stage
from isheep.stages.tuning import LoraSettings, OptimiserSettings, finish, spec


class PreferSettings(OptimiserSettings):
    beta: float = Field(0.1, gt=0)
    """Strength of the pull towards the SFT model (Rafailov et al. 2023, arXiv 2305.18290: 0.1 in most experiments)."""
    learning_rate: float = Field(5e-6, gt=0)
    """Peak learning rate; a tenth of SFT's, since DPO soon leaves the reference far behind."""
    epochs: float = Field(1.0, gt=0)
    """Passes over the preferences."""


def run(ctx: Context[PreferSettings]) -> Iterator[Record]:
    if ctx.written(ModelRef):
        return  # trained, and interrupted before it was published
    trainer = ctx.trainer()
    layout = trainer.layout(ctx.layout)
    found = [p for p in ctx.read("preferences", Preference) if p.reason is None]
    examples = [
        Preferred(
            p.id,
            layout.prompt(p.instruction, p.input),
            layout.completion(p.chosen),
            layout.completion(p.rejected),
        )
        for p in found
    ]
    trained = trainer.prefer(
        examples,
        # The LoRA's shape is the SFT adapter's own.
        spec(ctx, ctx.settings, LoraSettings()),
        ctx.settings.beta,
        layout,
        ctx.folder,
        lambda done, total: ctx.report(done, total, "steps"),
    )
    yield finish(ctx, trained, layout, len(found), ctx.settings.cutoff, "prefer")


STAGE = Stage("prefer", 1, PreferSettings, run, (ModelRef,), needs="train")
