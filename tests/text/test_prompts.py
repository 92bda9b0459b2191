"""The layout contract: one way to write an exchange, whatever it is used for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.text.prompts import (
    CHATML_SYSTEM,
    LAYOUTS,
    fields,
    fill,
    judge_text,
    list_item,
    request,
    task_list,
)

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
