"""vectors: the model's own last-layer vector of every pair; what the density filters cluster (paper, Table 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from isheep.backends.base import Passage
from isheep.records import Pair, Record, Vector
from isheep.stages.stage import Context, Settings, Stage


class VectorsSettings(Settings):
    pooling: Literal["mean", "last"] = "mean"
    """The mean over all tokens, or the last token's vector."""
    of: Literal["pair", "instruction"] = "pair"
    """The whole exchange, or the request alone."""


def run(ctx: Context[VectorsSettings]) -> Iterator[Record]:
    pairs = ctx.read("responses", Pair)
    engine = ctx.reader()
    layout = engine.layout(ctx.layout)
    whole = ctx.settings.of == "pair"
    passages = [
        Passage(
            p.id,
            layout.prompt(p.instruction, p.input, p.history),
            layout.completion(p.response) if whole and p.response else "",
        )
        for p in pairs
    ]
    done = ctx.written(Vector)
    ctx.report(len(done), len(pairs), "pairs")
    for count, found in enumerate(
        engine.embed(passages, ctx.settings.pooling, skip=done.keys()), len(done) + 1
    ):
        yield Vector.of(found.id, found.values)
        ctx.report(count, len(pairs), "pairs")


STAGE = Stage("vectors", 1, VectorsSettings, run, (Vector,), needs="engine")
