"""exam: questions for the judge's own trial, frozen at the start of a run, each with a way to grade it without a judge.

Two kinds. Held-out test tasks, right when the answer is an accepted one; and prompts with constraints that a program
can check ("exactly three sentences"), right when all are met. Every model answers the same ones and then judges answers
to them; the report sets its scores against the truth.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from pydantic import Field

from isheep.records import Constraint, Instruction, Record, Task
from isheep.stages.stage import Context, Settings, Stage


class ExamSettings(Settings):
    questions: int = Field(100, ge=0)
    """Held-out test tasks drawn for the exam, as evenly over their categories as there are tasks; 0: none."""
    constraints: int = Field(100, ge=0)
    """Prompts with constraints a program can check; 0: none."""


def drawn(tests: Sequence[Task], count: int, rank: Callable[[str], int]) -> list[Task]:
    """Up to `count` of the tests that have answers: in turn one of each category, in the order of `rank` of their ids.

    Depends on the tasks and on `rank`, not on the order they stand in.
    """
    by_category: dict[str, list[Task]] = {}
    for task in sorted((test for test in tests if test.answers), key=lambda test: (rank(test.id), test.id)):
        by_category.setdefault(task.category, []).append(task)
    placed = [(place, task) for tasks in by_category.values() for place, task in enumerate(tasks)]
    return [task for _, task in sorted(placed, key=lambda p: (p[0], rank(p[1].id), p[1].id))[:count]]


def run(ctx: Context[ExamSettings]) -> Iterator[Record]:
    there, graded_there = ctx.written(Instruction), ctx.written(Constraint)
    asked = drawn(ctx.read("tests", Task), ctx.settings.questions, lambda id: ctx.seed("test", id))
    if len(asked) < ctx.settings.questions:
        ctx.note(
            f"{len(asked)} test tasks with answers for the exam, where {ctx.settings.questions} were asked for"
        )
    for question, graded in (*map(_test, asked), *_constrained(ctx)):
        if question.id not in there:
            yield question
        if graded.id not in graded_there:
            yield graded


def _test(task: Task) -> tuple[Instruction, Constraint]:
    id = f"test:{task.id}"
    return Instruction(id, task.instruction, task.input, (), ""), Constraint(id, answers=task.answers)


def _constrained(ctx: Context[ExamSettings]) -> Iterator[tuple[Instruction, Constraint]]:
    if not ctx.settings.constraints:
        return
    from isheep.verify import exam

    for probe in exam.build(ctx.settings.constraints, ctx.seed("constraints")):
        id = f"check:{probe.id}"
        checks = json.dumps([[name, dict(arguments)] for name, arguments in probe.checks], ensure_ascii=False)
        yield Instruction(id, probe.instruction, "", (), ""), Constraint(id, checks=checks)


STAGE = Stage("exam", 1, ExamSettings, run, (Instruction, Constraint))
