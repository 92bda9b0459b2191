"""The published prompts of IFEval: `ifeval_input_data.jsonl` read into prompts with demands, all mistakes at once.

Knows the file's form (key, prompt, instruction_id_list, kwargs) and nothing of who answers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from isheep.errors import RecipeError
from isheep.verify import grading
from isheep.verify.checks import NEED_LANGUAGE, Demand, demand, problems
from isheep.verify.grading import Graded

#: The published name, looked for where a folder is given.
FILE = "ifeval_input_data.jsonl"
#: How many mistakes of a file one error shows.
SHOWN = 20
FIELDS = ("key", "prompt", "instruction_id_list", "kwargs")


@dataclass(frozen=True, slots=True)
class IfevalPrompt:
    """One prompt, and what it demands; the same type may be demanded twice."""

    key: str
    prompt: str
    checks: tuple[Demand, ...]


def read_ifeval(path: Path) -> tuple[IfevalPrompt, ...]:
    """The prompts of a file (or of FILE in a folder), in its order.

    A null among the arguments means "not of this type" and is dropped; anything else, zeros too, is held to the
    check's own rules. Raises RecipeError naming file, line and field of every mistake.
    """
    path = path / FILE if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refusal(path, [f"not UTF-8 text: {error.reason} at byte {error.start}"]) from error
    except OSError as error:
        raise _refusal(path, [f"cannot be read: {error.strerror}"]) from error
    prompts: dict[str, IfevalPrompt] = {}
    mistakes: list[str] = []
    for number, line in enumerate(
        text.split("\n"), 1
    ):  # not splitlines: U+2028 may stand inside a JSON string
        if line.strip():
            found = _prompt(line)
            if isinstance(found, IfevalPrompt) and found.key in prompts:
                found = [f"key: {found.key} stands in the file twice"]
            if isinstance(found, IfevalPrompt):
                prompts[found.key] = found
            else:
                mistakes += [f"line {number}: {said}" for said in found]
    if not prompts and not mistakes:
        mistakes.append("holds no prompt")
    if mistakes:
        raise _refusal(path, mistakes)
    return tuple(prompts.values())


def needs_language(prompts: tuple[IfevalPrompt, ...]) -> bool:
    """Whether grading them takes telling languages (extra `eval`)."""
    return any(wanted.id in NEED_LANGUAGE for prompt in prompts for wanted in prompt.checks)


def grade(prompt: IfevalPrompt, response: str) -> tuple[Graded, ...]:
    """What came of each instruction of a prompt, in its order."""
    return grading.grade(prompt.checks, response)


def _refusal(path: Path, mistakes: list[str]) -> RecipeError:
    shown = mistakes[:SHOWN]
    if len(mistakes) > SHOWN:
        shown.append(f"... and {len(mistakes) - SHOWN} more")
    return RecipeError(
        f"{path} is no file of IFEval prompts:\n  " + "\n  ".join(shown),
        "each line is a JSON object with `key`, `prompt`, `instruction_id_list` and, for each instruction, `kwargs`",
    )


def _prompt(line: str) -> IfevalPrompt | list[str]:
    """One line as a prompt, or all its mistakes, each with its field."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return [f"not JSON: {error}"]
    if not isinstance(row, Mapping):
        return ["must be a JSON object"]
    mistakes = [f"{name}: is missing" for name in FIELDS if name not in row]
    if mistakes:
        return mistakes
    key, prompt, ids, kwargs = (row[name] for name in FIELDS)
    if isinstance(key, bool) or not isinstance(key, int | str) or not str(key).strip():
        mistakes.append(f"key: must be a number or a name, not {key!r}")
    if not isinstance(prompt, str) or not prompt.strip():
        mistakes.append("prompt: must be a text that is not empty")
    if not isinstance(ids, list) or not ids:
        return [*mistakes, "instruction_id_list: must be a list of at least one id"]
    if not isinstance(kwargs, list) or len(kwargs) != len(ids):
        return [*mistakes, f"kwargs: must be a list of {len(ids)}, one for each instruction"]
    given: list[dict[str, object]] = []
    for place, (id, arguments) in enumerate(zip(ids, kwargs, strict=True)):
        if not isinstance(arguments, Mapping):
            mistakes.append(f"kwargs[{place}]: must be an object, not {arguments!r}")
            continue
        given.append({name: value for name, value in arguments.items() if value is not None})
        field = "kwargs" if isinstance(id, str) else "instruction_id_list"
        mistakes += [f"{field}[{place}]: {said}" for said in problems(id, given[-1])]
    if mistakes:
        return mistakes
    return IfevalPrompt(str(key), prompt, tuple(map(demand, ids, given)))
