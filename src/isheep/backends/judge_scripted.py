"""A judge without a model: says what a file tells it to say, or follows a plain policy. For tests and to try a recipe.

Knows: the forms in which judge prompts ask for a verdict. Does not know: which answer is better.

Policies: `first` holds with the answer shown first, `longer` with the longer one (and grades by length), `garbage`
never says anything that can be read. All three are bad judges, and an evaluation has to find that out.
A file has one JSON object a line: {"match": "...", "text": "..."}, or "error" in place of "text". The first line whose
`match` occurs in a message answers it ("" occurs in all); "logprobs": {"A": -0.1} is optional.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from isheep.backends.base import Runtime
from isheep.backends.judge_cache import Said, Spent, Tally
from isheep.backends.names import unknown
from isheep.backends.outside import JudgeReply, JudgeRequest, JudgeSpec
from isheep.errors import RecipeError

#: A line that separates the parts of a judge's prompt: "===== what A answered =====", "[The Start of ... A's Answer]".
_MARK = re.compile(r"^(?:=====|\[The (?:Start|End)\b).*$", re.MULTILINE)
#: Characters of answer for each further point of a grade by length.
_POINT = 100
#: How sure it is of the letter it says, where probabilities are asked for.
_SURE = 0.9


class ScriptedJudge:
    """Same request, same reply, everywhere. Costs nothing, so nothing is kept in a cache."""

    device_name = "none"
    parameters: int | None = None

    def __init__(self, spec: JudgeSpec, runtime: Runtime) -> None:
        self.name = spec.model or f"scripted {Path(spec.script).name}"
        if spec.script in POLICIES:
            self._answer: Callable[[JudgeRequest], Said | str] = POLICIES[spec.script]
        elif Path(spec.script).is_file():
            self._answer = _Script(Path(spec.script))
        else:
            raise unknown("policy or file of a scripted judge", spec.script, POLICIES)
        self._tally = Tally()

    @property
    def spent(self) -> Spent:
        return self._tally.spent

    def judge(self, requests: Sequence[JudgeRequest], skip: Collection[str] = ()) -> Iterator[JudgeReply]:
        for request in requests:
            if request.id in skip:
                continue
            said = self._answer(request)
            if isinstance(said, str):
                yield JudgeReply(request.id, "", error=said)
            else:
                self._tally.add(said, cached=False)
                yield said.reply(request.id, cached=False)

    def close(self) -> None:
        pass


def _first(request: JudgeRequest) -> Said:
    return _said(request, "A", 10)


def _longer(request: JudgeRequest) -> Said:
    parts = _parts(request)
    a, b = parts.get("A", 0), parts.get("B", 0)
    grade = 1 + (sum(parts.values()) or len(_text(request))) // _POINT
    return _said(request, "A" if a >= b else "B", min(10, grade))


def _garbage(request: JudgeRequest) -> Said:
    return Said("I would rather speak of the weather.", tokens=7)


POLICIES: Mapping[str, Callable[[JudgeRequest], Said | str]] = {
    "first": _first,
    "longer": _longer,
    "garbage": _garbage,
}


class _Script:
    """The lines of a file, read once. Raises RecipeError with every line that is none."""

    def __init__(self, path: Path) -> None:
        self._lines: list[tuple[str, Said | str]] = []
        problems = []
        for number, line in enumerate(_text_of(path).split("\n"), 1):
            if line.strip():
                try:
                    self._lines.append(_line(line))
                except (ValueError, TypeError, AttributeError, RecursionError) as error:
                    problems.append(f"line {number}: {type(error).__name__}: {error}")
        if problems or not self._lines:
            raise RecipeError(
                f"{path} is no script of a judge:\n  " + "\n  ".join(problems or ["the file is empty"]),
                'each line is {"match": "...", "text": "..."}, or has "error" in place of "text"',
            )

    def __call__(self, request: JudgeRequest) -> Said | str:
        text = _text(request)
        return next((said for match, said in self._lines if match in text), "no line of the script matches")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors put a byte order mark
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"judge.script: {path} is not UTF-8 text (byte {error.start})", "save it as UTF-8"
        ) from error


def _line(line: str) -> tuple[str, Said | str]:
    row = json.loads(line)
    match, logprobs = row.pop("match", ""), tuple(row.pop("logprobs", {}).items())
    (name, text), *more = row.items()
    if more or name not in ("text", "error") or not isinstance(text, str) or not isinstance(match, str):
        raise ValueError("expected `match`, and `text` or `error`")
    return match, text if name == "error" else Said(text, logprobs=logprobs, tokens=len(text.split()))


def _text(request: JudgeRequest) -> str:
    return "\n".join(content for _, content in request.messages)


def _parts(request: JudgeRequest) -> dict[str, int]:
    """Characters of each assistant's part between the marks, "" for parts of neither."""
    text, found = _text(request), dict[str, int]()
    marks = list(_MARK.finditer(text))
    for mark, following in pairwise(marks):
        whose = re.search(r"\b[AB]\b", mark[0]) if "The End" not in mark[0] else None
        name = whose[0] if whose else ""
        found[name] = found.get(name, 0) + len(text[mark.end() : following.start()].strip())
    return found


def _said(request: JudgeRequest, letter: str, grade: int) -> Said:
    """A verdict in the form the prompt asks for: a bare letter, [[A]], "Verdict: A"; [[7]], "Grade: 7"."""
    text = _text(request)
    compares = {"A", "B"} <= _parts(request).keys()
    value = letter if compares else str(grade)
    logprobs: tuple[tuple[str, float], ...] = ()
    if "[[" in text:
        said = f"So be it. [[{value}]]"
    elif compares and "single letter" in text:
        said = letter
        if request.top_logprobs:
            other = "B" if letter == "A" else "A"
            logprobs = ((letter, math.log(_SURE)), (other, math.log(1 - _SURE)))
    else:
        said = f"So be it.\n{'Verdict' if compares else 'Grade'}: {value}"
    return Said(said, logprobs=logprobs, prompt_tokens=len(text.split()), tokens=len(said.split()))
