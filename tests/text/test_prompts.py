"""The layout contract: one way to write an exchange, whatever it is used for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from isheep.errors import RecipeError
from isheep.files import LAMB_MODEL, PACKAGE, shipped
from isheep.lamb import world
from isheep.lamb.packing import CONTEXT
from isheep.text.prompts import (
    CHATML_SYSTEM,
    LAYOUTS,
    ScoredExample,
    fields,
    fill,
    judge_text,
    list_item,
    read_examples,
    request,
    task_list,
)
from isheep.text.tasks import parse_lines

TEXT = st.text(min_size=1).filter(str.strip)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_holds_request_and_response_in_order(name: str) -> None:
    layout = LAYOUTS[name]
    prompt = layout.prompt("Name the capital.", "France")
    assert layout.name == name
    assert "Name the capital.\nFrance" in prompt
    assert layout.completion("Paris").strip() == "Paris"
    # A prompt that ends in a space splits the next word's token in two (the space belongs to the word).
    assert not prompt.endswith(" ")


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_stop_text_stands_in_the_prompt_or_a_plain_answer(name: str) -> None:
    """A stop inside the layout itself would cut every answer to nothing."""
    layout = LAYOUTS[name]
    assert layout.stop_texts
    for stop in layout.stop_texts:
        assert stop
        assert stop not in layout.completion("Paris is the capital.\nIt is large.")


def test_chatml_to_the_letter() -> None:
    layout = LAYOUTS["chatml"]
    text = layout.prompt("Say hello.") + layout.completion("Hello!") + layout.end
    assert text == (
        f"<|im_start|>system\n{CHATML_SYSTEM}<|im_end|>\n<|im_start|>user\nSay hello.<|im_end|>\n"
        "<|im_start|>assistant\nHello!<|im_end|>"
    )
    assert layout.stop_texts[0] == "<|im_end|>"
    assert layout.is_chat


def test_plain_layouts_end_with_the_models_own_token() -> None:
    assert [name for name, layout in LAYOUTS.items() if not layout.is_chat] == [
        "plain",
        "question",
        "qa",
        "user",
    ]


@given(TEXT, st.text())
def test_instruction_and_input_are_joined_by_one_newline(instruction: str, input: str) -> None:
    joined = request(instruction, input)
    assert joined == joined.strip()
    expected = f"{instruction.strip()}\n{input.strip()}" if input.strip() else instruction.strip()
    assert joined == expected


def test_a_value_with_braces_stays_as_it_is() -> None:
    template = "Task: {request}\nAnswer: {response}"
    assert (
        fill(template, request="use {response}", response="{request} {x}")
        == "Task: use {response}\nAnswer: {request} {x}"
    )
    assert fields(template) == {"request", "response"}


def test_json_braces_in_a_prompt_file_are_no_fields() -> None:
    assert fields('{"Score": {score}, { }, {1}, {Name}}') == {"score"}


def test_a_field_nobody_offers_is_an_error() -> None:
    with pytest.raises(KeyError, match="criteria"):
        fill("{criteria}", request="x")


@given(st.text(), st.text())
def test_filling_puts_values_in_unchanged(request: str, response: str) -> None:
    assert fill("<{request}|{response}>", request=request, response=response) == f"<{request}|{response}>"


def test_a_list_of_tasks_is_open_at_the_next_number() -> None:
    text = task_list("Tasks:\n", [("Name the\n capital. ", "France"), ("Say hello.", "")])
    assert text == "Tasks:\n\n1. Task: Name the capital.\nInput: France\n2. Task: Say hello.\n3. Task:"


def test_a_list_without_examples_is_open_at_one() -> None:
    assert task_list("Tasks:", []) == "Tasks:\n\n1. Task:"


def test_an_input_keeps_its_lines_and_a_blank_one_is_left_out() -> None:
    assert list_item(3, "Sum up.", " a\nb ") == "3. Task: Sum up.\nInput: a\nb"
    assert list_item(3, "Sum up.", " \n") == "3. Task: Sum up."


def test_the_judged_text_holds_the_request_as_it_was_asked() -> None:
    text = judge_text("\nRequest: {request}\nResponse: {response}\nScore:\n", "Name it.", "Peru", " Lima \n")
    assert text == f"Request: {request('Name it.', 'Peru')}\nResponse: Lima\nScore:"


# ---------------------------------------------------------------- judging by examples

_PERU = ScoredExample("Name the capital.", "Peru", " Lima ", 10, 9)
_SEA = ScoredExample("Which sea is it?", "", "{response}", 2, 4)
_ICL = "Marks.\n\n{examples}\nAsked: {request}\nSaid: {response}\nMark:\n"


def test_each_example_is_written_by_the_block_that_asks() -> None:
    text = judge_text(_ICL, "Say hello.", "", "Hi", (_PERU, _SEA), "following")
    assert text == (
        "Marks.\n\n"
        "Asked: Name the capital.\nPeru\nSaid: Lima\nMark: 9\n\n"
        "Asked: Which sea is it?\nSaid: {response}\nMark: 4\n\n"
        "Asked: Say hello.\nSaid: Hi\nMark:"
    )
    assert "Mark: 10" in judge_text(_ICL, "Say hello.", "", "Hi", (_PERU,), "quality")


def test_the_head_may_be_missing_and_blank_lines_below_it_do_not_matter() -> None:
    text = judge_text("{examples}\n\nQ {request} {response}:", "a", "", "b", (_PERU,), "quality")
    assert text == "Q Name the capital.\nPeru Lima: 10\n\nQ a b:"


def test_a_prompt_without_the_line_shows_no_examples() -> None:
    assert judge_text("{request}: {response}", "a", "", "b", (_PERU,), "quality") == "a: b"


@pytest.mark.parametrize(
    "template",
    [
        "x {examples}\n{request}{response}",
        "{examples} x\n{request}{response}",
        "{examples}{request}{response}",
        "{request}{response}\n{examples}",
        "{request}\n{examples}\n{response}",
        "{examples}\n{examples}\n{request}{response}",
    ],
)
def test_the_examples_have_a_line_of_their_own_above_the_pair(template: str) -> None:
    with pytest.raises(RecipeError, match="on a line of its own"):
        judge_text(template, "a", "", "b", (_PERU,), "quality")


def test_a_prompt_that_shows_examples_needs_some() -> None:
    with pytest.raises(RecipeError, match="there are none"):
        judge_text(_ICL, "a", "", "b")


def test_a_judge_reads_what_was_said_before() -> None:
    text = judge_text(
        "R: {request}\nA: {response}", "And of Peru?", "", "Lima", history=("Capital of Cuba?", "Havana")
    )
    assert text == (
        "R: (said before)\nThey asked: Capital of Cuba?\nThey were told: Havana\n\n"
        "(the request now)\nAnd of Peru?\nA: Lima"
    )
    with pytest.raises(ValueError, match="zip"):
        judge_text("{request}{response}", "a", "", "b", history=("a question without its answer",))


def test_examples_are_read_line_by_line() -> None:
    row = '{"instruction": "Name the capital.", "input": "Peru", "response": " Lima ", "quality": 10, "following": 9}'
    bare = '{"instruction": "Which?", "response": "That", "quality": 1, "following": 2}'
    assert read_examples(f"{row}\n\n{bare}\n") == (_PERU, ScoredExample("Which?", "", "That", 1, 2))


def _row(**changed: object) -> str:
    row = {"instruction": "a", "input": "", "response": "b", "quality": 5, "following": 5, **changed}
    return json.dumps({name: value for name, value in row.items() if value is not ...})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON: Expecting property name"),
        ("[" * 100_000, "nested too deeply"),
        ("[1]", "expected a JSON object, found list"),
        (_row(quality=...), "missing or unknown fields: quality"),
        (_row(score=3), "missing or unknown fields: score"),
        (_row(response=3), "'response' must be text"),
        (_row(instruction=" "), "'instruction' must be text"),
        (_row(quality=11), "'quality' must be a whole number from 1 to 10, found 11"),
        (_row(quality=0), "'quality' must be a whole number"),
        (_row(following=7.5), "'following' must be a whole number"),
        (_row(following=True), "'following' must be a whole number"),
        (_row(following="7"), "'following' must be a whole number"),
    ],
)
def test_a_line_that_is_no_example_is_named_with_what_is_wrong(line: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_examples(f"{_row()}\n{line}\n[]")
    assert f"line 2: {said}" in caught.value.message
    assert "line 3: expected a JSON object" in caught.value.message
    assert "line 1:" not in caught.value.message


def test_a_file_without_examples_is_an_error() -> None:
    with pytest.raises(RecipeError, match="empty"):
        read_examples("\n")


# ---------------------------------------------------------------- the shipped judging prompts

_SETS = shipped("prompts/judge", "/quality.txt")


def test_the_sets_of_the_paper_are_shipped_for_any_model_and_for_lamb() -> None:
    assert set(_SETS) == {"simple", "combined", "icl", "lamb", "lamb_simple", "lamb_combined", "lamb_icl"}


def judge_set(name: str, scale: str) -> tuple[str, tuple[ScoredExample, ...]]:
    """A shipped set's template for a scale, and its examples if it has any."""
    folder = PACKAGE / "prompts/judge" / name
    shown = folder / "examples.jsonl"
    examples = read_examples(shown.read_text(encoding="utf-8")) if shown.is_file() else ()
    return (folder / f"{scale}.txt").read_text(encoding="utf-8"), examples


@pytest.mark.parametrize("scale", ["quality", "following"])
@pytest.mark.parametrize("name", _SETS)
def test_every_set_asks_for_its_scale_and_ends_where_the_score_begins(name: str, scale: str) -> None:
    template, examples = judge_set(name, scale)
    text = judge_text(template, "Name the capital.", "Peru", "Lima", examples, scale)
    assert fields(template) == {"request", "response"} | ({"examples"} if "icl" in name else set())
    assert bool(examples) == ("icl" in name)
    assert "Name the capital.\nPeru" in text
    assert text.endswith(":"), "a score follows, behind a space"


def test_the_examples_are_of_many_scores() -> None:
    _, examples = judge_set("icl", "quality")
    assert len(examples) >= 8
    for scale in ("quality", "following"):
        assert len({example.score(scale) for example in examples}) >= 6
    assert any(example.quality != example.following for example in examples), "the scales are two things"


def test_lambs_examples_are_seed_tasks_marked_by_the_truth() -> None:
    """What a model is shown must not be what it is tested on, and the marks must say which answers are right."""
    seeds, problems = parse_lines((PACKAGE / "seeds/lamb.jsonl").read_text(encoding="utf-8").splitlines())
    assert not problems
    known = {(task.instruction, task.input) for task in seeds}
    for e in judge_set("lamb_icl", "quality")[1]:
        assert (e.instruction, e.input) in known
        assert not world.is_held_out(e.instruction, e.input)
        assert (e.quality > 5) == world.check(e.instruction, e.input, e.response)


@pytest.mark.parametrize("name", ["lamb", "lamb_simple", "lamb_combined", "lamb_icl"])
def test_lambs_judging_prompts_leave_room_in_its_context(name: str) -> None:
    tokenizer = Tokenizer.from_file(str(LAMB_MODEL / "tokenizer.json"))
    for scale in ("quality", "following"):
        template, examples = judge_set(name, scale)
        text = judge_text(template, "", "", "", examples, scale)
        assert len(tokenizer.encode(text).ids) < CONTEXT - 100, "a pair of this world takes some 20 tokens"


# ---------------------------------------------------------------- principles


@pytest.mark.parametrize("name", ["general", "lamb"])
def test_principles_stand_before_the_request(name: str) -> None:
    template = shipped("prompts/principles", ".txt")[name].read_text(encoding="utf-8").strip()
    assert fields(template) == {"request"}
    assert len(template.splitlines()) > 4
    assert fill(template, request="Say hello.").endswith("Say hello.")
