"""probes: planted answers to known seed tasks, so that the judge itself is judged, iteration after iteration.

Writes Pairs that no model wrote: a right answer, a wrong one, an off-topic one, an evasive one, an empty one. They are
assessed by the very stage that assesses the model's own answers; the review reads whether it can tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from isheep.records import Pair, Record, Task
from isheep.stages.stage import Context, Settings, Stage


class ProbesSettings(Settings):
    count: int = Field(20, ge=0)
    """Seed tasks that get planted answers, five each; 0 plants none."""


def run(ctx: Context[ProbesSettings]) -> Iterator[Record]:
    from isheep.text.probes import plant

    written = ctx.written(Pair)
    seeds = ctx.read("seeds", Task)
    planted = plant(seeds, ctx.settings.count, ctx.seed("plant"))
    if not planted:
        ctx.note("too few seed tasks have an `output` to plant answers from, so the judge cannot be probed")
    yield from (pair for pair in planted if pair.id not in written)


STAGE = Stage("probes", 1, ProbesSettings, run, (Pair,))
