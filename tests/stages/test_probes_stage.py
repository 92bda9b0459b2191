"""probes: planted answers to seed tasks, which go through the judge as the model's own do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.records import Pair, Record, Task, Verdict
from isheep.stages import assessment
from isheep.stages.assessment import PROMPT_SET, AssessmentSettings
from isheep.stages.probes import ProbesSettings, run
from isheep.stages.stage import Context
from isheep.text.probes import KINDS
from toy import SEEDS, context, whole

TASKS = [Task(row["id"], row["instruction"], row.get("input", ""), row["output"]) for row in SEEDS]


def ctx_for(
    folder: Path, count: int = 4, seeds: Sequence[Task] = TASKS, journal: Sequence[Record] = (), **rest: Any
) -> Context[Any]:
    return context(ProbesSettings(count=count), folder, {"seeds": seeds}, journal, **rest)


def planted(ctx: Context[Any]) -> dict[str, Pair]:
    return {record.id: record for record in run(ctx) if isinstance(record, Pair)}


def test_five_answers_to_each_task(tmp_path: Path) -> None:
    found = planted(ctx_for(tmp_path))
    tasks = {id.partition(":")[0] for id in found}
    assert len(tasks) == 4
    assert found.keys() == {f"{task}:{kind}" for task in tasks for kind in KINDS}
    for task in TASKS:
        if task.id in tasks:
            right = found[f"{task.id}:right"]
            assert (right.instruction, right.input, right.response) == (
                task.instruction, task.input, task.output,
            )  # fmt: skip
            assert found[f"{task.id}:wrong"].response not in (task.output, "")
            assert found[f"{task.id}:empty"].response == ""


def test_no_more_tasks_than_there_are(tmp_path: Path) -> None:
    assert len(planted(ctx_for(tmp_path, 99))) == len(TASKS) * len(KINDS)


def test_which_tasks_hangs_on_the_key(tmp_path: Path) -> None:
    drawn = {frozenset(planted(ctx_for(tmp_path, 2, key=key * 64))) for key in "abcd"}
    assert len(drawn) > 1


@pytest.mark.parametrize(
    "seeds",
    [
        [Task(t.id, t.instruction, t.input) for t in TASKS],
        TASKS[:1],
        [Task(t.id, t.instruction, t.input, "yes") for t in TASKS],
    ],
    ids=["no outputs", "one task", "one and the same output"],
)
def test_nothing_to_plant_is_noted(tmp_path: Path, seeds: list[Task]) -> None:
    notes: list[str] = []
    assert planted(ctx_for(tmp_path, seeds=seeds, note=notes.append)) == {}
    assert notes == [
        "too few seed tasks have an `output` to plant answers from, so the judge cannot be probed"
    ]


def test_an_interruption_anywhere_changes_nothing(tmp_path: Path) -> None:
    assert len(whole(run, lambda journal: ctx_for(tmp_path, 2, journal=journal))) == 2 * len(KINDS)


def test_they_are_judged_as_any_answer(tmp_path: Path) -> None:
    found = planted(ctx_for(tmp_path))
    prompts = PROMPT_SET.place(Path(assessment.__file__).parents[1] / "prompts/judge/simple/quality.txt")
    ctx = context(
        AssessmentSettings(), tmp_path, {"responses": list(found.values())}, files={"prompts": prompts}
    )
    verdicts = list(assessment.run(ctx))
    assert {v.pair for v in verdicts if isinstance(v, Verdict)} == set(found)
