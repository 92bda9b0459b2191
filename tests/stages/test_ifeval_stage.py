"""ifeval: replies and grades, the four accuracies, resuming, and files that are refused before a model is loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.backends.base import Request
from isheep.errors import MissingExtraError, RecipeError
from isheep.records import Completion, Item, Record, Reply
from isheep.stages.ifeval import PROMPTS, STAGE, IfevalSettings, items, run
from isheep.verify import METRICS, language
from isheep.verify.ifeval import read_ifeval
from toy import Script, context, write_lines

ROWS = [
    {"key": 10, "prompt": "Name rivers.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    {
        "key": 2,
        "prompt": "Say it in quotes.",
        "instruction_id_list": ["startend:quotation", "length_constraints:number_words"],
        "kwargs": [{}, {"num_words": 3, "relation": "at least"}],
    },
    {
        "key": 5,
        "prompt": "Title, please.",
        "instruction_id_list": ["detectable_format:title"],
        "kwargs": [{}],
    },
]
SAID = {
    "Name rivers.": " Rhine, Elbe",
    "Say it in quotes.": 'Sure:\n"one two three"',
    "Title, please.": "<<It>>",
}


def answer(request: Request) -> str:
    return next(text for asked, text in SAID.items() if asked in request.prompt)


def ctx_for(
    folder: Path, engine: Any, journal: Sequence[Record] = (), rows: Any = ROWS, **settings: Any
) -> Any:
    path = write_lines(folder / "prompts.jsonl", rows)
    return context(
        IfevalSettings(file=str(path), **settings), folder, {}, journal,
        files={"file": path}, open_engine=lambda: engine,
    )  # fmt: skip


def values(records: Sequence[Record], metric: str) -> list[float | None]:
    return [r.value for r in records if isinstance(r, Item) and r.metric == metric]


def test_not_asked_without_a_file(tmp_path: Path) -> None:
    def never() -> None:
        raise AssertionError("a model was loaded")

    assert list(run(context(IfevalSettings(), tmp_path, open_engine=never))) == []


def test_replies_and_grades(tmp_path: Path) -> None:
    engine = Script(answer)
    records = list(run(ctx_for(tmp_path, engine)))
    replies = [r for r in records if isinstance(r, Reply)]
    assert {(r.id, r.task, r.prompt, r.text) for r in replies} == {
        ("ifeval/10", "ifeval", "10", " Rhine, Elbe"),
        ("ifeval/2", "ifeval", "2", 'Sure:\n"one two three"'),
        ("ifeval/5", "ifeval", "5", "<<It>>"),
    }
    assert [values(records, metric) for metric in METRICS] == [
        [0, 0, 1],
        [0, 1, 1],
        [0, 0, 1, 1],
        [0, 1, 1, 1],
    ]
    first = next(r for r in records if isinstance(r, Item) and r.id == "ifeval/2/1/inst_level_loose_acc")
    assert first == Item(
        "ifeval/2/1/inst_level_loose_acc", "ifeval", "2", "1", "2", "inst_level_loose_acc", 1.0,
        hashlib.sha256(b"Say it in quotes.").hexdigest(), len('Sure:\n"one two three"'), "isheep.verify 1",
        "length_constraints:number_words", "question", "greedy",
    )  # fmt: skip
    ids = [r.id for r in records if isinstance(r, Item)]
    assert "ifeval/10//prompt_level_strict_acc" in ids
    assert len(ids) == len(set(ids)) == 3 * 2 + 4 * 2
    assert {type(r) for r in records} == set(STAGE.writes)


def test_asked_greedily_and_within_limits(tmp_path: Path) -> None:
    engine = Script(answer)
    seen: list[Request] = []
    generate = engine.generate

    def spy(requests: Sequence[Request], skip: Any = ()) -> Any:
        seen.extend(requests)
        return generate(requests, skip)

    engine.generate = spy  # type: ignore[method-assign]
    list(run(ctx_for(tmp_path, engine, max_tokens=99, limit=2)))
    assert [r.id for r in seen] == ["ifeval/10", "ifeval/2"]
    assert {(r.sampling.max_tokens, r.sampling.temperature) for r in seen} == {(99, 0.0)}


def test_an_interrupted_step_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = list(run(ctx_for(tmp_path, Script(answer))))
    for cut in range(len(whole) + 1):
        asked: list[str] = []

        def remember(request: Request, asked: list[str] = asked) -> str:
            asked.append(request.id)
            return answer(request)

        rest = list(run(ctx_for(tmp_path, Script(remember), journal=whole[:cut])))
        key = lambda r: (type(r).__name__, r.id)  # noqa: E731
        assert sorted([*whole[:cut], *rest], key=key) == sorted(whole, key=key)
        assert not {r.id for r in whole[:cut] if isinstance(r, Reply)} & set(asked)


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    ctx = ctx_for(tmp_path, Script(answer))
    ctx.report = lambda *said: told.append(said)
    list(run(ctx))
    assert told[0] == (0, 3, "prompts")
    assert told[-1] == (3, 3, "prompts")


def test_a_prompt_too_long_for_the_model_is_not_followed_and_told(tmp_path: Path) -> None:
    def write(request: Request) -> str | Completion:
        if "rivers" in request.prompt:
            return Completion(request.id, "", "too_long", False, 0, 0)
        return answer(request)

    ctx = ctx_for(tmp_path, Script(write))
    notes: list[str] = []
    ctx.note = notes.append
    records = list(run(ctx))
    assert next(r for r in records if isinstance(r, Item) and r.prompt == "10").value == 0
    assert "1 of 3 prompts" in notes[0]


def test_a_wrong_file_is_refused_before_any_model_is_loaded(tmp_path: Path) -> None:
    ctx = ctx_for(tmp_path, None, rows=[{**ROWS[0], "kwargs": [{"num_words": 1}]}])
    ctx.open_engine = lambda: pytest.fail("a model was loaded")
    with pytest.raises(RecipeError, match="unknown argument `num_words`"):
        list(run(ctx))
    assert "unknown argument" in (PROMPTS.problem(ctx.files["file"]) or "")
    assert PROMPTS.problem(write_lines(tmp_path / "good.jsonl", ROWS)) is None


def test_languages_that_cannot_be_told_are_refused_before_any_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingExtraError("no langdetect")

    monkeypatch.setattr(language, "require", missing)
    row = {**ROWS[0], "instruction_id_list": ["language:response_language"], "kwargs": [{"language": "de"}]}
    ctx = ctx_for(tmp_path, None, rows=[row])
    ctx.open_engine = lambda: pytest.fail("a model was loaded")
    with pytest.raises(MissingExtraError):
        list(run(ctx))
    ctx = ctx_for(tmp_path, Script(answer))  # none of these asks for a language
    assert list(run(ctx))


def test_white_space_around_a_reply_changes_no_grade(tmp_path: Path) -> None:
    for prompt in read_ifeval(write_lines(tmp_path / "p.jsonl", ROWS)):
        text = SAID[prompt.prompt].strip()
        assert list(items(prompt, f"\n\n {text}\n \n")) == list(items(prompt, text))
