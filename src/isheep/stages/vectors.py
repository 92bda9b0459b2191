"""vectors: the model's own last-layer vector of every pair; what the density filters cluster (paper, Table 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from isheep.backends.base import Passage
from isheep.records import Pair, Record, Vector
from isheep.stages.stage import Context, Settings, Stage
from isheep.text.prompts import Layout


class VectorsSettings(Settings):
    pooling: Literal["mean", "last"] = "mean"
    """The mean over all tokens, or the last token's vector."""
    of: Literal["pair", "instruction"] = "pair"
    """The whole exchange, or the request alone."""


def passage(pair: Pair, layout: Layout, of: str) -> Passage:
    """What a vector is of. A passage without a text is not read, so a request alone is itself the text."""
    prompt = layout.prompt(pair.instruction, pair.input, pair.history)
    if of == "instruction":
        return Passage(pair.id, "", prompt)
    return Passage(pair.id, prompt, layout.completion(pair.response) if pair.response else "")


def run(ctx: Context[VectorsSettings]) -> Iterator[Record]:
    pairs = ctx.read("responses", Pair)
    engine = ctx.embedder()
    layout = engine.layout(ctx.layout)
    passages = [passage(pair, layout, ctx.settings.of) for pair in pairs]
    done = ctx.written(Vector)
    ctx.report(len(done), len(pairs), "pairs")
    for count, found in enumerate(
        engine.embed(passages, ctx.settings.pooling, skip=done.keys()), len(done) + 1
    ):
        yield Vector.of(found.id, found.values, found.tokens)
        ctx.report(count, len(pairs), "pairs")


STAGE = Stage("vectors", 1, VectorsSettings, run, (Vector,), needs="hidden")
