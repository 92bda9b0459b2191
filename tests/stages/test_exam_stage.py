"""exam: frozen questions, each with a way to grade it without a judge."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.errors import YieldError
from isheep.records import Constraint, Instruction, Record, Task
from isheep.stages.exam import ExamSettings, constrained, drawn, run
from isheep.stages.stage import Context
from isheep.verify import follows, from_json
from isheep.verify.checks import NEED_LANGUAGE
from isheep.verify.exam import planted
from toy import context, whole

TESTS = [
    Task(f"quiz:{name}{i:02d}", f"{name} {i}?", answers=(str(i), f"it is {i}"), category=name)
    for name, count in (("sum", 30), ("colour", 4), ("name", 1))
    for i in range(count)
]


def ctx_for(
    folder: Path,
    questions: int = 8,
    constraints: int = 6,
    tests: Sequence[Task] = TESTS,
    journal: Sequence[Record] = (),
    **rest: Any,
) -> Context[Any]:
    settings = ExamSettings(questions=questions, constraints=constraints)
    return context(settings, folder, {"tests": tests}, journal, **rest)


def asked(ctx: Context[Any]) -> tuple[dict[str, Instruction], dict[str, Constraint]]:
    made = list(run(ctx))
    return (
        {r.id: r for r in made if isinstance(r, Instruction)},
        {r.id: r for r in made if isinstance(r, Constraint)},
    )


def test_every_question_has_its_truth(tmp_path: Path) -> None:
    questions, graded = asked(ctx_for(tmp_path))
    assert questions.keys() == graded.keys()
    assert Counter(id.partition(":")[0] for id in questions) == {"test": 8, "check": 6}
    by_id = {f"test:{task.id}": task for task in TESTS}
    for id, question in questions.items():
        assert (question.reason, question.shots, question.source) == (None, (), "")
        if id in by_id:
            task = by_id[id]
            assert (question.instruction, question.input) == (task.instruction, task.input)
            assert (graded[id].answers, graded[id].checks) == (task.answers, "")
        else:
            assert graded[id].answers == ()
            assert from_json(graded[id].checks)


def test_checks_grade_what_they_were_made_for(tmp_path: Path) -> None:
    _, graded = asked(ctx_for(tmp_path, 0, 40))
    for probe in constrained(40, ctx_for(tmp_path).seed("constraints")):
        checks = from_json(graded[f"check:{probe.id}"].checks)
        good, bad = planted(probe, 0)
        assert follows(good, checks)
        assert not follows(bad, checks)


def test_categories_are_balanced() -> None:
    found = Counter(task.category for task in drawn(TESTS, 11, hash))
    assert found == {"sum": 6, "colour": 4, "name": 1}
    assert Counter(task.category for task in drawn(TESTS, 3, hash)) == {"sum": 1, "colour": 1, "name": 1}


def test_which_ones_hangs_on_the_seed_and_not_on_the_order(tmp_path: Path) -> None:
    found = {frozenset(asked(ctx_for(tmp_path, key=key * 64))[0]) for key in "abcd"}
    assert len(found) > 1
    texts = {
        tuple(q.instruction for q in asked(ctx_for(tmp_path, 0, key=key * 64))[0].values()) for key in "ab"
    }
    assert len(texts) == 2
    assert asked(ctx_for(tmp_path)) == asked(ctx_for(tmp_path, tests=TESTS[::-1]))


def test_no_question_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langdetect", None)
    probes = constrained(200, 3)
    assert len({probe.instruction for probe in probes}) == 200
    assert not {wanted.id for probe in probes for wanted in probe.checks} & NEED_LANGUAGE
    for probe in probes:
        follows("Anything at all.", probe.checks)


def test_fewer_tests_than_asked_for_are_noted(tmp_path: Path) -> None:
    notes: list[str] = []
    without = [Task("quiz:open", "What do you think?")]
    questions, _ = asked(ctx_for(tmp_path, 99, tests=[*TESTS, *without], note=notes.append))
    assert sum(id.startswith("test:") for id in questions) == len(TESTS)
    assert notes == ["35 test tasks with answers for the exam, where 99 were asked for"]
    assert len(asked(ctx_for(tmp_path, tests=()))[0]) == 6


def test_an_exam_without_a_question_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(YieldError, match="no question") as error:
        asked(ctx_for(tmp_path, 5, 0, tests=()))
    assert "exam.constraints" in error.value.hint


def test_an_interruption_anywhere_changes_nothing(tmp_path: Path) -> None:
    assert len(whole(run, lambda journal: ctx_for(tmp_path, 4, 3, journal=journal))) == 14
