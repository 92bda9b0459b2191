"""contamination: do the seeds, the generated instructions or their responses share runs of words with a benchmark?

Looks at this project's own texts only. What the base model saw in its own pre-training nobody can tell from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field

from isheep.records import Instruction, Leak, Measure, Pair, Question, Record, Task
from isheep.stages.stage import Context, Settings, Stage
from isheep.text.leaks import DEFAULT_N
from isheep.text.prompts import request

if TYPE_CHECKING:
    from isheep.text.contamination import NgramIndex


class ContaminationSettings(Settings):
    n: int = Field(DEFAULT_N, ge=5, le=50)
    """Words in a row that count as copied (GPT-3's analysis: 8 to 13). A prompt of fewer words counts when the text
    holds all of it."""
    drop: bool = False
    """Drop the flagged pairs before training, with the reason `contaminated`. They are flagged in any case."""


class Text(NamedTuple):
    """A text to look through: "seed", "instruction" or "response", and the id of that record."""

    where: str
    source: str
    text: str


def seed_texts(tasks: Sequence[Task]) -> list[Text]:
    """Each seed as it is shown: its request alone, and with its output."""
    asked = [Text("seed", t.id, request(t.instruction, t.input)) for t in tasks]
    answered = [
        Text("seed", t.id, f"{text.text}\n{t.output}")
        for t, text in zip(tasks, asked, strict=True)
        if t.output
    ]
    return asked + answered


def leaks(index: NgramIndex, texts: Sequence[Text]) -> dict[str, Leak]:
    """Every leak by its id, "<where>/<source>/<question>"; of several the one with the most words."""
    found: dict[str, Leak] = {}
    for text, matches in zip(texts, index.scan([t.text for t in texts]), strict=True):
        for match in matches:
            id = f"{text.where}/{text.source}/{match.question}"
            leak = Leak(id, text.where, text.source, match.question, match.task, match.kind, match.words)
            if id not in found or len(leak.match) > len(found[id].match):
                found[id] = leak
    return found


def run(ctx: Context[ContaminationSettings]) -> Iterator[Record]:
    from isheep.text.contamination import NgramIndex

    questions = ctx.read("questions", Question)
    index = NgramIndex(questions, ctx.settings.n)
    kept = [i for i in ctx.read("instructions", Instruction) if i.reason is None]
    checked = {
        "seed": seed_texts(ctx.read("seeds", Task)),
        "instruction": [Text("instruction", i.id, request(i.instruction, i.input)) for i in kept],
        "response": [Text("response", p.id, p.response) for p in ctx.read("responses", Pair)],
    }
    done = {**ctx.written(Leak), **ctx.written(Measure)}
    total, seen = sum(map(len, checked.values())), 0
    counts = {"questions": len(questions)}
    for where, texts in checked.items():
        found = leaks(index, texts)
        yield from (leak for leak in found.values() if leak.id not in done)
        counts[f"{where}/checked"] = len({text.source for text in texts})
        counts[f"{where}/flagged"] = len({leak.source for leak in found.values()})
        seen += len(texts)
        ctx.report(seen, total, "texts")
    for id, count in counts.items():
        if id not in done:
            yield Measure(id, float(count))
    _note(ctx, counts)


def _note(ctx: Context[ContaminationSettings], counts: dict[str, int]) -> None:
    told = [
        f"{counts[f'{where}/flagged']} of {counts[f'{where}/checked']} {where}s"
        for where in ("seed", "instruction", "response")
        if counts[f"{where}/flagged"]
    ]
    if told:
        ctx.note(f"{', '.join(told)} share {ctx.settings.n} words or a whole prompt with a benchmark")


STAGE = Stage("contamination", 1, ContaminationSettings, run, (Leak, Measure))
