"""assessment: the model judges its own answers, 1 to 10, on two scales (paper, Algorithm 1, S_t).

Two ways to read a score. `expected`: the probability-weighted mean over the ten scores, from the model's own next-
token distribution; one forward pass, nothing generated. `sampled`: the model writes "score||reason" and the text is
parsed, as the released code does. What cannot be read is None, never a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from isheep.backends.base import Choice, Query, Request, Sampling
from isheep.records import Pair, Record, Verdict
from isheep.stages.stage import Context, OutsideFile, Settings, Stage
from isheep.text.parse import parse_rating
from isheep.text.prompts import Layout, judge_text

#: The two scales of the paper, in the order they are asked.
SCALES = ("quality", "following")
#: Scores run from 1 to 10 (paper).
CHOICES = tuple(str(score) for score in range(1, 11))
#: What a judging prompt must show, no more and no less; checked when the recipe is read.
FIELDS = frozenset({"request", "response"})


class AssessmentSettings(Settings):
    level: Literal["none", "quality", "following", "both"] = "both"
    """Which scales are asked (paper, Table 4: both is best)."""
    judge: Literal["current", "base"] = "current"
    """The current model M_t (Algorithm 1), or the base model at every iteration (released code)."""
    reading: Literal["expected", "sampled"] = "expected"
    """How the score is read. `expected` needs a backend that gives probabilities."""
    quality_prompt: Annotated[str, OutsideFile("prompts", "/quality.txt", FIELDS)] = "general"
    """Prompt file for response quality, with the fields {request} and {response}: a shipped name or a path."""
    following_prompt: Annotated[str, OutsideFile("prompts", "/following.txt", FIELDS)] = "general"
    """Prompt file for instruction following."""
    wrap: Literal["auto", "always", "never"] = "auto"
    """Put the judging prompt into the layout as a request. `auto`: only in chat layouts; plain text is continued."""
    min_mass: float = Field(1e-6, ge=0, le=1)
    """Expected reading: below this total probability of the ten scores, the score is unreadable."""
    temperature: float = Field(1.0, ge=0)
    """Sampled reading: temperature (released code: 1.0)."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Sampled reading: nucleus (released code: 0.95)."""
    max_tokens: int = Field(64, ge=1)
    """Sampled reading: longest verdict in tokens. The score comes first; the released code allows 1000."""


def scales(level: str) -> tuple[str, ...]:
    """The scales asked at an assessment level."""
    return {"none": (), "both": SCALES}.get(level, (level,))


def expected_score(choice: Choice, min_mass: float) -> float | None:
    """Mean of 1..10 under the judge's probabilities; None when it was hardly about to give a score."""
    if choice.mass < min_mass:
        return None
    return sum(score * p for score, p in enumerate(choice.probabilities, 1))


def prompts(ctx: Context[AssessmentSettings], pairs: Sequence[Pair], layout: Layout) -> dict[str, str]:
    """Every judging prompt by verdict id ("<pair>/<scale>")."""
    wrap = ctx.settings.wrap == "always" or (ctx.settings.wrap == "auto" and layout.is_chat)
    texts: dict[str, str] = {}
    for scale in scales(ctx.settings.level):
        template = ctx.files[f"{scale}_prompt"].read_text(encoding="utf-8")
        for pair in pairs:
            text = judge_text(template, pair.instruction, pair.input, pair.response)
            texts[f"{pair.id}/{scale}"] = layout.prompt(text) if wrap else text
    return texts


def run(ctx: Context[AssessmentSettings]) -> Iterator[Record]:
    settings = ctx.settings
    if settings.level == "none":
        return
    done = ctx.written(Verdict)
    engine = ctx.scorer() if settings.reading == "expected" else ctx.generator()
    texts = prompts(ctx, ctx.read("responses", Pair), engine.layout(ctx.layout))
    ctx.report(len(done), len(texts), "scores")
    verdicts = _expected(ctx, texts, done) if settings.reading == "expected" else _sampled(ctx, texts, done)
    for count, verdict in enumerate(verdicts, len(done) + 1):
        yield verdict
        ctx.report(count, len(texts), "scores")


def _expected(
    ctx: Context[AssessmentSettings], texts: dict[str, str], done: dict[str, Verdict]
) -> Iterator[Verdict]:
    queries = [Query(id, text, CHOICES) for id, text in texts.items()]
    for choice in ctx.scorer().score(queries, skip=done.keys()):
        pair, _, scale = choice.id.rpartition("/")
        score = expected_score(choice, ctx.settings.min_mass)
        yield Verdict(choice.id, pair, scale, score, "", choice.prompt_tokens, 0, choice.mass)


def _sampled(
    ctx: Context[AssessmentSettings], texts: dict[str, str], done: dict[str, Verdict]
) -> Iterator[Verdict]:
    engine = ctx.generator()
    s = ctx.settings
    stops = ("||", "\n", *engine.layout(ctx.layout).stop_texts)
    sampling = Sampling(s.max_tokens, s.temperature, s.top_p, stops=stops)
    requests = [Request(id, text, sampling, ctx.seed(id)) for id, text in texts.items()]
    for written in engine.generate(requests, skip=done.keys()):
        pair, _, scale = written.id.rpartition("/")
        score = parse_rating(written.text)
        yield Verdict(written.id, pair, scale, score, written.text, written.prompt_tokens, written.tokens)


STAGE = Stage("assessment", 1, AssessmentSettings, run, (Verdict,), needs="engine")
