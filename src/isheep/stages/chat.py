"""chat: the model answers the questions of a chat benchmark, turn by turn; nobody judges here.

The second turn is asked with the model's own first answer before it, as MT-Bench does. AlpacaEval, MT-Bench and files
of one's own are read alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from isheep.backends.base import Request, Sampling
from isheep.chat.questions import ChatQuestion, read_questions, task_name
from isheep.errors import RecipeError
from isheep.records import Record, Reply
from isheep.stages.stage import Context, OutsideFile, Settings, Stage
from isheep.text.prompts import Layout


@dataclass(frozen=True, slots=True)
class QuestionFile(OutsideFile):
    """Marks a setting that names a file of chat questions, read once so that mistakes are known before any work."""

    def problem(self, path: Path) -> str | None:
        try:
            read_questions(path)
        except RecipeError as error:
            return f"cannot be used: {error.message}"
        return None


class ChatSettings(Settings):
    file: Annotated[str, QuestionFile("questions", ".jsonl", is_data=True)]
    """The questions: AlpacaEval's `alpaca_eval.json`, MT-Bench's `question.jsonl`, or JSONL with `instruction` or
    `turns`."""
    max_tokens: int = Field(1024, ge=1)
    """Longest answer to one turn in tokens (FastChat: 1024)."""
    temperature: float | None = Field(None, ge=0)
    """Sampling temperature; 0 is greedy. null: conversations as MT-Bench has it for their category (writing and
    roleplay 0.7, stem and humanities 0.1, all others 0), single questions greedily."""
    limit: int | None = Field(None, ge=1)
    """Only the first so many questions. null: all."""


def reply_id(question: ChatQuestion, turn: int) -> str:
    """The id of a reply: "<question id>/<turn>", turns counted from 1."""
    return f"{question.id}/{turn}"


def asked(
    ctx: Context[ChatSettings],
    questions: tuple[ChatQuestion, ...],
    turn: int,
    said: Mapping[str, Reply],
    layout: Layout,
) -> list[Request]:
    """A request for every question that has such a turn, behind what was said before."""
    s = ctx.settings
    requests = []
    for q in questions:
        if turn > len(q.turns):
            continue
        before = [text for n in range(1, turn) for text in (q.turns[n - 1], said[reply_id(q, n)].text)]
        temperature = q.temperature if s.temperature is None else s.temperature
        sampling = Sampling(s.max_tokens, temperature, stops=layout.stop_texts)
        prompt = layout.prompt(q.turns[turn - 1], "", before)
        requests.append(Request(reply_id(q, turn), prompt, sampling, ctx.seed(q.id, turn)))
    return requests


def run(ctx: Context[ChatSettings]) -> Iterator[Record]:
    path = ctx.files["file"]
    questions = read_questions(path)[: ctx.settings.limit]
    task = task_name(path)
    engine = ctx.generator()
    layout = engine.layout(ctx.layout)
    done = ctx.written(Reply)
    total = sum(len(q.turns) for q in questions)
    ctx.report(len(done), total, "replies")
    for turn in range(1, max(len(q.turns) for q in questions) + 1):
        prompts = {reply_id(q, turn): q.id for q in questions}
        requests = asked(ctx, questions, turn, done, layout)
        for text in engine.generate(requests, skip=done.keys()):
            reply = Reply(
                text.id, task, prompts[text.id], text.text.strip(), text.finish, text.ended, turn,
                text.prompt_tokens, text.tokens,
            )  # fmt: skip
            done[reply.id] = reply
            yield reply
            ctx.report(len(done), total, "replies")


STAGE = Stage("chat", 1, ChatSettings, run, (Reply,), needs="engine")
