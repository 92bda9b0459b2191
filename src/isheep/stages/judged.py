"""judged: a judge reads the replies to a chat benchmark, and gives a preference or a grade.

Roles: "replies" (the model on trial) and, for preferences, "baseline" (another model's replies to the same questions;
absent: the answers in the question file itself, which are then written as its replies). Every raw verdict is kept; one
that cannot be read is missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from isheep.backends.outside import JudgeReply, JudgeRequest
from isheep.chat.prompts import Kind, Prompts, read_prompts
from isheep.chat.protocols import (
    RULE,
    Answers,
    Asking,
    answers_of,
    grade_items,
    graded,
    outputs_of,
    pairwise,
    preference_items,
)
from isheep.chat.questions import ChatQuestion, read_questions, read_references, task_name, with_references
from isheep.chat.verdicts import expected_choice, parse_choice, parse_grade
from isheep.errors import BackendError, RecipeError
from isheep.records import Item, Judgment, Record, Reply
from isheep.stages.stage import Context, OutsideFile, OutsideFolder, Settings, Stage

#: How many of the first token's most probable values are asked for (AlpacaEval's weighted judges: 5).
TOP_LOGPROBS = 5


@dataclass(frozen=True, slots=True)
class JudgePrompts(OutsideFolder):
    """Marks a set of judge prompts: a folder of our form, or FastChat's file."""

    def place(self, found: Path) -> Path:
        return found if found.suffix == ".jsonl" else OutsideFolder.place(self, found)

    def problem(self, path: Path) -> str | None:
        try:
            read_prompts(path)
        except RecipeError as error:
            return f"cannot be used: {error.message}"
        return None


@dataclass(frozen=True, slots=True)
class ReferenceFile(OutsideFile):
    """Marks a file of reference answers."""

    def problem(self, path: Path) -> str | None:
        try:
            read_references(path)
        except RecipeError as error:
            return f"cannot be used: {error.message}"
        return None


class JudgedSettings(Settings):
    file: Annotated[str, OutsideFile("questions", ".jsonl", is_data=True)]
    """The questions, the same file that `chat` asked."""
    protocol: Literal["pairwise", "graded"]
    """`pairwise`: against a baseline's answers, in both orders (AlpacaEval). `graded`: each turn from 1 to 10
    (MT-Bench)."""
    kind: Literal["openai", "engine", "scripted"] = "openai"
    """Who judges: a server that speaks the OpenAI chat API, a model loaded here, or a script (for tests)."""
    model: str = ""
    """The judge's name on its server, or the model to load."""
    script: str = ""
    """What a scripted judge answers."""
    prompts: Annotated[str, JudgePrompts("prompts/chat", "/graded.txt")] = "isheep"
    """Judge prompts: `isheep` (our own wording), a folder of that form, or FastChat's `judge_prompts.jsonl`."""
    reading: Literal["choice", "expected"] = "choice"
    """Pairwise: how a preference is read. `choice`: the judge explains and names the better one or a tie. `expected`:
    the probability of its first token being A against B; needs a judge that gives probabilities."""
    temperature: float = Field(0.0, ge=0)
    """The judge's sampling temperature (AlpacaEval, FastChat: 0)."""
    max_tokens: int = Field(2048, ge=1)
    """Longest verdict with its reasons, in tokens (FastChat: 2048)."""
    references: Annotated[str | None, ReferenceFile("questions", ".jsonl", is_data=True)] = None
    """Reference answers in place of the question file's own: FastChat's `reference_answer` file, a corrected one, or
    JSONL with `id` and `references`. null: those of the question file."""

    @model_validator(mode="after")
    def _possible(self) -> JudgedSettings:
        if self.reading == "expected" and self.protocol == "graded":
            raise ValueError(
                "reading: a grade is read from the judge's text; set `reading: choice` or `protocol: pairwise`"
            )
        return self

    @property
    def asks(self) -> Kind:
        """Which of the judge prompts is shown."""
        if self.protocol == "graded":
            return "graded"
        return "pairwise" if self.reading == "choice" else "label"


def run(ctx: Context[JudgedSettings]) -> Iterator[Record]:
    questions = _questions(ctx)
    prompts = read_prompts(ctx.files["prompts"])
    if why := prompts.lacks(ctx.settings.asks, max(len(q.turns) for q in questions)):
        raise RecipeError(f"judged.prompts cannot ask this: {why}", "use the shipped set `isheep`")
    task = task_name(ctx.files["file"])
    ours = answers_of(ctx.read("replies", Reply))
    theirs = _baseline(ctx, questions, task)
    baseline = answers_of(theirs)
    askings = _askings(ctx, questions, ours, baseline, prompts)
    if "baseline" not in ctx.inputs:  # the length control needs them, and the file may be gone by then
        judged, kept = {asking.prompt for asking in askings}, ctx.written(Reply)
        yield from (reply for reply in theirs if reply.prompt in judged and reply.id not in kept)
    done = ctx.written(Judgment)
    ctx.report(len(done), len(askings), "verdicts")
    for judgment in _verdicts(ctx, askings, done, task):
        done[judgment.id] = judgment
        yield judgment
        ctx.report(len(done), len(askings), "verdicts")
    scorer = _scorer(done.values(), prompts, baseline)
    if ctx.settings.protocol == "graded":
        items = grade_items(questions, ours, done, task, scorer)
    else:
        items = preference_items(questions, ours, baseline, done, task, scorer)
    written = ctx.written(Item)
    yield from (item for item in items if item.id not in written)
    _tell_missing(ctx, done)


def _questions(ctx: Context[JudgedSettings]) -> tuple[ChatQuestion, ...]:
    questions = read_questions(ctx.files["file"])
    if "references" in ctx.files:
        questions = with_references(questions, read_references(ctx.files["references"]))
    return questions


def _baseline(ctx: Context[JudgedSettings], questions: Sequence[ChatQuestion], task: str) -> list[Reply]:
    """What ours is compared with: a model's replies, or the file's own outputs. Nothing where it is graded alone."""
    if ctx.settings.protocol == "graded":
        return []
    if "baseline" in ctx.inputs:
        return ctx.read("baseline", Reply)
    found = list(outputs_of(questions, task))
    if not found:
        raise RecipeError(
            f"{ctx.files['file'].name} holds no `output` to compare with, and no baseline model is named",
            "name a baseline model, give each question an `output`, or ask for grades instead",
        )
    return found


def _askings(
    ctx: Context[JudgedSettings],
    questions: Sequence[ChatQuestion],
    ours: Answers,
    baseline: Answers,
    prompts: Prompts,
) -> list[Asking]:
    if ctx.settings.protocol == "graded":
        found, who = list(graded(questions, ours, prompts)), "the model has"
    else:
        found = list(pairwise(questions, ours, baseline, prompts, ctx.settings.asks))
        who = "both the model and the baseline have"
    if not found:
        raise RecipeError(
            f"there is no question of {ctx.files['file'].name} that {who} answered",
            "the model, and the baseline if there is one, must have answered this very file",
        )
    return found


def _scorer(judgments: Iterable[Judgment], prompts: Prompts, baseline: Answers) -> str:
    """Who scored, and against what: figures of another judge, other prompts or another baseline are no equals."""
    judges = sorted({judgment.judge for judgment in judgments} - {RULE}) or [RULE]
    signed = f"judge {' and '.join(judges)}, prompts {prompts.name}"
    if not baseline:
        return signed
    text = json.dumps(sorted((*key, answer) for key, answer in baseline.items()), ensure_ascii=False)
    return f"{signed}, baseline {hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _tell_missing(ctx: Context[JudgedSettings], judgments: Mapping[str, Judgment]) -> None:
    missing = [judgment for judgment in judgments.values() if judgment.value is None]
    if missing:
        failed = sum(bool(judgment.error) for judgment in missing)
        ctx.note(
            f"{len(missing)} of {len(judgments)} verdicts are missing, not counted as a number: "
            f"{failed} could not be had, {len(missing) - failed} cannot be read"
        )


def _verdicts(
    ctx: Context[JudgedSettings], askings: Sequence[Asking], done: Mapping[str, Judgment], task: str
) -> Iterator[Judgment]:
    """The verdicts still missing: those a rule settles first, then the judge's."""
    s = ctx.settings
    yield from (a.judgment(task) for a in askings if a.why and a.id not in done)
    by_id = {a.id: a for a in askings if not a.why}
    if by_id.keys() <= done.keys():
        return
    # A label is one token, and its probabilities are wanted; a verdict with reasons is as long as it is.
    tokens, top = (1, TOP_LOGPROBS) if s.asks == "label" else (s.max_tokens, 0)
    requests = [
        # The same seed in every step: the same question is then answered from the judge's cache.
        JudgeRequest(a.id, a.messages, tokens, s.temperature, seed=0, top_logprobs=top)
        for a in by_id.values()
    ]
    judge = ctx.judge()
    for reply in judge.judge(requests, skip=frozenset(done)):
        asking = by_id[reply.id]
        value = _value(reply, s.asks)
        if value is not None and asking.swapped:
            value = 1 - value
        judgment = asking.judgment(task, judge.name, reply.text, value)
        yield replace(judgment, prompt_tokens=reply.prompt_tokens, tokens=reply.tokens, error=reply.error)


def _value(reply: JudgeReply, asked: Kind) -> float | None:
    """The verdict as the judge saw it: of the text shown first, or the grade."""
    if reply.error:
        return None
    if asked == "graded":
        return parse_grade(reply.text)
    if asked == "pairwise":
        return parse_choice(reply.text)
    if reply.text and not reply.logprobs:
        raise BackendError(
            "the judge gives no token probabilities, so no expected preference can be read",
            "set `reading: choice`, or use a judge whose server gives `logprobs`",
        )
    return expected_choice(reply.logprobs)


STAGE = Stage("judged", 1, JudgedSettings, run, (Judgment, Item, Reply), needs="judge", lays_out=False)
