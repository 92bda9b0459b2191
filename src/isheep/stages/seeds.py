"""seeds: read the tasks people wrote.

The paper starts from 175 seed tasks. The same stage reads the held-out test tasks of `evaluate`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from isheep.errors import RecipeError
from isheep.records import Record, Task
from isheep.stages.stage import Context, OutsideFile, Settings, Stage
from isheep.text.tasks import parse_lines, parse_rows

#: How many bad lines an error lists before it only counts.
SHOWN_PROBLEMS = 20


class SeedsSettings(Settings):
    file: Annotated[str, OutsideFile("seeds", ".jsonl", is_data=True)] = "general"
    """The seed tasks: `general` (175 tasks for real models), `lamb` (175 in the embedded model's words), or a path to
    Self-Instruct JSONL, Alpaca JSON or JSONL, chat `messages` JSONL, or a data set folder in hub format."""
    prefix: str = ""
    """Put before every id, so that tasks of several files can stand side by side."""


def read_tasks(path: Path) -> tuple[list[Task], list[str]]:
    """Tasks of a file or data set folder, and every problem found in it."""
    if path.is_dir():
        return parse_rows(_dataset_rows(path))
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors put a byte order mark
    except UnicodeDecodeError as error:
        return [], [f"not UTF-8 text: {error.reason} at byte {error.start}"]
    if text.lstrip().startswith("["):
        try:
            return parse_rows(json.loads(text))
        except json.JSONDecodeError as error:
            return [], [f"not JSON: {error.msg} at line {error.lineno}"]
        except (
            ValueError,
            RecursionError,
        ) as error:  # a number of thousands of digits; nested thousands deep
            return [], [f"not JSON: {error}"]
    return parse_lines(text.split("\n"))  # not splitlines: U+2028 may stand inside a JSON string


def _dataset_rows(folder: Path) -> list[object]:
    import datasets

    datasets.disable_progress_bars()
    try:
        loaded = datasets.load_dataset(str(folder))
    except Exception as error:  # the library raises many kinds; all mean the same here
        raise RecipeError(
            f"{folder} is not a data set folder: {error}", "give a folder with parquet, JSON or CSV files"
        ) from error
    split = "train" if "train" in loaded else next(iter(loaded))
    return list(loaded[split])


def run(ctx: Context[SeedsSettings]) -> Iterator[Record]:
    path = ctx.files["file"]
    tasks, problems = read_tasks(path)
    if problems:
        shown = problems[:SHOWN_PROBLEMS]
        if len(problems) > len(shown):
            shown.append(f"... and {len(problems) - len(shown)} more")
        count = (
            "1 row that is not a task" if len(problems) == 1 else f"{len(problems)} rows that are not tasks"
        )
        raise RecipeError(
            f"{path.name} holds {count}:\n  " + "\n  ".join(shown),
            "each line is a JSON object with `instruction`, and optionally `input` and `output`",
        )
    if not tasks:
        raise RecipeError(f"{path.name} holds no task", "give a file with at least one task a line")
    yield from (replace(task, id=f"{ctx.settings.prefix}{task.id}") for task in tasks)


STAGE = Stage("seeds", 1, SeedsSettings, run, (Task,))
