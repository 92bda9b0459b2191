"""likelihood: how probable the model that wrote a pair finds it; what the perplexity filters go by (paper, Table 3)."""

from __future__ import annotations

from collections.abc import Iterator

from isheep.backends.base import Passage
from isheep.records import Likelihood, Pair, Record
from isheep.stages.stage import Context, Settings, Stage


class LikelihoodSettings(Settings):
    """Nothing to choose: the model, the layout and the pairs say it all."""


def run(ctx: Context[LikelihoodSettings]) -> Iterator[Record]:
    pairs = ctx.read("responses", Pair)
    engine = ctx.reader()
    layout = engine.layout(ctx.layout)
    passages = [
        Passage(p.id, layout.prompt(p.instruction, p.input, p.history), layout.completion(p.response))
        if p.response
        else Passage(p.id, layout.prompt(p.instruction, p.input, p.history), "")
        for p in pairs
    ]
    done = ctx.written(Likelihood)
    ctx.report(len(done), len(pairs), "pairs")
    for count, found in enumerate(engine.likelihood(passages, skip=done.keys()), len(done) + 1):
        yield found
        ctx.report(count, len(pairs), "pairs")


STAGE = Stage("likelihood", 1, LikelihoodSettings, run, (Likelihood,), needs="engine")
