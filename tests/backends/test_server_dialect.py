"""What a refusal teaches: fields that change nothing are left out, one that was asked for is an error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.backends.base import Sampling
from isheep.backends.server_dialect import NEUTRAL, Dialect, decoding, is_too_long
from isheep.errors import BackendError

WISH = decoding(Sampling(50, 0.7, 0.9), 2**62 + 5) | {"prompt": "a", "stop": list("abcdef")}


def test_what_is_sent_says_all_of_the_sampling() -> None:
    assert Dialect().fit(WISH) == {
        "prompt": "a",
        "max_tokens": 50,
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 5,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "stop": list("abcdef"),
    }
    assert Dialect().fit(decoding(Sampling(1, top_k=7), 0))["top_k"] == 7
    assert "stop" not in Dialect().fit(WISH | {"stop": []})


@pytest.mark.parametrize(
    ("reason", "gone"),
    [
        ("Unrecognized request arguments supplied: min_p, top_k", {"min_p", "top_k"}),
        ('[{"type": "extra_forbidden", "loc": ["body", "repetition_penalty"]}]', {"repetition_penalty"}),
        ("property 'seed' is unsupported", {"seed"}),
    ],
)
def test_a_field_that_changes_nothing_is_left_out_once_and_for_all(reason: str, gone: set[str]) -> None:
    learnt = Dialect().learnt(reason, WISH)
    assert learnt is not None
    assert Dialect().fit(WISH).keys() - learnt.fit(WISH).keys() == gone
    assert learnt.learnt(reason, WISH) is None


def test_a_field_that_was_asked_for_is_an_error_with_the_way_out() -> None:
    with pytest.raises(BackendError, match=r"does not take top_k \(7\)") as caught:
        Dialect().learnt("Unknown parameter: 'top_k'", decoding(Sampling(1, top_k=7), 0))
    assert "vLLM" in caught.value.hint


def test_stops_are_cut_to_four_and_then_left_out() -> None:
    four = Dialect().learnt("Invalid 'stop': array too long. Expected at most 4", WISH)
    assert four is not None
    assert four.fit(WISH)["stop"] == list("abcd")
    none = four.learnt("Unsupported parameter: 'stop' is not supported with this model", WISH)
    assert none is not None
    assert "stop" not in none.fit(WISH)
    assert none.learnt("stop", WISH) is None


def test_the_newer_name_of_the_limit() -> None:
    learnt = Dialect().learnt("'max_tokens' is not supported, use 'max_completion_tokens'", WISH)
    assert learnt is not None
    asked = learnt.fit(WISH)
    assert asked["max_completion_tokens"] == 50
    assert "max_tokens" not in asked


@pytest.mark.parametrize(("temperature", "top_k"), [(0.0, 0), (0.7, 0), (0.7, 9)])
def test_transformers_is_told_in_its_own_words(temperature: float, top_k: int) -> None:
    wish = decoding(Sampling(50, temperature, 0.9, top_k), 1)
    learnt = Dialect().learnt("Unexpected fields in the request: {'top_k', 'min_p'}", wish)
    assert learnt is not None
    asked = learnt.fit(wish)
    drawn = {"do_sample": True, "temperature": temperature, "top_p": 0.9, "top_k": top_k}
    assert json.loads(asked["generation_config"]) == (drawn if temperature else {"do_sample": False})
    assert not asked.keys() & NEUTRAL.keys()
    assert asked["seed"] == 1


@given(st.text(max_size=60))
def test_a_refusal_that_names_nothing_teaches_nothing(reason: str) -> None:
    learnt = Dialect().learnt(reason, WISH)
    assert learnt is None or any(
        name in reason for name in (*NEUTRAL, "seed", "stop", "max_completion_tokens", "Unexpected")
    )


@pytest.mark.parametrize(
    "reason",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
        "the request exceeds the available context size, try increasing it",
        "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: inputs must have less than 4096 tokens",
        "HTTP 400: prompt is too long: 210000 tokens > 200000",
    ],
)
def test_a_prompt_too_long_in_the_words_of_servers(reason: str) -> None:
    assert is_too_long(reason)


def test_other_refusals_are_not_about_length() -> None:
    for reason in ("max_tokens must be at least 1", "The model `x` does not exist.", "logprobs must be <= 5"):
        assert not is_too_long(reason)
