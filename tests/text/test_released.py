"""The released code's rules drop what they are for, and with it what ours keep: that is what they are here to show."""

import pytest

from isheep.text.rules import (
    ALL_INSTRUCTION_RULES,
    ALL_RESPONSE_RULES,
    DEFAULT_INSTRUCTION_RULES,
    DEFAULT_RESPONSE_RULES,
    INSTRUCTION_RULES,
    RELEASED_INSTRUCTION_RULES,
    RELEASED_RESPONSE_RULES,
    RESPONSE_RULES,
    instruction_reason,
    named_rules,
    response_reason,
)


@pytest.mark.parametrize(
    ("instruction", "input", "reason"),
    [
        ("Write a poem", "", "released_length"),
        ("word " * 151, "", "released_length"),
        ("Describe the picture in words", "", "released_blacklist"),
        ("- Write a poem about rain", "", "released_leading_symbol"),
        ("Write two poems:\n1. about rain", "", "released_list_marker"),
        ("Summarise the page given below", "www.example.org", "released_link"),
        ("Write a poem about rain", "<noinput>", "released_noinput"),
        ("Write a poem about rain, no input", "", "released_noinput"),
    ],
)
def test_tasks_that_are_rightly_dropped(instruction: str, input: str, reason: str) -> None:
    assert instruction_reason(instruction, input, RELEASED_INSTRUCTION_RULES) == reason


@pytest.mark.parametrize(
    ("instruction", "input", "reason"),
    [
        ("Explain what a mapping is in mathematics.", "", "released_blacklist"),
        ("Write a paragraph about tea and coffee.", "", "released_blacklist"),
        ("“Carpe diem” means what in English?", "", "released_leading_symbol"),
        ("$5 is what part of $20?", "", "released_leading_symbol"),
        ("Élargis cette phrase en deux phrases.", "", "released_leading_symbol"),
        ("Name some fruits, e.g. apples and pears.", "", "released_list_marker"),
        ("Who was president of the U.S.A. in 1950?", "", "released_list_marker"),
        ("Answer part (a) of the question.", "", "released_list_marker"),
        ("Explain how HTTP works to a child.", "", "released_link"),
        ("Explain what the tag does.", "<b>bold</b>", "released_noinput"),
        ("Write a sentence with the word nonetheless.", "", "released_noinput"),
    ],
)
def test_tasks_that_are_wrongly_dropped_and_that_ours_keep(instruction: str, input: str, reason: str) -> None:
    assert instruction_reason(instruction, input, RELEASED_INSTRUCTION_RULES) == reason
    assert instruction_reason(instruction, input, DEFAULT_INSTRUCTION_RULES) is None


def test_a_plain_task_and_a_plain_answer_pass() -> None:
    assert instruction_reason("Write a poem about rain.", "heavy rain", RELEASED_INSTRUCTION_RULES) is None
    reason = response_reason("Name a drink.", "hot", "Tea, made of leaves.", "stop", RELEASED_RESPONSE_RULES)
    assert reason is None


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (" ", "released_empty"),
        ("Tea is a drink.\nUser: And coffee?", "released_second_speaker"),
        ("A. a drink\nB. a plant", "released_answer_choices"),
        ("Choices: a drink, a plant", "released_answer_choices"),
        ("What about coffee?", "released_asks_back"),
        ("Do you mean green tea? There are many.", "released_asks_back"),
        ("Tea is 一种饮料 that people drink.", "released_cjk"),
        ("Tea <noinput>", "released_noinput"),
    ],
)
def test_answers_that_are_rightly_dropped(response: str, reason: str) -> None:
    assert response_reason("Tell me about tea.", "", response, "stop", RELEASED_RESPONSE_RULES) == reason


@pytest.mark.parametrize(
    ("response", "instruction", "input", "reason"),
    [
        ("Users of tea are many.", "Tell me about tea.", "", "released_second_speaker"),
        ("Systematic tasting helps.", "Tell me about tea.", "", "released_second_speaker"),
        ("Drinks, e.g. tea.", "Tell me about drinks.", "", "released_answer_choices"),
        ("The U.S.A. drinks less tea.", "Tell me about tea.", "", "released_answer_choices"),
        ("(a) boil water, (b) add tea.", "How do I make tea?", "", "released_answer_choices"),
        ("What is tea made of?", "Ask me something about tea.", "", "released_asks_back"),
        ("谢谢", "Translate the word into Chinese.", "thanks", "released_cjk"),
        ("a pet", "Is it category or dog?", "cat", "released_input_repeated"),
        ("<p>Tea</p>", "Put the word in a paragraph tag.", "Tea", "released_noinput"),
        ("It is hot nonetheless.", "Tell me about tea.", "", "released_noinput"),
    ],
)
def test_answers_that_are_wrongly_dropped_and_that_ours_keep(
    response: str, instruction: str, input: str, reason: str
) -> None:
    assert response_reason(instruction, input, response, "stop", RELEASED_RESPONSE_RULES) == reason
    assert response_reason(instruction, input, response, "stop", DEFAULT_RESPONSE_RULES) is None


# ---------------------------------------------------------------- sets of rules


def test_ours_are_the_default_and_no_released_rule_is() -> None:
    assert tuple(INSTRUCTION_RULES) == DEFAULT_INSTRUCTION_RULES
    assert tuple(RESPONSE_RULES) == DEFAULT_RESPONSE_RULES
    assert {*DEFAULT_INSTRUCTION_RULES, *RELEASED_INSTRUCTION_RULES} == set(ALL_INSTRUCTION_RULES)
    assert {*DEFAULT_RESPONSE_RULES, *RELEASED_RESPONSE_RULES} == set(ALL_RESPONSE_RULES)
    for name in (*RELEASED_INSTRUCTION_RULES, *RELEASED_RESPONSE_RULES):
        assert name.startswith("released_")
        assert name not in {*DEFAULT_INSTRUCTION_RULES, *DEFAULT_RESPONSE_RULES}


def test_a_set_stands_for_its_rules() -> None:
    assert named_rules(["released"], "instruction") == RELEASED_INSTRUCTION_RULES
    assert named_rules(["ours"], "response") == DEFAULT_RESPONSE_RULES
    both = named_rules(["ours", "released"], "response")
    assert both == DEFAULT_RESPONSE_RULES + RELEASED_RESPONSE_RULES
    assert named_rules([], "response") == ()


def test_a_rule_named_beside_its_set_stands_once() -> None:
    found = named_rules(["ours", "empty", "released_cjk"], "response")
    assert found == (*DEFAULT_RESPONSE_RULES[1:], "empty", "released_cjk")


def test_what_is_no_set_is_left_to_the_caller() -> None:
    assert named_rules(["empty", "emtpy", "empty"], "response") == ("empty", "emtpy", "empty")
