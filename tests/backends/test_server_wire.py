"""Answers of servers, in all the forms they come in."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isheep.backends.server_wire import chat, completion, listed, prompt_logprobs, read_tokens, top_tokens

NAMES = [
    "choices",
    "message",
    "content",
    "text",
    "usage",
    "model",
    "logprobs",
    "tokens",
    "token",
    "logprob",
    "top_logprobs",
    "token_logprobs",
    "prompt_tokens",
    "finish_reason",
]
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@example({"choices": [{"text": ""}], "usage": {"prompt_tokens": math.inf}})
@example({"top_logprobs": [{"a": 10**400}]})
@given(ANYTHING)
def test_whatever_comes_is_read_or_refused(body: Any) -> None:
    for read in (completion, chat):
        with contextlib.suppress(ValueError):
            read(body)
    for values in (top_tokens(body), read_tokens(body), prompt_logprobs(body)):
        assert all(value is None or math.isfinite(value) for _, value in values)


def body(**choice: Any) -> dict[str, Any]:
    return {
        "model": " m  1",
        "choices": [{"text": "hi", **choice}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }


@pytest.mark.parametrize(
    ("choice", "finish", "why", "says"),
    [
        ({"finish_reason": "stop", "stop_reason": None}, "stop", None, True),  # vLLM, end token
        ({"finish_reason": "stop", "stop_reason": "\n\n"}, "stop", "\n\n", True),  # vLLM, stop text
        ({"finish_reason": "stop", "matched_stop": 151645}, "stop", 151645, True),  # SGLang
        ({"finish_reason": "stop"}, "stop", None, False),  # llama.cpp, hosted
        ({"finish_reason": "eos_token"}, "stop", None, False),  # TGI
        ({"finish_reason": "length"}, "length", None, False),
        ({"finish_reason": "content_filter"}, "filtered", None, False),
        ({"finish_reason": None}, "", None, False),
    ],
)
def test_why_a_text_ended(choice: dict[str, Any], finish: str, why: object, says: bool) -> None:
    answer = completion(body(**choice))
    assert (answer.text, answer.finish, answer.stopped_at, answer.says_why) == ("hi", finish, why, says)
    assert (answer.model, answer.prompt_tokens, answer.tokens) == ("m 1", 3, 2)


def test_a_message_may_be_empty_or_in_parts() -> None:
    for content, text in ((None, ""), ("x", "x"), ([{"type": "text", "text": "x"}, {"text": "y"}], "xy")):
        assert chat({"choices": [{"message": {"content": content}}]}).text == text
    with pytest.raises(ValueError, match="no chat completion"):
        chat(body())
    with pytest.raises(ValueError, match="is no text"):
        chat({"choices": [{"message": {"content": 7}}]})


def test_log_probabilities_in_both_forms() -> None:
    old = {"tokens": ["a"], "token_logprobs": [-0.1], "top_logprobs": [{"a": -0.1, "b": -3, "c": -math.inf}]}
    new = {"content": [{"token": "a", "logprob": -0.1, "top_logprobs": [{"token": "a", "logprob": -0.1},
                                                                       {"token": "b", "logprob": -3}]}]}  # fmt: skip
    assert top_tokens(old) == top_tokens(new) == [("a", -0.1), ("b", -3.0)]
    assert top_tokens(None) == top_tokens({"content": []}) == top_tokens({"top_logprobs": None}) == []
    assert read_tokens({"tokens": ["a", "b"], "token_logprobs": [None, -2]}) == [("a", None), ("b", -2.0)]
    assert read_tokens(new) == []
    assert prompt_logprobs([None, {"17": {"logprob": -2, "decoded_token": "b"}}]) == [("", None), ("b", -2.0)]


def test_many_names_are_not_all_shown() -> None:
    assert listed(["a", "b"]) == "'a', 'b'"
    assert listed([str(n) for n in range(25)]).endswith("'19' and 5 more")
