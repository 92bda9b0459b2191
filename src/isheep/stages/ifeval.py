"""ifeval: instructions whose following a program can check, asked of the base model and every model after it.

The prompts are the published ones, from the user's own copy; each is answered greedily and graded by `isheep.verify`,
strictly and loosely, as a whole and instruction by instruction. What is written is one record per grade: the four
accuracies and their intervals, clustered by prompt, are read from these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from isheep.backends.base import Request, Sampling
from isheep.errors import RecipeError
from isheep.records import Item, Record, Reply
from isheep.stages.stage import Context, OutsideFile, Settings, Stage
from isheep.text.prompts import Layout
from isheep.verify import language
from isheep.verify.grading import METRICS
from isheep.verify.ifeval import IfevalPrompt, grade, needs_language, read_ifeval

TASK = "ifeval"
#: Raised when a check's meaning changes: scores of two scorers are not to be compared.
SCORER = "isheep.verify 1"
PROMPT_STRICT, PROMPT_LOOSE, INST_STRICT, INST_LOOSE = METRICS


class PublishedPrompts(OutsideFile):
    """Marks the file of published prompts, which is read before any model is loaded."""

    def problem(self, path: Path) -> str | None:
        try:
            read_ifeval(path)
        except RecipeError as error:
            return f"cannot be used: {error.message}"
        return None


PROMPTS = PublishedPrompts("ifeval", ".jsonl", is_data=True)


class IfevalSettings(Settings):
    file: Annotated[str | None, PROMPTS] = None
    """Your copy of the published `ifeval_input_data.jsonl`, or the folder it lies in. null: not asked."""
    max_tokens: int = Field(1280, ge=1)
    """Longest answer in tokens (the harness: 1280)."""
    limit: int | None = Field(None, ge=1)
    """Only the first so many prompts of the file; null: all."""


def run(ctx: Context[IfevalSettings]) -> Iterator[Record]:
    if ctx.settings.file is None:
        return
    prompts = read_ifeval(ctx.files["file"])[: ctx.settings.limit]
    if needs_language(prompts):
        language.require()  # before a model is loaded, not after all is answered
    engine = ctx.generator()
    layout = engine.layout(ctx.layout)
    replies = ctx.written(Reply)
    ctx.report(len(replies), len(prompts), "prompts")
    requests = _requests(ctx, prompts, layout)
    for count, text in enumerate(engine.generate(requests, skip=replies.keys()), len(replies) + 1):
        key = text.id.removeprefix(f"{TASK}/")
        replies[text.id] = Reply(
            text.id, TASK, key, text.text, text.finish, text.ended,
            prompt_tokens=text.prompt_tokens, tokens=text.tokens,
        )  # fmt: skip
        yield replies[text.id]
        ctx.report(count, len(prompts), "prompts")
    written = ctx.written(Item)
    for prompt in prompts:
        for item in items(prompt, replies[f"{TASK}/{prompt.key}"].text, layout.name):
            if item.id not in written:
                yield item
    unread = sum(replies[f"{TASK}/{prompt.key}"].finish == "too_long" for prompt in prompts)
    if unread:
        ctx.note(
            f"{unread} of {len(prompts)} prompts are too long for this model; they count as not followed"
        )


def _requests(ctx: Context[IfevalSettings], prompts: Sequence[IfevalPrompt], layout: Layout) -> list[Request]:
    sampling = Sampling(ctx.settings.max_tokens, temperature=0.0, stops=layout.stop_texts)
    return [
        Request(id, layout.prompt(p.prompt), sampling, ctx.seed(id))
        for p in prompts
        for id in (f"{TASK}/{p.key}",)
    ]


def items(prompt: IfevalPrompt, text: str, layout: str = "") -> Iterator[Item]:
    """Every grade of one reply: two for the prompt (item ""), then two per instruction ("0", "1", ...).

    White space around a reply belongs to the layout, not to the answer.
    """
    response = text.strip()
    graded = grade(prompt, response)
    rows = [
        (PROMPT_STRICT, "", "", all(g.strict for g in graded)),
        (PROMPT_LOOSE, "", "", all(g.loose for g in graded)),
    ]
    for place, g in enumerate(graded):
        rows += [(INST_STRICT, str(place), g.id, g.strict), (INST_LOOSE, str(place), g.id, g.loose)]
    hashed = hashlib.sha256(prompt.prompt.encode()).hexdigest()
    for metric, item, group, followed in rows:
        yield Item(
            f"{TASK}/{prompt.key}/{item}/{metric}", TASK, prompt.key, item, prompt.key, metric,
            float(followed), hashed, len(response), SCORER, group, layout, "greedy",
        )  # fmt: skip


STAGE = Stage(TASK, 1, IfevalSettings, run, (Item, Reply), needs="engine")
