"""responses: the current model answers its own instructions, zero-shot (paper)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from isheep.backends.base import Request, Sampling
from isheep.errors import YieldError
from isheep.records import Instruction, Pair, Record
from isheep.stages.stage import Context, Settings, Stage


class ResponsesSettings(Settings):
    temperature: float = Field(1.0, ge=0)
    """Sampling temperature (released code: 1.0); 0 is greedy."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus sampling (released code: 0.95)."""
    max_tokens: int = Field(1000, ge=1)
    """Longest answer in tokens (released code: 1000)."""


def run(ctx: Context[ResponsesSettings]) -> Iterator[Record]:
    kept = [i for i in ctx.read("instructions", Instruction) if i.reason is None]
    if not kept:
        raise YieldError("there is no instruction to answer", "see why with `isheep show`")
    engine = ctx.generator()
    layout = engine.layout(ctx.layout)
    sampling = Sampling(
        ctx.settings.max_tokens, ctx.settings.temperature, ctx.settings.top_p, stops=layout.stop_texts
    )
    requests = [Request(i.id, layout.prompt(i.instruction, i.input), sampling, ctx.seed(i.id)) for i in kept]
    by_id = {i.id: i for i in kept}
    done = ctx.written(Pair)
    ctx.report(len(done), len(kept), "answers")
    for count, text in enumerate(engine.generate(requests, skip=done.keys()), len(done) + 1):
        asked = by_id[text.id]
        yield Pair(
            asked.id,
            asked.instruction,
            asked.input,
            text.text.strip(),
            text.finish,
            text.ended,
            text.prompt_tokens,
            text.tokens,
        )
        ctx.report(count, len(kept), "answers")


STAGE = Stage("responses", 1, ResponsesSettings, run, (Pair,), needs="engine")
