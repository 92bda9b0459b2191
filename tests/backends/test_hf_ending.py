"""Ends of a text as the decode loop sees them: token by token, with nothing computed after the end."""

from __future__ import annotations

import re
from typing import Any

import pytest

from isheep.backends.base import ModelSpec, Request, Runtime, Sampling
from isheep.backends.hf import HFEngine
from isheep.backends.hf_decode import Runner
from isheep.backends.hf_ending import Ending
from isheep.backends.hf_sampling import Draws
from isheep.backends.hf_text import Decoder
from tiny_models import make_model


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> HFEngine:
    folder = make_model(tmp_path_factory.mktemp("llama"), template=True)
    return HFEngine(ModelSpec(str(folder)), Runtime(batch_size=8, device="cpu", threads=1))


def _ending(engine: HFEngine, **sampling: Any) -> Ending:
    return Ending(Sampling(9, **sampling), engine.model, engine.tokenizer, Decoder(engine.tokenizer))


def _first(engine: HFEngine, ending: Ending, text: str) -> str | None:
    """The text when, written token by token, it is first complete."""
    ids = engine.tokenizer(text, add_special_tokens=False)["input_ids"]
    for size in range(1, len(ids) + 1):
        if ending.reached(ids[:size]):
            return ending.completion("x", 3, ids[:size]).text
    return None


@pytest.mark.parametrize(
    ("until", "text", "wanted"),
    [
        (r"\d+(?=\D)", "8 or so", "8"),
        (r"\d+(?=\D)", "it is 10. Because", "it is 10"),
        (r"\d+(?=\D)", "no score", None),
        (r"\d+(?=\D)", "10", None),
        (r"\n\n", "one\ntwo\n\nthree\n\nfour", "one\ntwo\n\n"),
        (r"n.", "né", "né"),
        (r"(?<=: )\S", "a: 日本", "a: 日"),
        (r"(?i)SCORE: ", "the score: 7", "the score: "),
    ],
)
def test_the_pattern_ends_the_text(engine: HFEngine, until: str, text: str, wanted: str | None) -> None:
    assert _first(engine, _ending(engine, until=until), text) == wanted


def test_the_earlier_of_stop_and_pattern(engine: HFEngine) -> None:
    ending = _ending(engine, stops=("\nQuestion:",), until=r"\d+(?=\D)")
    assert _first(engine, ending, "yes\nQuestion: 10 sheep") == "yes"
    assert _first(engine, ending, "10 sheep\nQuestion: x") == "10"


def test_an_end_token_in_front_of_a_match(engine: HFEngine) -> None:
    tokenizer = engine.tokenizer
    ids = [*tokenizer("say 10", add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    ending = _ending(engine, until=r"\d+(?=\D)")
    assert [ending.reached(ids[:size]) for size in range(1, len(ids) + 1)] == [False] * (len(ids) - 1) + [
        True
    ]
    done = ending.completion("x", 3, ids)
    assert (done.text, done.finish, done.ended, done.tokens) == ("say 10", "stop", True, len(ids))


def test_a_match_at_the_limit_is_a_stop(engine: HFEngine) -> None:
    ids = engine.tokenizer("10 ", add_special_tokens=False)["input_ids"]
    done = _ending(engine, until=r"\d+(?=\D)").completion("x", 3, ids)
    assert (done.text, done.finish, done.ended, done.tokens) == ("10", "stop", False, len(ids))


@pytest.mark.parametrize("batch_size", [1, 8])
def test_rows_leave_with_the_token_that_completes_the_match(
    engine: HFEngine, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    """Greedy: the same tokens as without a pattern, up to the first after which it is found; then no step more."""
    written: list[list[int]] = []
    decode, drawn = Runner.decode, Draws.__call__
    steps: list[int] = []

    def watched(self: Runner, *args: Any) -> list[list[int]]:
        written.extend(decode(self, *args))
        return written[-len(args[0]) :]

    def counted(self: Draws, logits: Any, *args: Any) -> Any:
        steps.append(len(logits))
        return drawn(self, logits, *args)

    monkeypatch.setattr(Runner, "decode", watched)
    monkeypatch.setattr(Draws, "__call__", counted)
    monkeypatch.setattr(engine, "_batch_size", batch_size)
    prompts = ["a sheep", "the sea", "x", "Rate it:", "1 2 3", "hot", "Question: a\nAnswer:", "town"]

    def run(until: str) -> list[list[int]]:
        written.clear()
        steps.clear()
        list(engine.generate([Request(p, p, Sampling(40, 0.0, until=until)) for p in sorted(prompts)]))
        return list(written)

    until = "[aeiou0-9]"
    whole = run("")
    wanted = [
        next((ids[:n] for n in range(1, len(ids)) if re.search(until, engine._decoder.text(ids[:n]))), ids)
        for ids in whole
    ]
    assert run(until) == wanted
    assert sum(steps) == sum(map(len, wanted)) < sum(map(len, whole)) / 2
