"""assessment: the model judges its own answers, 1 to 10, on two scales (paper, Algorithm 1, S_t).

Two ways to read a score. `expected`: the probability-weighted mean over the ten scores, from the model's own next-
token distribution; one forward pass, nothing generated. `sampled`: the model writes "score||reason" and the text is
parsed, as the released code does. What cannot be read is None, never a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from isheep.backends.base import Choice, Query, Request, Sampling
from isheep.errors import RecipeError
from isheep.records import Pair, Record, Verdict
from isheep.stages.stage import Context, OutsideFolder, Settings, Stage
from isheep.text.parse import RATING_DONE, parse_rating
from isheep.text.prompts import Layout, ScoredExample, judge_text, read_examples

#: The two scales of the paper, in the order they are asked.
SCALES = ("quality", "following")
#: Scores run from 1 to 10 (paper).
CHOICES = tuple(str(score) for score in range(1, 11))


@dataclass(frozen=True, slots=True)
class PromptSet(OutsideFolder):
    """Marks a set of judging prompts: a template per scale, and scored examples where the templates show any."""

    def problem(self, path: Path) -> str | None:
        """Laid out once, so that missing examples are known before hours of work and not after."""
        found = OutsideFolder.problem(self, path)
        if found is not None:
            return found
        for name in self.templates:
            try:
                judge_text(
                    (path / name).read_text(encoding="utf-8"), "", "", "", shown_examples(path), SCALES[0]
                )
            except RecipeError as error:
                return f"holds a {name} that cannot be used: {error.message}"
            except UnicodeDecodeError:
                return "holds an examples.jsonl that is not UTF-8 text"
        return None


def shown_examples(folder: Path) -> tuple[ScoredExample, ...]:
    """The scored examples of a set of judging prompts; none where it has no such file."""
    file = folder / "examples.jsonl"
    return read_examples(file.read_text(encoding="utf-8")) if file.is_file() else ()


PROMPT_SET = PromptSet(
    "prompts/judge",
    "/quality.txt",
    fields=frozenset({"request", "response"}),
    optional=frozenset({"examples"}),
    templates=("quality.txt", "following.txt"),
)


class AssessmentSettings(Settings):
    level: Literal["none", "quality", "following", "both"] = "both"
    """Which scales are asked (paper, Table 4: both is best)."""
    judge: Literal["current", "base"] = "current"
    """The current model M_t (Algorithm 1), or the base model at every iteration (released code)."""
    prompts: Annotated[str, PROMPT_SET] = "combined"
    """Judging prompts (paper, Table 3): `simple` (a line each), `combined` (several criteria), `icl` (scored examples,
    no criteria), or a folder with quality.txt and following.txt, with the fields {request} and {response}; one with
    {examples} shows those of the folder's examples.jsonl."""
    reading: Literal["expected", "sampled"] = "expected"
    """How the score is read. `expected` needs a backend that gives probabilities."""
    wrap: Literal["auto", "always", "never"] = "auto"
    """Put the judging prompt into the layout as a request. `auto`: only in chat layouts; plain text is continued."""
    min_mass: float = Field(1e-6, ge=0, le=1)
    """Expected reading: below this total probability of the ten scores, the score is unreadable."""
    samples: int = Field(1, ge=1)
    """Sampled reading: verdicts drawn per pair and scale; the readable ones are averaged."""
    temperature: float = Field(1.0, ge=0)
    """Sampled reading: temperature (released code: 1.0)."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Sampled reading: nucleus (released code: 0.95)."""
    max_tokens: int = Field(64, ge=1)
    """Sampled reading: longest verdict in tokens; it ends as soon as the score is complete. The released code allows
    1000."""

    @model_validator(mode="after")
    def _possible(self) -> AssessmentSettings:
        if self.samples > 1 and self.reading == "expected":
            raise ValueError(
                "samples: the expected score is always the same; set `reading: sampled` or samples to 1"
            )
        if self.samples > 1 and self.temperature == 0:
            raise ValueError(
                "samples: at temperature 0 every verdict is the same; raise it or set samples to 1"
            )
        return self


def scales(level: str) -> tuple[str, ...]:
    """The scales asked at an assessment level."""
    return {"none": (), "both": SCALES}.get(level, (level,))


def expected_score(choice: Choice, min_mass: float) -> float | None:
    """Mean of 1..10 under the judge's probabilities; None when it was hardly about to give a score."""
    if choice.mass < min_mass:
        return None
    return sum(score * p for score, p in enumerate(choice.probabilities, 1))


def prompts(
    ctx: Context[AssessmentSettings], pairs: Sequence[Pair], layout: Layout
) -> dict[tuple[str, str], str]:
    """Every judging prompt by pair and scale."""
    wrap = ctx.settings.wrap == "always" or (ctx.settings.wrap == "auto" and layout.is_chat)
    folder = ctx.files["prompts"]
    examples = shown_examples(folder)
    texts: dict[tuple[str, str], str] = {}
    for scale in scales(ctx.settings.level):
        template = (folder / f"{scale}.txt").read_text(encoding="utf-8")
        for p in pairs:
            text = judge_text(template, p.instruction, p.input, p.response, examples, scale, p.history)
            texts[p.id, scale] = layout.prompt(text) if wrap else text
    return texts


def run(ctx: Context[AssessmentSettings]) -> Iterator[Record]:
    settings = ctx.settings
    if settings.level == "none":
        return
    done = ctx.written(Verdict)
    engine = ctx.scorer() if settings.reading == "expected" else ctx.generator()
    texts = prompts(ctx, ctx.read("responses", Pair), engine.layout(ctx.layout))
    total = len(texts) * settings.samples
    ctx.report(len(done), total, "scores")
    verdicts = _expected(ctx, texts, done) if settings.reading == "expected" else _sampled(ctx, texts, done)
    for count, verdict in enumerate(verdicts, len(done) + 1):
        yield verdict
        ctx.report(count, total, "scores")


def _expected(
    ctx: Context[AssessmentSettings], texts: dict[tuple[str, str], str], done: dict[str, Verdict]
) -> Iterator[Verdict]:
    asked = {f"{pair}/{scale}": (pair, scale) for pair, scale in texts}
    queries = [Query(id, texts[of], CHOICES) for id, of in asked.items()]
    for choice in ctx.scorer().score(queries, skip=done.keys()):
        score = expected_score(choice, ctx.settings.min_mass)
        yield Verdict(choice.id, *asked[choice.id], score, "", choice.prompt_tokens, 0, choice.mass)


def _sampled(
    ctx: Context[AssessmentSettings], texts: dict[tuple[str, str], str], done: dict[str, Verdict]
) -> Iterator[Verdict]:
    engine = ctx.generator()
    s = ctx.settings
    asked = {
        f"{pair}/{scale}" + (f"/{n}" if s.samples > 1 else ""): (pair, scale)
        for n in range(s.samples)
        for pair, scale in texts
    }
    stops = ("||", "\n", *engine.layout(ctx.layout).stop_texts)
    sampling = Sampling(s.max_tokens, s.temperature, s.top_p, stops=stops, until=RATING_DONE)
    requests = [Request(id, texts[of], sampling, ctx.seed(id)) for id, of in asked.items()]
    for written in engine.generate(requests, skip=done.keys()):
        score = parse_rating(written.text)
        yield Verdict(
            written.id, *asked[written.id], score, written.text, written.prompt_tokens, written.tokens
        )  # fmt: skip


STAGE = Stage("assessment", 2, AssessmentSettings, run, (Verdict,), needs="engine")
