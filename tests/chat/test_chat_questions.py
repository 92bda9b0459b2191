"""Question files: three forms, and every row that is no question named at once."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import written

from isheep.chat.questions import (
    SHOWN_PROBLEMS,
    TEMPERATURES,
    ChatQuestion,
    read_questions,
    read_references,
    task_name,
    with_references,
)
from isheep.errors import RecipeError
from toy import write_lines

ALPACA = [
    {
        "instruction": "Name a river.",
        "output": "The Rhine.",
        "generator": "old_model",
        "dataset": "helpful_base",
    },
    {
        "instruction": "Is 4 even?\u2028Say why.",
        "output": "Yes.",
        "generator": "old_model",
        "dataset": "koala",
    },
]
BENCH = [
    {"question_id": 81, "category": "writing", "turns": ["Write a note.", "Make it shorter."]},
    {"question_id": 111, "category": "math", "turns": ["2 + 2?", "And 3 more?"], "reference": ["4", "7"]},
    {
        "question_id": 131,
        "category": "extraction",
        "turns": ["Who?", "When?"],
        "reference": ["Ann", "Monday"],
    },
]


def test_a_list_as_alpaca_eval_writes_it(tmp_path: Path) -> None:
    path = written(tmp_path / "alpaca_eval.json", json.dumps(ALPACA, ensure_ascii=False, indent=1))
    first, second = read_questions(path)
    assert first == ChatQuestion(
        "0001", ("Name a river.",), "helpful_base", output="The Rhine.", generator="old_model"
    )
    assert second.turns == ("Is 4 even?\u2028Say why.",)
    assert task_name(path) == "alpaca_eval"


def test_lines_as_mt_bench_writes_them(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "question.jsonl", BENCH)
    questions = read_questions(path)
    assert questions[1] == ChatQuestion("111", ("2 + 2?", "And 3 more?"), "math", ("4", "7"))
    assert [q.temperature for q in questions] == [0.7, 0.0, 0.0]
    # References of a category that MT-Bench judges without them are not shown, though the file has them.
    assert [q.shown_references(2) for q in questions] == [(), ("4", "7"), ()]
    assert questions[1].shown_references(1) == ("4",)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("question.jsonl", "mt_bench"),
        ("mt_bench_question.jsonl", "mt_bench"),
        ("alpaca_eval.json", "alpaca_eval"),
        ("mine.v2.jsonl", "mine.v2"),
    ],
)
def test_what_results_are_filed_under(name: str, task: str) -> None:
    assert task_name(Path("somewhere") / name) == task


def test_lines_of_ones_own(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Give the plural.", "input": "cow", "category": "words"},
        {"id": "b", "turns": ["One?", "Two?", "Three?"], "references": ["1", None, "3"]},
        {"id": 7, "turns": ["Alone?"], "reference": "Yes.", "output": "No."},
        {"id": "c", "turns": ["One?", "Two?"], "references": ["1"]},
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("\ufeff" + "\n\n".join(map(json.dumps, rows)), encoding="utf-8")
    questions = {q.id: q for q in read_questions(path)}
    assert questions["0001"].turns == ("Give the plural.\ncow",)
    assert questions["b"].references == ("1", "", "3")
    # A reference before it is missing: then none is shown.
    assert [questions["b"].shown_references(n) for n in (1, 2, 3)] == [("1",), (), ()]
    assert questions["c"].references == ("1", "")
    assert (questions["7"].references, questions["7"].output) == (("Yes.",), "No.")


def test_only_conversations_have_mt_benchs_temperatures() -> None:
    for category, temperature in TEMPERATURES.items():
        assert ChatQuestion("a", ("One?", "Two?"), category).temperature == temperature
        assert ChatQuestion("a", ("One?",), category).temperature == 0
    assert ChatQuestion("a", ("One?", "Two?"), "gardening").temperature == 0


def test_the_hash_is_that_of_the_turns_alone() -> None:
    question = ChatQuestion("a", ("One?", "Two?"), "math", ("1", "2"))
    assert question.prompt_hash == ChatQuestion("b", ("One?", "Two?")).prompt_hash
    assert question.prompt_hash != ChatQuestion("a", ("One?Two?",)).prompt_hash


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"text": "Hello"}', "no field 'instruction' (AlpacaEval) and no field 'turns' (MT-Bench)"),
        ('{"turns": []}', "'turns' must be a list of one text or more"),
        ('{"turns": ["One?", " "]}', "'turns' holds an empty text"),
        ('{"turns": "One?"}', "'turns' must be a list of texts, found str"),
        ('{"turns": ["One?", 2]}', "'turns' must be a list of texts"),
        ('{"instruction": ""}', "'instruction' holds an empty text"),
        ('{"instruction": 3}', "'instruction' must be text, found int"),
        ('{"instruction": "a", "output": ["b"]}', "'output' must be text, found list"),
        ('{"turns": ["a", "b"], "output": "c"}', "'output' is a baseline's answer to one turn"),
        ('{"turns": ["a"], "references": ["b", "c"]}', "2 references for 1 turns"),
        ('{"turns": ["a"], "reference": 5}', "'reference' must be a list of texts, found int"),
        ('{"id": true, "turns": ["a"]}', "'id' must be text or a whole number, found bool"),
        ('{"id": 1.5, "turns": ["a"]}', "'id' must be text or a whole number, found float"),
        ('["a"]', "expected a JSON object, found list"),
        ("{", "not JSON"),
        ('{"instruction": "\\ud800"}', "holds half a surrogate pair"),
    ],
)
def test_a_row_that_is_no_question(tmp_path: Path, row: str, said: str) -> None:
    path = written(tmp_path / "mine.jsonl", '{"turns": ["fine"]}\n' + row + "\n")
    with pytest.raises(RecipeError) as caught:
        read_questions(path)
    assert "mine.jsonl" in caught.value.message
    assert f"line 2: {said}" in caught.value.message


def test_all_mistakes_are_told_at_once_and_the_rest_counted(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": "a", "turns": ["x"]}, {"id": "a", "turns": ["y"]}]
    path = write_lines(tmp_path / "mine.jsonl", [*rows, *[{}] * (SHOWN_PROBLEMS + 4)])
    with pytest.raises(RecipeError) as caught:
        read_questions(path)
    lines = caught.value.message.split("\n")
    assert len(lines) == 1 + SHOWN_PROBLEMS + 1
    assert lines[-1].strip() == "... and 5 more"
    few = write_lines(tmp_path / "few.jsonl", [*rows, {}])
    with pytest.raises(RecipeError, match=r"line 3: no field(.|\n)*id 'a' occurs 2 times"):
        read_questions(few)


@pytest.mark.parametrize("text", ["", "\n\n", "[]"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(RecipeError, match="it is empty"):
        read_questions(written(tmp_path / "mine.jsonl", text))


def test_a_row_of_a_list_is_named_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="row 2: expected a JSON object, found int"):
        read_questions(written(tmp_path / "a.json", '[{"instruction": "a"}, 5]'))
    with pytest.raises(RecipeError, match="row 1: not JSON"):
        read_questions(written(tmp_path / "a.json", '[{"instruction": "a"'))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="not UTF-8 text"):
        read_questions(path)
    with pytest.raises(RecipeError, match="cannot be read"):
        read_questions(tmp_path)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["turns", "instruction", "id", "references", "output", "choices"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_any_json_is_questions_or_a_list_of_mistakes(tmp_path_factory: Any, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text(json.dumps(value), encoding="utf-8")
    with contextlib.suppress(RecipeError):
        assert all(turn.strip() for q in read_questions(path) for turn in q.turns)
    with contextlib.suppress(RecipeError):
        assert all(map(any, read_references(path).values()))


# references of their own


def test_a_file_of_references_takes_the_place_of_those_it_names(tmp_path: Path) -> None:
    questions = read_questions(write_lines(tmp_path / "question.jsonl", BENCH))
    fastchat = {
        "question_id": 111,
        "model_id": "someone",
        "choices": [{"index": 0, "turns": ["four", "seven"]}],
    }
    path = write_lines(tmp_path / "refs.jsonl", [fastchat, {"id": "81", "references": ["a note"]}])
    found = with_references(questions, read_references(path))
    assert [q.references for q in found] == [("a note", ""), ("four", "seven"), ("Ann", "Monday")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"references": ["a"]}, "no field 'question_id'"),
        ({"id": "a", "choices": []}, "'choices' must be a list of one object or more"),
        ({"id": "a", "choices": [{"turns": "b"}]}, "'turns' must be a list of texts"),
        ({"id": "a"}, "there is no reference answer"),
    ],
)
def test_a_row_that_is_no_reference(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    path = write_lines(tmp_path / "refs.jsonl", [{"id": "b", "references": ["c"]}, row])
    with pytest.raises(RecipeError, match=f"line 2: {said}"):
        read_references(path)


def test_references_of_other_questions_are_refused() -> None:
    questions = [ChatQuestion("a", ("One?",))]
    with pytest.raises(
        RecipeError, match=r"'b': there is no such question(.|\n)*'a': 2 references for a question of 1"
    ):
        with_references(questions, {"b": ("x",), "a": ("x", "y")})
