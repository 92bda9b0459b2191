"""Rows of task files: the four forms people keep tasks in, and every way a row can be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.records import Task, from_json, to_json
from isheep.text.tasks import BadRowError, parse_lines, parse_row, parse_rows


def test_self_instruct() -> None:
    row = {
        "id": "seed_task_7",
        "name": "antonyms",
        "instruction": " Give an antonym. ",
        "instances": [{"input": " hot ", "output": "cold "}, {"input": "up", "output": "down"}],
        "is_classification": False,
    }
    assert parse_row(row, "x") == Task("seed_task_7", "Give an antonym.", "hot", "cold", (), "antonyms")


def test_alpaca_with_and_without_input() -> None:
    assert parse_row({"instruction": "Count.", "input": "a b", "output": "2"}, "line_1") == Task(
        "line_1", "Count.", "a b", "2"
    )
    assert parse_row({"instruction": "Sing.", "input": None, "output": None}, "line_2") == Task(
        "line_2", "Sing."
    )
    assert parse_row({"instruction": "Sing."}, "line_3") == Task("line_3", "Sing.")


def test_chat_takes_the_first_exchange() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": " What is 2 + 2? "},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "And 3 + 3?"},
        {"role": "assistant", "content": "6"},
    ]
    assert parse_row({"messages": messages}, "c") == Task("c", "What is 2 + 2?", "", "4")


def test_chat_without_an_answer_is_a_task_too() -> None:
    assert parse_row({"messages": [{"role": "user", "content": "Hi"}]}, "c") == Task("c", "Hi")


def test_answers_make_a_test() -> None:
    row = {"id": 3, "instruction": "Opposite of up?", "answers": ["down", "below"], "category": "opposite"}
    assert parse_row(row, "x") == Task("3", "Opposite of up?", "", "down", ("down", "below"), "opposite")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["a"], "expected a JSON object, found list"),
        ("text", "expected a JSON object, found str"),
        (None, "expected a JSON object, found NoneType"),
        ({}, "no field 'instruction'"),
        ({"prompt": "x"}, "no field 'instruction'"),
        ({"instruction": ""}, "'instruction' is empty"),
        ({"instruction": " \n "}, "'instruction' is empty"),
        ({"instruction": None}, "'instruction' must be text, found NoneType"),
        ({"instruction": 3}, "'instruction' must be text, found int"),
        ({"instruction": "x", "input": ["a"]}, "'input' must be text, found list"),
        ({"instruction": "x", "output": 4}, "'output' must be text, found int"),
        ({"instruction": "x", "answers": "cold"}, "'answers' must be a list of non-empty strings"),
        ({"instruction": "x", "answers": ["cold", " "]}, "'answers' must be a list of non-empty strings"),
        ({"instruction": "x", "answers": [4]}, "'answers' must be a list of non-empty strings"),
        ({"instruction": "x", "instances": []}, "'instances' must be a non-empty list"),
        ({"instruction": "x", "instances": ["a"]}, "'instances' must be a non-empty list"),
        ({"instruction": "x", "instances": {"input": "a"}}, "'instances' must be a non-empty list"),
        ({"instances": [{"input": "a", "output": "b"}]}, "'instruction' must be text"),
        ({"messages": "hello"}, "'messages' must be a list"),
        ({"messages": []}, "no user turn"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "no user turn"),
        ({"messages": [{"role": "user", "content": "  "}]}, "no user turn"),
        ({"messages": [{"role": "user"}]}, "message 1 needs 'role' and a text 'content'"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "message 1 needs"),
        ({"messages": ["hi"]}, "message 1 needs"),
        ({"instruction": "half a pair: \ud800"}, "half a surrogate pair"),
        ({"messages": [{"role": "user", "content": "\udc00"}]}, "half a surrogate pair"),
    ],
)
def test_bad_rows_say_what_is_wrong(row: Any, message: str) -> None:
    with pytest.raises(BadRowError, match=message):
        parse_row(row, "x")


def test_lines_count_from_one_and_blank_lines_are_nothing() -> None:
    lines = ['{"instruction": "a b"}', "", "  ", "{oops", '{"instruction": ""}', '{"instruction": "c d"}']
    tasks, problems = parse_lines(lines)
    assert [t.id for t in tasks] == ["line_00001", "line_00006"]
    assert len(problems) == 2
    assert problems[0].startswith("line 4: not JSON: ")
    assert "at column 2" in problems[0]
    assert problems[1] == "line 5: 'instruction' is empty"


def test_rows_count_from_one() -> None:
    tasks, problems = parse_rows([{"instruction": "a"}, 7])
    assert [t.id for t in tasks] == ["row_00001"]
    assert problems == ["row 2: expected a JSON object, found int"]


def test_an_id_that_occurs_twice_is_a_problem() -> None:
    _, problems = parse_rows([{"id": "a", "instruction": "x"}, {"id": "a", "instruction": "y"}])
    assert problems == ["id 'a' occurs twice"]


def test_monstrous_json_is_a_problem_not_a_crash() -> None:
    tasks, problems = parse_lines(["[" * 100_000])
    assert not tasks
    assert problems[0].startswith("line 1: not JSON: ")
    tasks, problems = parse_lines(['{"instruction": ' + "9" * 10_000 + "}"])
    assert not tasks
    assert problems[0].startswith("line 1: not JSON: ")


def test_line_separators_inside_a_string_stay() -> None:
    line = json.dumps({"instruction": "one\u2028two\u2029three\x85four"}, ensure_ascii=False)
    tasks, problems = parse_lines(line.split("\n"))
    assert not problems
    assert tasks[0].instruction == "one\u2028two\u2029three\x85four"


FIELDS = st.sampled_from(
    [
        "id",
        "instruction",
        "input",
        "output",
        "answers",
        "instances",
        "messages",
        "role",
        "content",
        "category",
    ]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(FIELDS, ANY_JSON) | ANY_JSON)
def test_any_row_is_a_task_or_a_bad_row(row: Any) -> None:
    """Whatever JSON a row holds: never another exception, and a task that comes back from JSON as it was."""
    try:
        task = parse_row(row, "x")
    except BadRowError:
        return
    assert task.instruction.strip()
    assert task.id
    assert from_json(Task, to_json(task)) == task


@given(st.text())
def test_any_line_is_a_task_or_a_problem(line: str) -> None:
    tasks, problems = parse_lines(line.split("\n"))
    if line.strip():
        assert tasks or problems
