"""What the end of a program says about the model that wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

import isheep.sandbox
from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.lm_eval import LmEvalExaminer
from isheep.records import Item
from isheep.sandbox import Outcome, Program


def test_a_program_that_could_not_be_run_is_missing_and_not_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = {"a": "passed", "b": "failed", "c": "timeout", "d": "error"}

    def run_checks(programs: Sequence[Program], workers: int = 1) -> Iterator[Outcome]:
        for program in programs:
            yield Outcome(program.id, ends[program.id] == "passed", ends[program.id], "")  # type: ignore[arg-type]

    monkeypatch.setattr(isheep.sandbox, "run_checks", run_checks)
    pending = [(Item(id, "humaneval", id, "", id, "pass@1", None, "", 3, "x"), "code") for id in ends]
    scored = LmEvalExaminer(ModelSpec("any"), Runtime())._run(pending)
    assert {item.id: item.value for item in scored} == {"a": 1.0, "b": 0.0, "c": 0.0, "d": None}
