"""Rows of a task file -> Task records, whatever form the rows have.

Knows the four forms people keep tasks in: Self-Instruct (`instances`), Alpaca (`instruction`, `input`, `output`), chat
(`messages`) and tests (`answers`). Does not open files. A row it cannot use becomes a problem in words, never a crash.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from isheep.records import Task, to_json


class BadRowError(ValueError):
    """One row is not a task; the message says which field and why."""


def parse_lines(lines: Iterable[str]) -> tuple[list[Task], list[str]]:
    """JSONL -> (tasks, problems); a problem names its line, counted from 1."""
    tasks: list[Task] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            tasks.append(parse_row(_object(line), fallback_id=f"line_{number:05d}"))
        except BadRowError as error:
            problems.append(f"line {number}: {error}")
    return tasks, problems + _twice(tasks)


def parse_rows(rows: Iterable[Any]) -> tuple[list[Task], list[str]]:
    """Rows already decoded (an Alpaca JSON array, a dataset) -> (tasks, problems)."""
    tasks: list[Task] = []
    problems: list[str] = []
    for number, row in enumerate(rows, 1):
        try:
            tasks.append(parse_row(row, fallback_id=f"row_{number:05d}"))
        except BadRowError as error:
            problems.append(f"row {number}: {error}")
    return tasks, problems + _twice(tasks)


def parse_row(row: Any, fallback_id: str) -> Task:
    """One decoded row -> Task. Raises BadRowError with the field and what was expected."""
    task = _task(row, fallback_id)
    try:
        to_json(task).encode()
    except UnicodeEncodeError:
        raise BadRowError("holds half a surrogate pair (\\ud800 to \\udfff), which is not text") from None
    return task


def _task(row: Any, fallback_id: str) -> Task:
    if not isinstance(row, Mapping):
        raise BadRowError(f"expected a JSON object, found {type(row).__name__}")
    id = str(row.get("id") or fallback_id)
    category = str(row.get("category") or row.get("family") or row.get("name") or "")
    if "messages" in row:
        instruction, output = _chat(row["messages"])
        return Task(id, instruction, "", output, (), category)
    if "instances" in row:
        return _self_instruct(row, id, category)
    if "instruction" not in row:
        raise BadRowError("no field 'instruction' (Alpaca, Self-Instruct) and no field 'messages' (chat)")
    answers = row.get("answers") or ()
    if not isinstance(answers, list | tuple) or not all(isinstance(a, str) and a.strip() for a in answers):
        raise BadRowError("'answers' must be a list of non-empty strings")
    output = _text(row, "output", "")
    return Task(
        id,
        _instruction(row),
        _text(row, "input", ""),
        output or next(iter(answers), ""),
        tuple(answers),
        category,
    )


def _object(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise BadRowError(f"not JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; nested thousands deep
        raise BadRowError(f"not JSON: {error}") from None


def _self_instruct(row: Mapping[str, Any], id: str, category: str) -> Task:
    instances = row["instances"]
    if not isinstance(instances, list) or not instances or not isinstance(instances[0], Mapping):
        raise BadRowError("'instances' must be a non-empty list of objects with 'input' and 'output'")
    first = instances[0]
    return Task(id, _instruction(row), _text(first, "input", ""), _text(first, "output", ""), (), category)


def _chat(messages: Any) -> tuple[str, str]:
    if not isinstance(messages, list):
        raise BadRowError("'messages' must be a list")
    turns = {"user": "", "assistant": ""}
    for number, message in enumerate(messages, 1):
        if not isinstance(message, Mapping) or not isinstance(message.get("content"), str):
            raise BadRowError(f"message {number} needs 'role' and a text 'content'")
        role = message.get("role")
        if role in turns and not turns[role]:
            turns[role] = message["content"].strip()
    if not turns["user"]:
        raise BadRowError("'messages' holds no user turn with text")
    return turns["user"], turns["assistant"]


def _instruction(row: Mapping[str, Any]) -> str:
    text = _text(row, "instruction", None)
    if not text:
        raise BadRowError("'instruction' is empty")
    return text


def _text(row: Mapping[str, Any], field: str, default: str | None) -> str:
    value = row.get(field, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise BadRowError(f"'{field}' must be text, found {type(value).__name__}")
    return value.strip()


def _twice(tasks: Iterable[Task]) -> list[str]:
    seen: set[str] = set()
    problems = []
    for task in tasks:
        if task.id in seen:
            problems.append(f"id {task.id!r} occurs twice")
        seen.add(task.id)
    return problems
