"""benchmarks: fixed benchmarks, asked by an examiner in a process of its own; every scored item is a record.

Summaries, intervals and comparisons are made later, from the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from isheep.backends.outside import Examination
from isheep.benchmarks import BENCHMARKS, resolve
from isheep.errors import RecipeError
from isheep.records import Item, Record, Reply
from isheep.stages.stage import Context, OutsideFile, Settings, Stage


class DataFolder(OutsideFile):
    """Marks a setting that names a folder with local copies of benchmarks; what it holds enters the key."""

    def problem(self, path: Path) -> str | None:
        return (
            OutsideFile.problem(self, path) if path.is_dir() else "is a file, expected a folder of data files"
        )


class BenchmarksSettings(Settings):
    tasks: tuple[str, ...] = ()
    """Fixed benchmarks by name, or groups of them (`paper_standard`, `paper_code`, `paper_knowledge`). With none,
    nothing is asked."""
    data_dir: Annotated[str | None, DataFolder("benchmarks", "/data", is_data=True)] = None
    """Folder with local copies of their data (docs/benchmarks.md shows the forms); nothing is then looked for on the
    network. Without it they come from the hub."""
    limit: int | None = Field(None, ge=1)
    """Only the first so many documents of each (of each subject); for a trial run, as the first are no sample."""
    shots: int | None = Field(None, ge=0)
    """Examples shown before each question; null: as the harness's task says (3 for mbpp, else none)."""
    layout: Literal["none", "model"] = "none"
    """Prompts as each benchmark writes them, or put into the model's layout."""
    max_tokens: int | None = Field(None, ge=1)
    """Longest answer in tokens, where the model writes; null: as each task says."""

    @field_validator("tasks")
    @classmethod
    def _known_tasks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return resolve(names)
        except RecipeError as error:
            raise ValueError(f"{error.message}; {error.hint}") from error


def run(ctx: Context[BenchmarksSettings]) -> Iterator[Record]:
    settings = ctx.settings
    if not settings.tasks:
        return
    what = Examination(
        tasks=resolve(settings.tasks),
        data_dir=ctx.files.get("data_dir"),
        limit=settings.limit,
        shots=settings.shots,
        layout=ctx.layout if settings.layout == "model" else "",
        max_tokens=settings.max_tokens,
    )
    done = {*ctx.written(Item), *ctx.written(Reply)}
    groups = {(item.task, item.group) for item in ctx.written(Item).values()}
    for record in ctx.examiner().examine(
        what, ctx.folder, lambda done, total: ctx.report(done, total, "documents"), skip=done
    ):
        yield record
        if isinstance(record, Item):
            groups.add((record.task, record.group))
    for name in what.tasks:
        subjects, asked = BENCHMARKS[name].subjects, {group for task, group in groups if task == name}
        if len(asked) < len(subjects):
            ctx.note(
                f"{name}: {len(asked)} of {len(subjects)} subjects were asked; the data folder has no others"
            )


STAGE = Stage("benchmarks", 1, BenchmarksSettings, run, (Item, Reply), needs="examiner")
