"""benchmarks: what is asked of the examiner, what is not asked twice, and what is remarked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from isheep.backends import open_examiner
from isheep.backends.base import ModelSpec, Progress, Runtime
from isheep.backends.outside import Examination
from isheep.records import Item, Record, Reply
from isheep.stages.benchmarks import STAGE, BenchmarksSettings, DataFolder, run
from isheep.stages.stage import outside_files
from toy import context


class Watched:
    """The fake examiner, with what it was asked."""

    def __init__(self) -> None:
        self.inner = open_examiner("fake", ModelSpec("toy"), Runtime(allow_code_execution=True))
        self.asked: list[Examination] = []

    def examine(
        self, what: Examination, folder: Path, progress: Progress, skip: Collection[str] = ()
    ) -> Iterator[Item | Reply]:
        self.asked.append(what)
        return self.inner.examine(what, folder, progress, skip)


def go(
    folder: Path, journal: Sequence[Record] = (), examiner: Any = None, files: Any = None, **settings: Any
) -> tuple[list[Record], list[str], list[tuple[int, int, str]]]:
    notes: list[str] = []
    told: list[tuple[int, int, str]] = []
    ctx = context(
        BenchmarksSettings(**settings), folder, {}, journal,
        open_examiner=lambda: examiner or Watched(), layout="chatml", files=files or {},
        note=notes.append, report=lambda *what: told.append(what),
    )  # fmt: skip
    return list(run(ctx)), notes, told


def test_without_tasks_nobody_is_asked(tmp_path: Path) -> None:
    ctx = context(BenchmarksSettings(), tmp_path, {})
    assert list(run(ctx)) == []  # it was given no examiner


def test_groups_are_asked_as_their_members(tmp_path: Path) -> None:
    examiner = Watched()
    records, notes, told = go(
        tmp_path, examiner=examiner, tasks=("paper_code", "siqa"), limit=2, max_tokens=9
    )
    assert examiner.asked == [
        Examination(("humaneval", "humaneval_plus", "mbpp", "social_iqa"), limit=2, max_tokens=9)
    ]
    assert {type(record) for record in records} == set(STAGE.writes)
    assert told[-1] == (8, 8, "documents")
    assert notes == []


def test_the_models_layout_and_the_data_folder_reach_the_examiner(tmp_path: Path) -> None:
    examiner = Watched()
    with pytest.raises(Exception, match="piqa: no file"):
        go(
            tmp_path, examiner=examiner, tasks=("piqa",), layout="model", shots=3, data_dir="./rows",
            files={"data_dir": tmp_path},
        )  # fmt: skip
    assert examiner.asked == [Examination(("piqa",), data_dir=tmp_path, shots=3, layout="chatml")]


def test_an_interrupted_step_is_gone_on_with(tmp_path: Path) -> None:
    whole, _, _ = go(tmp_path, tasks=("triviaqa", "piqa"))
    rest, _, _ = go(tmp_path, journal=whole[:9], tasks=("triviaqa", "piqa"))
    assert rest == whole[9:]


def test_subjects_that_are_missing_are_remarked(tmp_path: Path) -> None:
    whole, notes, _ = go(tmp_path, tasks=("mmlu", "piqa"))
    assert notes == ["mmlu: 3 of 57 subjects were asked; the data folder has no others"]
    _, again, _ = go(tmp_path, journal=whole, tasks=("mmlu", "piqa"))
    assert again == notes


@pytest.mark.parametrize(
    "wrong", [{"tasks": ("boolqq",)}, {"tasks": ("paper_chat",)}, {"limit": 0}, {"shots": -1}]
)
def test_settings_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        BenchmarksSettings(**wrong)
    assert "boolqq" not in str(wrong) or "did you mean 'boolq'?" in str(caught.value)


def test_a_group_and_its_members_are_the_same_setting() -> None:
    assert BenchmarksSettings(tasks=("paper_knowledge",)) == BenchmarksSettings(
        tasks=("nq_open", "triviaqa", "squadv2")
    )


def test_the_data_folder_is_an_outside_file_and_must_be_a_folder(tmp_path: Path) -> None:
    ((name, mark),) = outside_files(BenchmarksSettings)
    assert (name, type(mark)) == ("data_dir", DataFolder)
    assert mark.problem(tmp_path) == "is an empty folder"
    (tmp_path / "piqa.jsonl").write_text("{}\n", encoding="utf-8")
    assert mark.problem(tmp_path) is None
    assert "expected a folder" in str(mark.problem(tmp_path / "piqa.jsonl"))
