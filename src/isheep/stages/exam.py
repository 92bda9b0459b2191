"""exam: questions for the judge's own trial, frozen at the start of a run, each with a way to grade it without a judge.

Two kinds. Held-out test tasks, right when the answer is an accepted one; and prompts with constraints that a program
can check ("exactly three sentences"), right when all are met. Every model answers the same ones and then judges answers
to them; the report sets its scores against the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pydantic import Field

from isheep.errors import YieldError
from isheep.records import Constraint, Instruction, Record, Task
from isheep.stages.stage import Context, Settings, Stage
from isheep.verify import to_json
from isheep.verify.checks import NEED_LANGUAGE
from isheep.verify.exam import Probe, build


class ExamSettings(Settings):
    questions: int = Field(100, ge=0)
    """Held-out test tasks drawn for the exam, as evenly over their categories as there are tasks; 0: none."""
    constraints: int = Field(100, ge=0, le=1000)
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


def constrained(count: int, seed: int) -> list[Probe]:
    """`count` probes that can be graded anywhere: those that take telling languages apart, which needs an extra, are
    left out, so that the exam is the same wherever it is made."""
    probes: list[Probe] = []
    asked = count
    while len(probes) < count:
        asked += asked // 4 + 4
        made = build(asked, seed)
        probes = [probe for probe in made if not any(wanted.id in NEED_LANGUAGE for wanted in probe.checks)]
    return probes[:count]


def run(ctx: Context[ExamSettings]) -> Iterator[Record]:
    asked = drawn(ctx.read("tests", Task), ctx.settings.questions, lambda id: ctx.seed("test", id))
    probes = constrained(ctx.settings.constraints, ctx.seed("constraints"))
    if len(asked) < ctx.settings.questions:
        wanted = f"where {ctx.settings.questions} were asked for"
        ctx.note(f"{len(asked)} test tasks with answers for the exam, {wanted}")
    if not asked and not probes:
        raise YieldError(
            "the exam has no question",
            "give test tasks with `answers` (evaluate.tasks), or set exam.constraints",
        )
    questions, grading = ctx.written(Instruction), ctx.written(Constraint)
    for question, graded in (*map(_test, asked), *map(_probe, probes)):
        if question.id not in questions:
            yield question
        if graded.id not in grading:
            yield graded


def _test(task: Task) -> tuple[Instruction, Constraint]:
    id = f"test:{task.id}"
    return Instruction(id, task.instruction, task.input, (), ""), Constraint(id, answers=task.answers)


def _probe(probe: Probe) -> tuple[Instruction, Constraint]:
    id = f"check:{probe.id}"
    return Instruction(id, probe.instruction, "", (), ""), Constraint(id, checks=to_json(probe.checks))


STAGE = Stage("exam", 1, ExamSettings, run, (Instruction, Constraint))
