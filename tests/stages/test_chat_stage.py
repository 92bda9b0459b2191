"""chat: every turn of every question is answered, the second with the first before it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.backends.base import Request
from isheep.errors import RecipeError
from isheep.records import Completion, Record, Reply
from isheep.stages.chat import ChatSettings, run
from isheep.stages.stage import Context, outside_files
from toy import Script, context, whole, write_lines

ROWS = [
    {"question_id": 1, "category": "writing", "turns": ["Write a note.", "Make it shorter."]},
    {"question_id": 2, "category": "stem", "turns": ["What is ice?", "And steam?"]},
    {"question_id": 3, "category": "math", "turns": ["2 + 2?"]},
]


def ctx_for(
    folder: Path, engine: Any = None, journal: Sequence[Record] = (), rows: Any = ROWS, **settings: Any
) -> Context[Any]:
    path = write_lines(folder / "question.jsonl", rows)
    rest: dict[str, Any] = {} if engine is None else {"open_engine": lambda: engine}
    asked = ChatSettings(file=str(path), **settings)
    return context(asked, folder, journal=journal, files={"file": path}, **rest)


def replies(ctx: Context[Any]) -> dict[str, Reply]:
    return {record.id: record for record in run(ctx) if isinstance(record, Reply)}


def test_the_second_turn_is_asked_behind_the_first_answer(tmp_path: Path) -> None:
    engine = Script(lambda request: f" Answer to {request.id}.\n")
    found = replies(ctx_for(tmp_path, engine))
    assert engine.prompts["1/1"] == "Question: Write a note.\nAnswer:"
    assert engine.prompts["1/2"] == (
        "Question: Write a note.\nAnswer: Answer to 1/1.\n\nQuestion: Make it shorter.\nAnswer:"
    )
    assert found.keys() == {"1/1", "1/2", "2/1", "2/2", "3/1"}
    # All first turns come before any second one.
    assert [id[-1] for id in engine.asked] == list("11122")


def test_what_a_record_holds(tmp_path: Path) -> None:
    def write(request: Request) -> Completion:
        return Completion(request.id, " Fine.\n", "stop", 12, 3, ended=True)

    found = replies(ctx_for(tmp_path, Script(write)))
    assert found["2/2"] == Reply("2/2", "mt_bench", "2", "Fine.", "stop", True, 2, 12, 3)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(None, [0.7, 0.7, 0.1, 0.1, 0.0]), (0.0, [0.0] * 5), (1.0, [1.0] * 5)],
)
def test_temperatures(tmp_path: Path, asked: float | None, expected: list[float]) -> None:
    seen: dict[str, Request] = {}

    def write(request: Request) -> str:
        seen[request.id] = request
        return "Yes."

    replies(ctx_for(tmp_path, Script(write), temperature=asked, max_tokens=9))
    assert [seen[id].sampling.temperature for id in sorted(seen)] == expected
    assert {r.sampling.max_tokens for r in seen.values()} == {9}
    assert all("\nQuestion:" in r.sampling.stops for r in seen.values())
    assert len({r.seed for r in seen.values()}) == 5


def test_only_the_first_so_many_questions(tmp_path: Path) -> None:
    assert replies(ctx_for(tmp_path, Script(), limit=1)).keys() == {"1/1", "1/2"}


def test_a_conversation_too_long_for_the_context_is_a_reply(tmp_path: Path) -> None:
    def write(request: Request) -> Completion:
        fits = request.id != "1/2"
        return Completion(request.id, "word " * 9 if fits else "", "length" if fits else "too_long", 5, 9)

    found = replies(ctx_for(tmp_path, Script(write)))
    assert (found["1/2"].text, found["1/2"].finish) == ("", "too_long")
    assert found["1/1"].finish == "length"


def test_a_turn_that_got_no_answer_does_not_end_the_conversation(tmp_path: Path) -> None:
    engine = Script(lambda request: "" if request.id == "1/1" else "Yes.")
    found = replies(ctx_for(tmp_path, engine))
    assert (found["1/1"].text, found["1/2"].text) == ("", "Yes.")


def test_an_interruption_anywhere_changes_nothing(tmp_path: Path) -> None:
    found = whole(run, lambda journal: ctx_for(tmp_path, journal=journal))
    assert len(found) == 5


def test_progress(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    ctx = ctx_for(tmp_path, Script())
    ctx.report = lambda *now: told.append(now)
    list(run(ctx))
    assert told == [(n, 5, "replies") for n in range(6)]


def test_mistakes_in_the_file_are_known_before_any_work(tmp_path: Path) -> None:
    ((name, mark),) = outside_files(ChatSettings)
    assert name == "file"
    bad = write_lines(tmp_path / "bad.jsonl", [{"turns": ["fine"]}, {"text": "x"}])
    assert "line 2: no field 'instruction'" in str(mark.problem(bad))
    assert mark.problem(write_lines(tmp_path / "good.jsonl", ROWS)) is None
    with pytest.raises(RecipeError, match="line 1"):
        list(run(ctx_for(tmp_path, rows=[{}])))
