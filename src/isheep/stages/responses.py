"""responses: the current model answers its own instructions, zero-shot (paper, Algorithm 1, R_t).

With `principles` the request is shown below a list of principles; training then leaves the list out, so what it did is
engraved into the model (the way of Dromedary, a baseline of the paper's Table 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from isheep.backends.base import Request, Sampling
from isheep.errors import YieldError
from isheep.records import Instruction, Pair, Record
from isheep.stages.stage import Context, OutsideFile, Settings, Stage
from isheep.text.prompts import Layout, fill, request


class ResponsesSettings(Settings):
    temperature: float = Field(1.0, ge=0)
    """Sampling temperature (released code: 1.0); 0 is greedy."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus sampling (released code: 0.95)."""
    max_tokens: int = Field(1000, ge=1)
    """Longest answer in tokens (released code: 1000)."""
    samples: int = Field(1, ge=1)
    """Answers to each instruction; each is judged and filtered on its own."""
    principles: Annotated[str | None, OutsideFile("prompts/principles", ".txt", frozenset({"request"}))] = (
        None
    )
    """Prompt file with principles and the field {request}, shown when answering and left out when training: a shipped
    name or a path. null: the request alone."""


def asked(ctx: Context[ResponsesSettings], instructions: list[Instruction], layout: Layout) -> list[Request]:
    """A request for every instruction and sample."""
    s = ctx.settings
    sampling = Sampling(s.max_tokens, s.temperature, s.top_p, stops=layout.stop_texts)
    template = (
        ctx.files["principles"].read_text(encoding="utf-8") if "principles" in ctx.files else "{request}"
    )
    requests = []
    for i in instructions:
        text = fill(template.strip(), request=request(i.instruction, i.input))
        prompt = layout.prompt(text, "", i.history)
        ids = [i.id] if s.samples == 1 else [f"{i.id}/{n}" for n in range(s.samples)]
        requests += [Request(id, prompt, sampling, ctx.seed(id)) for id in ids]
    return requests


def run(ctx: Context[ResponsesSettings]) -> Iterator[Record]:
    kept = [i for i in ctx.read("instructions", Instruction) if i.reason is None]
    if not kept:
        raise YieldError("there is no instruction to answer", "see why with `isheep show`")
    engine = ctx.generator()
    requests = asked(ctx, kept, engine.layout(ctx.layout))
    by_id = {i.id: i for i in kept}
    done = ctx.written(Pair)
    ctx.report(len(done), len(requests), "answers")
    for count, text in enumerate(engine.generate(requests, skip=done.keys()), len(done) + 1):
        i = by_id[text.id if ctx.settings.samples == 1 else text.id.rpartition("/")[0]]
        yield Pair(
            text.id, i.instruction, i.input, text.text.strip(), text.finish, text.ended, text.prompt_tokens,
            text.tokens, i.history,
        )  # fmt: skip
        ctx.report(count, len(requests), "answers")


STAGE = Stage("responses", 1, ResponsesSettings, run, (Pair,), needs="engine")
