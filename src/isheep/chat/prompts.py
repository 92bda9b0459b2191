"""Judge prompts -> the messages a judge is shown.

Knows two forms: a folder of our own templates, and FastChat's file of judge prompts, by its published fields. Model
text is put into a template in one pass and is never one itself. Does not know how verdicts are read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from isheep.errors import RecipeError
from isheep.text.prompts import fields, fill

#: Chat messages as (role, content).
Messages = tuple[tuple[str, str], ...]
#: What a judge is asked for: a choice with reasons, the label of its choice as the first token, a grade with reasons.
Kind = Literal["pairwise", "label", "graded"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a judge is to see: a conversation of so many turns as one or two models led it."""

    turns: tuple[str, ...]
    #: One model's answers, or two models' in the order they are shown; each as long as `turns`.
    answers: tuple[tuple[str, ...], ...]
    #: Correct answers, as long as `turns`; empty for none.
    references: tuple[str, ...] = ()


class Prompts(Protocol):
    """A set of judge prompts."""

    @property
    def name(self) -> str:
        """What verdicts are signed with: the set's name and a digest of its wording."""
        ...

    def lacks(self, kind: Kind, turns: int) -> str | None:
        """Why this set cannot ask so about conversations of so many turns; None when it can."""
        ...

    def messages(self, kind: Kind, shown: Shown) -> Messages: ...


def read_prompts(path: Path) -> Prompts:
    """Our own form (a folder) or FastChat's (a file). Raises RecipeError with everything that is wrong."""
    return _read_folder(path) if path.is_dir() else _read_fastchat(path)


# ---------------------------------------------------------------- our own form

_REFERENCE = "reference"
#: Template -> the fields it must have. `reference` is put where {reference} stands, or nothing is.
TEMPLATES: Mapping[str, frozenset[str]] = {
    "graded": frozenset({"conversation", _REFERENCE}),
    "pairwise": frozenset({"requests", "answers_a", "answers_b", _REFERENCE}),
    "label": frozenset({"requests", "answers_a", "answers_b", _REFERENCE}),
    _REFERENCE: frozenset({_REFERENCE}),
}


@dataclass(frozen=True, slots=True)
class FolderPrompts:
    """Templates of our own: one message from the user, for any number of turns."""

    name: str
    templates: Mapping[str, str]

    def lacks(self, kind: Kind, turns: int) -> str | None:
        return None

    def messages(self, kind: Kind, shown: Shown) -> Messages:
        values = {_REFERENCE: self._reference(shown.references)}
        if kind == "graded":
            values["conversation"] = _conversation(shown.turns, shown.answers[0])
        else:
            values["requests"] = _numbered("Request", shown.turns)
            values["answers_a"], values["answers_b"] = (_numbered("Answer", a) for a in shown.answers)
        template = self.templates[kind]
        if not shown.references:  # the blank line around the field goes with it
            template = template.replace("{reference}\n\n", "")
        return (("user", fill(template, **values)),)

    def _reference(self, references: tuple[str, ...]) -> str:
        text = _numbered("Request", references)
        return fill(self.templates[_REFERENCE], reference=text) if references else ""


def _numbered(word: str, texts: Sequence[str]) -> str:
    """One text as it is; several below their numbers."""
    if len(texts) == 1:
        return texts[0].strip()
    return "\n\n".join(f"{word} {n}:\n{text.strip()}" for n, text in enumerate(texts, 1))


def _conversation(turns: Sequence[str], answers: Sequence[str]) -> str:
    said = zip(turns, answers, strict=True)
    one = len(turns) == 1
    return "\n\n".join(
        f"Request{'' if one else f' {n}'}:\n{asked.strip()}\n\nAnswer{'' if one else f' {n}'}:\n{answer.strip()}"
        for n, (asked, answer) in enumerate(said, 1)
    )


def _read_folder(path: Path) -> FolderPrompts:
    templates: dict[str, str] = {}
    problems: list[str] = []
    for name, wanted in TEMPLATES.items():
        try:
            templates[name] = (path / f"{name}.txt").read_text(encoding="utf-8").strip()
        except UnicodeDecodeError:
            problems.append(f"{name}.txt: is not UTF-8 text")
        except OSError as error:
            problems.append(f"{name}.txt: {error.strerror}")
        else:
            if wrong := fields(templates[name]) ^ wanted:
                names = ", ".join(f"{{{field}}}" for field in sorted(wrong))
                problems.append(f"{name}.txt: missing or unknown fields: {names}")
    _refuse(path, problems, f"a folder of judge prompts holds {', '.join(f'{n}.txt' for n in TEMPLATES)}")
    return FolderPrompts(_signed(path.name, templates), templates)


# ---------------------------------------------------------------- FastChat's form

#: A field, or a doubled brace, which stands for one: the templates are written for Python's format.
_FORMAT = re.compile(r"\{\{|\}\}|\{([a-z_]+[0-9]?)\}")
_ONE = {"question", "ref_answer_1"}
_TWO = {"question_1", "question_2", "ref_answer_1", "ref_answer_2"}
#: (type, turns) -> the fields a template may have, by FastChat's `run_judge_single` and `run_judge_pair`.
_FIELDS: Mapping[tuple[str, int], set[str]] = {
    ("single", 1): _ONE | {"answer"},
    ("single", 2): _TWO | {"answer_1", "answer_2"},
    ("pairwise", 1): _ONE | {"answer_a", "answer_b"},
    ("pairwise", 2): _TWO | {"answer_a_1", "answer_a_2", "answer_b_1", "answer_b_2"},
}
_FORMATS = {"single": "[[rating]]", "pairwise": "[[A]]"}
_TYPES: Mapping[Kind, str] = {"pairwise": "pairwise", "graded": "single"}


@dataclass(frozen=True, slots=True)
class FastChatPrompts:
    """FastChat's templates by (type, turns, whether a reference is shown), each as (system message, template)."""

    name: str
    templates: Mapping[tuple[str, int, bool], tuple[str, str]]

    def lacks(self, kind: Kind, turns: int) -> str | None:
        if kind not in _TYPES:
            return "FastChat's judge prompts ask for reasons first, so no verdict is the first token"
        if any((_TYPES[kind], n, False) not in self.templates for n in range(1, min(turns, 2) + 1)):
            return f"there is no prompt of type {_TYPES[kind]!r} for each turn"
        return "FastChat's judge prompts know two turns at most" if turns > 2 else None

    def messages(self, kind: Kind, shown: Shown) -> Messages:
        turns = len(shown.turns)
        key = (_TYPES[kind], turns, bool(shown.references))
        system, template = self.templates.get(key) or self.templates[_TYPES[kind], turns, False]
        values = {f"ref_answer_{n}": text for n, text in enumerate(shown.references, 1)}
        values |= {f"question{_n(n, turns)}": text for n, text in enumerate(shown.turns, 1)}
        sides = ("",) if kind == "graded" else ("_a", "_b")
        for side, answers in zip(sides, shown.answers, strict=True):
            values |= {f"answer{side}{_n(n, turns)}": text for n, text in enumerate(answers, 1)}
        text = _FORMAT.sub(lambda m: values[m[1]] if m[1] else m[0][0], template)
        return (*((("system", system),) if system.strip() else ()), ("user", text))


def _n(number: int, turns: int) -> str:
    return f"_{number}" if turns > 1 else ""


def _read_fastchat(path: Path) -> FastChatPrompts:
    templates: dict[tuple[str, int, bool], tuple[str, str]] = {}
    names: dict[tuple[str, int, bool], str] = {}
    problems: list[str] = []
    for place, row in _json_lines(path, problems):
        wrong = _row_problem(row)
        if wrong:
            problems.append(f"{place}: {wrong}")
            continue
        used = set(filter(None, _FORMAT.findall(row["prompt_template"])))
        key = (row["type"], 2 if "question_2" in used else 1, "ref_answer_1" in used)
        if key in names:
            problems.append(f"{place}: {row['name']!r} and {names[key]!r} are for the same use; keep one")
        names[key] = row["name"]
        templates[key] = (row["system_prompt"], row["prompt_template"])
    if not templates and not problems:
        problems.append("it is empty")
    hint = "each line has `name`, `type` (single or pairwise), `system_prompt` and `prompt_template`"
    _refuse(path, problems, hint)
    shown = {names[key]: "\x1f".join(texts) for key, texts in templates.items()}
    return FastChatPrompts(_signed("fastchat", shown), templates)


def _json_lines(path: Path, problems: list[str]) -> Iterator[tuple[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError:
        problems.append("it is not UTF-8 text")
        return
    except OSError as error:
        problems.append(f"it cannot be read: {error.strerror}")
        return
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except (ValueError, RecursionError) as error:
                problems.append(f"line {number}: not JSON: {error}")


def _row_problem(row: Any) -> str | None:
    """What makes a line of FastChat's file useless, in words."""
    if not isinstance(row, dict):
        return f"expected a JSON object, found {type(row).__name__}"
    for field in ("name", "type", "system_prompt", "prompt_template"):
        if not isinstance(row.get(field), str):
            return f"'{field}' must be text"
    type_ = row["type"]
    if type_ not in _FORMATS:
        return f"'type' must be single or pairwise, found {type_!r}"
    if row.get("output_format", _FORMATS[type_]) != _FORMATS[type_]:
        return f"'output_format' must be {_FORMATS[type_]!r}, as other forms of verdict are not read"
    used = set(filter(None, _FORMAT.findall(row["prompt_template"])))
    turns = 2 if "question_2" in used else 1
    known = _FIELDS[type_, turns]
    needed = {field for field in known if not field.startswith("ref_")}
    if wrong := (used - known) | (needed - used):
        return f"'prompt_template' has missing or unknown fields: {', '.join(sorted(wrong))}"
    if 0 < len(used & _TWO & {"ref_answer_1", "ref_answer_2"}) < turns:
        return "'prompt_template' shows the reference answer of one turn only"
    return None


def _signed(name: str, texts: Mapping[str, str]) -> str:
    whole = json.dumps(dict(sorted(texts.items())), ensure_ascii=False)
    return f"{name} {hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def _refuse(path: Path, problems: list[str], hint: str) -> None:
    if problems:
        raise RecipeError(
            f"the judge prompts in {path.name} cannot be used:\n  " + "\n  ".join(problems), hint
        )
