"""evaluate: exact-match tasks on held-out prompts, for the base model and every model after it.

Each prompt is answered greedily and at T = 1; an answer is right when it equals an accepted one after normalising. The
base model is tried in several layouts, since a tuned model must not win merely because its layout suits it better.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from isheep.backends.base import Request, Sampling
from isheep.errors import RecipeError
from isheep.records import Answer, Completion, Record, Score, Task
from isheep.stages.stage import Context, Settings, Stage, known_names
from isheep.stats import wilson
from isheep.text.prompts import LAYOUTS, Layout

#: Decoding name -> temperature. The paper decodes at T = 1.0 everywhere (released code); greedy is the usual headline.
DECODINGS = {"greedy": 0.0, "sampled": 1.0}


class EvaluateSettings(Settings):
    tasks: tuple[str, ...] = ()
    """Held-out test files: shipped names (`lamb`) or paths to JSONL with `instruction`, `input`, `answers`. With none,
    nothing is evaluated."""
    also: tuple[str, ...] = ()
    """More of them that are not held out: their prompts may be trained on. `isheep eval` adds tests to a run so."""
    decodings: tuple[Literal["greedy", "sampled"], ...] = ("greedy", "sampled")
    """How to answer: greedily, at T = 1, or both."""
    base_layouts: tuple[str, ...] = ("plain", "question", "qa", "user")
    """Layouts the base model is also tried in, next to the run's own; its best one is the base score."""
    max_tokens: int = Field(64, ge=1)
    """Longest answer in tokens."""

    @field_validator("tasks", "also")
    @classmethod
    def _different_names(cls, tasks: tuple[str, ...]) -> tuple[str, ...]:
        names = [Path(task).stem for task in tasks]  # results go by it
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two test files are called {name!r}; rename one")
            if not name or ":" in name:
                raise ValueError(f"a test file cannot be called {name!r}; rename it, without ':'")
        return tasks

    @field_validator("decodings")
    @classmethod
    def _known_decodings(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(names, DECODINGS)

    @field_validator("base_layouts")
    @classmethod
    def _known_layouts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return known_names(names, (*LAYOUTS, "chat"))


def normalise(text: str) -> str:
    """What exact match compares: case, surrounding space and a final full stop do not count."""
    text = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    return text.rstrip(". ") or text


def is_correct(response: str, answers: Sequence[str]) -> bool:
    """Exact match with any accepted answer, after normalising."""
    given = normalise(response)
    return any(given == normalise(answer) for answer in answers)


def run(ctx: Context[EvaluateSettings]) -> Iterator[Record]:
    tests = {test.id: test for test in ctx.read("tests", Task)}
    if not tests:
        return
    _check(list(tests.values()))
    engine = ctx.generator()
    names = [ctx.layout]
    if ctx.model is not None and ctx.model.adapter is None:
        names += ctx.settings.base_layouts
    layouts = {
        layout.name: layout for layout in map(engine.layout, names)
    }.values()  # "chat" may be one of the others
    done = ctx.written(Answer)
    answers: list[Answer] = list(done.values())
    # All at once: an engine reads a prompt once for all its decodings.
    asked = [
        _asked(ctx, test, layout, decoding)
        for layout in layouts
        for decoding in ctx.settings.decodings
        for test in tests.values()
    ]
    ctx.report(len(answers), len(asked), "answers")
    for text in engine.generate(asked, skip=done.keys()):
        answer = _answer(text, tests)
        yield answer
        answers.append(answer)
        ctx.report(len(answers), len(asked), "answers")
    yield from scores(answers)


def _check(tests: Sequence[Task]) -> None:
    without = [test.id for test in tests if not test.answers]
    if without:
        raise RecipeError(
            f"{len(without)} test tasks have no `answers` (first: {without[0]})",
            "each line of a test file needs `instruction` and `answers`: a list of accepted texts",
        )


def _asked(ctx: Context[EvaluateSettings], test: Task, layout: Layout, decoding: str) -> Request:
    """A test task in one layout and decoding; its id names all three."""
    head = f"{layout.name}/{decoding}/"
    sampling = Sampling(ctx.settings.max_tokens, DECODINGS[decoding], stops=layout.stop_texts)
    return Request(
        head + test.id, layout.prompt(test.instruction, test.input), sampling, ctx.seed(head, test.id)
    )


def _answer(text: Completion, tests: dict[str, Task]) -> Answer:
    """What was written for `_asked`, graded."""
    layout, decoding, item = text.id.split("/", 2)
    test = tests[item]
    right = is_correct(text.text, test.answers)
    return Answer(
        text.id, item.partition(":")[0], item, layout, decoding, text.text.strip(), right, text.ended,
        text.prompt_tokens, text.tokens, test.category,
    )  # fmt: skip


def scores(answers: Sequence[Answer]) -> Iterator[Score]:
    """Accuracy and share of answers the model ended by itself, by task, layout and decoding, with Wilson intervals."""
    cells: dict[tuple[str, str, str], list[Answer]] = {}
    for answer in answers:
        cells.setdefault((answer.task, answer.layout, answer.decoding), []).append(answer)
    for (task, layout, decoding), cell in sorted(cells.items()):
        for metric, hits in (
            ("accuracy", sum(a.correct for a in cell)),
            ("ended", sum(a.ended for a in cell)),
        ):
            low, high = wilson(hits, len(cell))
            id = f"{task}/{layout}/{decoding}/{metric}"
            yield Score(id, task, metric, hits / len(cell), len(cell), low, high, layout, decoding)


STAGE = Stage("evaluate", 1, EvaluateSettings, run, (Score, Answer), needs="engine")
