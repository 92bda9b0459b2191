"""questions: the prompts of every benchmark in use, with their references: what contamination is looked for against.

One step per kind of source, so that a new question file changes no other step's key: the exact-match tests (an input),
IFEval's file, a chat question file, or the harness's benchmarks (through the examiner, which loads no model for it).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from isheep.backends.outside import Examination
from isheep.chat.questions import read_questions, read_references, task_name, with_references
from isheep.records import Question, Record, Task
from isheep.stages.stage import Context, OutsideFile, Settings, Stage
from isheep.text.prompts import request
from isheep.verify.ifeval import read_ifeval


class QuestionsSettings(Settings):
    ifeval: Annotated[str | None, OutsideFile("ifeval", ".jsonl", is_data=True)] = None
    """The published `ifeval_input_data.jsonl`, or its folder."""
    chat: Annotated[str | None, OutsideFile("questions", ".jsonl", is_data=True)] = None
    """A chat question file."""
    references: Annotated[str | None, OutsideFile("questions", ".jsonl", is_data=True)] = None
    """Reference answers to the chat questions, where they are in a file of their own."""
    benchmarks: tuple[str, ...] = ()
    """Fixed benchmarks by name, groups already resolved."""
    data_dir: Annotated[str | None, OutsideFile("benchmarks", "/data", is_data=True)] = None
    """Folder with local copies of the benchmarks' data; null: from the hub."""
    limit: int | None = Field(None, ge=1)
    """Only the first so many of each, as the evaluation asks them; null: all."""


def of_tests(tests: Iterable[Task]) -> Iterator[Question]:
    """Exact-match tests; their ids are "<file's name>:<number>"."""
    for test in tests:
        answer = test.output or next(iter(test.answers), "")
        task = test.id.partition(":")[0]
        yield Question(f"{task}/{test.id}", task, test.id, request(test.instruction, test.input), answer)


def of_ifeval(path: Path, limit: int | None = None) -> Iterator[Question]:
    """IFEval's prompts; they have no reference."""
    for prompt in read_ifeval(path)[:limit]:
        yield Question(f"ifeval/{prompt.key}", "ifeval", prompt.key, prompt.prompt)


def of_chat(path: Path, references: Path | None = None, limit: int | None = None) -> Iterator[Question]:
    """Chat questions, one for each turn; the reference of a turn, or a baseline's answer, is its answer.

    All turns have the question's id as their prompt: whoever saw one is no longer fresh to the others.
    """
    questions = read_questions(path)
    if references is not None:
        questions = with_references(questions, read_references(references))
    task = task_name(path)
    for q in questions[:limit]:
        answers = q.references or (q.output,)
        for turn, text in enumerate(q.turns):
            answer = answers[turn] if turn < len(answers) else ""
            yield Question(f"{task}/{q.id}/{turn + 1}", task, q.id, text, answer)


def run(ctx: Context[QuestionsSettings]) -> Iterator[Record]:
    done = ctx.written(Question)
    for count, question in enumerate(_all(ctx), 1):
        if question.id not in done:
            yield question
        ctx.report(count, count, "questions")


def _all(ctx: Context[QuestionsSettings]) -> Iterator[Question]:
    settings = ctx.settings
    yield from of_tests(ctx.read("tests", Task))
    if settings.ifeval is not None:
        yield from of_ifeval(ctx.files["ifeval"], settings.limit)
    if settings.chat is not None:
        yield from of_chat(ctx.files["chat"], ctx.files.get("references"), settings.limit)
    if settings.benchmarks:
        yield from ctx.examiner().questions(
            Examination(settings.benchmarks, ctx.files.get("data_dir"), settings.limit)
        )


STAGE = Stage("questions", 1, QuestionsSettings, run, (Question,), needs="questions", lays_out=False)
