"""Question files -> chat questions, whatever form the file has.

Knows three forms: AlpacaEval's JSON list, MT-Bench's JSONL (and FastChat's separate file of reference answers), and
JSONL of one's own. Every row that is no question is named, all at once. Does not know who answers, or who judges.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from isheep.errors import RecipeError
from isheep.text.prompts import request

#: How many bad rows an error lists before it only counts.
SHOWN_PROBLEMS = 20

#: FastChat's names of MT-Bench's question file.
MT_BENCH_FILES = frozenset({"question", "mt_bench_question"})

#: MT-Bench's eight categories, each with the temperature its answers are drawn at: FastChat's `temperature_config`
#: (fastchat/llm_judge/common.py), which the paper's MT-Bench figures were made with.
TEMPERATURES: Mapping[str, float] = {
    "writing": 0.7,
    "roleplay": 0.7,
    "reasoning": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "extraction": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
}

#: The categories of MT-Bench that are judged next to a reference answer (FastChat: NEED_REF_CATS).
REFERENCED = frozenset({"math", "reasoning", "coding"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChatQuestion:
    """One question: what is said to the model, turn by turn."""

    id: str
    turns: tuple[str, ...]
    category: str = ""
    #: Correct answers by turn; "" for a turn without one. Empty, or as long as `turns`.
    references: tuple[str, ...] = ()
    #: A baseline's answer to the only turn, and who gave it; "" where the file has none.
    output: str = ""
    generator: str = ""

    @property
    def prompt_hash(self) -> str:
        """sha256 of the turns."""
        return hashlib.sha256("\x1f".join(self.turns).encode()).hexdigest()

    @property
    def temperature(self) -> float:
        """What this question's answers are drawn at where nothing else is asked for.

        A conversation: MT-Bench's temperature for its category. Anything else is answered greedily: AlpacaEval leaves
        the decoding to each model's own configuration, and a greedy answer is the one that can be had again.
        """
        return TEMPERATURES.get(self.category, 0.0) if len(self.turns) > 1 else 0.0

    def shown_references(self, turn: int) -> tuple[str, ...]:
        """The reference answers a judge of turn `turn` is shown: those up to it, or none unless all are there.

        MT-Bench shows them for maths, reasoning and coding only, though some copies of its file have more.
        """
        given = self.references[:turn]
        unused = self.category in TEMPERATURES and self.category not in REFERENCED
        return given if given and all(given) and not unused else ()


class _BadRowError(ValueError):
    """One row cannot be used; the message says which field and why."""


def task_name(path: Path) -> str:
    """What results of a question file are filed under: "mt_bench" for FastChat's file names, else the file's own."""
    return "mt_bench" if path.stem in MT_BENCH_FILES else path.stem


def read_questions(path: Path) -> tuple[ChatQuestion, ...]:
    """Every question of a file, in its order. Raises RecipeError with every row that is none, and why."""
    questions, problems = _read(path, _question)
    problems += [f"id {id!r} occurs {n} times" for id, n in Counter(q.id for q in questions).items() if n > 1]
    if not questions and not problems:
        problems = ["it is empty"]
    _refuse(
        path,
        "rows that are not questions",
        problems,
        "each row has `instruction` or `turns`, and optionally `id`, `category`, `output`, `references`; AlpacaEval's "
        "and MT-Bench's own files are read as they are",
    )
    return tuple(questions)


def read_references(path: Path) -> dict[str, tuple[str, ...]]:
    """Question id -> reference answers by turn, from FastChat's reference file or rows with `id` and `references`.

    Raises RecipeError with every row that cannot be used.
    """
    rows, problems = _read(path, _reference)
    problems += [f"id {id!r} occurs {n} times" for id, n in Counter(id for id, _ in rows).items() if n > 1]
    if not rows and not problems:
        problems = ["it is empty"]
    _refuse(
        path,
        "rows that are not reference answers",
        problems,
        "each row has `question_id` and `choices` as FastChat writes them, or `id` and `references`",
    )
    return dict(rows)


def with_references(
    questions: Sequence[ChatQuestion], references: Mapping[str, tuple[str, ...]]
) -> tuple[ChatQuestion, ...]:
    """The questions with these references in place of their own; the others keep what they have.

    Raises RecipeError for references to questions that are not there, or that have fewer turns.
    """
    turns = {q.id: len(q.turns) for q in questions}
    problems = [f"{id!r}: there is no such question" for id in references if id not in turns]
    problems += [
        f"{id!r}: {len(given)} references for a question of {turns[id]} turns"
        for id, given in references.items()
        if len(given) > turns.get(id, len(given))
    ]
    if problems:
        raise RecipeError(
            "the reference answers do not belong to these questions:\n  " + "\n  ".join(_shortened(problems)),
            "give the file of reference answers that was written for this question file",
        )
    return tuple(
        replace(q, references=_padded(references[q.id], q.turns)) if q.id in references else q
        for q in questions
    )


# ---------------------------------------------------------------- rows


def _read(path: Path, parse: Callable[[Mapping[str, Any], int], T]) -> tuple[list[T], list[str]]:
    """What `parse` makes of each row, and every problem found, with its place in the file."""
    found: list[T] = []
    problems: list[str] = []
    for number, (place, row) in enumerate(_rows(path), 1):
        try:
            if isinstance(row, _BadRowError):
                raise row
            if not isinstance(row, dict):
                raise _BadRowError(f"expected a JSON object, found {type(row).__name__}")
            found.append(parse(row, number))
        except _BadRowError as error:
            problems.append(f"{place}: {error}")
    return found, problems


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Each row of a JSON list or of JSONL behind its place in the file; a _BadRowError where there is none to read."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors put a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        why = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"{error.strerror}"
        raise RecipeError(f"{path} cannot be read: {why}", "give a file of questions") from error
    if text.lstrip().startswith("["):
        rows = _decoded(text)
        many = rows if isinstance(rows, list) else [rows]
        yield from ((f"row {number}", row) for number, row in enumerate(many, 1))
        return
    for number, line in enumerate(
        text.split("\n"), 1
    ):  # not splitlines: U+2028 may stand inside a JSON string
        if line.strip():
            yield f"line {number}", _decoded(line)


def _decoded(text: str) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        return _BadRowError(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    except UnicodeEncodeError:
        return _BadRowError("holds half a surrogate pair (\\ud800 to \\udfff), which is not text")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; nested thousands deep
        return _BadRowError(f"not JSON: {error}")
    return value


def _question(row: Mapping[str, Any], number: int) -> ChatQuestion:
    if "turns" in row:
        turns = _texts(row, "turns")
        if not turns:
            raise _BadRowError("'turns' must be a list of one text or more")
    elif "instruction" in row:
        turns = (request(_text(row, "instruction"), _text(row, "input")),)
    else:
        raise _BadRowError("no field 'instruction' (AlpacaEval) and no field 'turns' (MT-Bench)")
    if not all(turn.strip() for turn in turns):
        raise _BadRowError(f"'{'turns' if 'turns' in row else 'instruction'}' holds an empty text")
    output = _text(row, "output")
    if output and len(turns) > 1:
        raise _BadRowError("'output' is a baseline's answer to one turn, but there are several")
    return ChatQuestion(
        _id(row) or f"{number:04d}",
        turns,
        _text(row, "category") or _text(row, "dataset"),
        _padded(_given_references(row), turns),
        output,
        _text(row, "generator"),
    )


def _reference(row: Mapping[str, Any], number: int) -> tuple[str, tuple[str, ...]]:
    id = _id(row)
    if not id:
        raise _BadRowError("no field 'question_id' (FastChat) and no field 'id'")
    if "choices" not in row:
        given = _given_references(row)
    else:
        choices = row["choices"]
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise _BadRowError("'choices' must be a list of one object or more, with 'turns'")
        given = _texts(choices[0], "turns")
    if not any(given):
        raise _BadRowError("there is no reference answer in 'choices' or 'references'")
    return id, given


def _id(row: Mapping[str, Any]) -> str:
    for field in ("id", "question_id"):
        value = row.get(field)
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            raise _BadRowError(f"'{field}' must be text or a whole number, found {type(value).__name__}")
        if value is not None and str(value).strip():
            return str(value).strip()
    return ""


def _given_references(row: Mapping[str, Any]) -> tuple[str, ...]:
    """MT-Bench calls them `reference`. null, in the list or for it, is none."""
    field = "references" if "references" in row else "reference"
    value = row.get(field)
    if value is None or isinstance(value, str):
        return (value,) if value else ()
    return _texts({field: ["" if text is None else text for text in _list(row, field)]}, field)


def _padded(given: tuple[str, ...], turns: Sequence[str]) -> tuple[str, ...]:
    if len(given) > len(turns):
        raise _BadRowError(f"{len(given)} references for {len(turns)} turns")
    return (*given, *[""] * (len(turns) - len(given))) if any(given) else ()


def _list(row: Mapping[str, Any], field: str) -> list[Any]:
    value = row.get(field)
    if not isinstance(value, list):
        raise _BadRowError(f"'{field}' must be a list of texts, found {type(value).__name__}")
    return value


def _texts(row: Mapping[str, Any], field: str) -> tuple[str, ...]:
    values = _list(row, field)
    if not all(isinstance(value, str) for value in values):
        raise _BadRowError(f"'{field}' must be a list of texts")
    return tuple(values)


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _BadRowError(f"'{field}' must be text, found {type(value).__name__}")
    return value


def _refuse(path: Path, what: str, problems: list[str], hint: str) -> None:
    if problems:
        raise RecipeError(f"{path.name} holds {what}:\n  " + "\n  ".join(_shortened(problems)), hint)


def _shortened(problems: list[str]) -> list[str]:
    more = len(problems) - SHOWN_PROBLEMS
    return [*problems[:SHOWN_PROBLEMS], f"... and {more} more"] if more > 0 else problems
