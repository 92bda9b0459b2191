"""Streaming gives what the engine gives, piece by piece, from one loaded base."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.backends import hf_load, open_engine, open_streamer
from isheep.backends.base import ModelSpec, Request, Runtime, Sampling
from isheep.backends.streaming import Pieces, settled, with_system
from isheep.errors import BackendError, RecipeError
from isheep.runs import Run
from isheep.talk.models import base_of, models, open_models
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model

LETTERS = st.text("ab \n", max_size=12)
QUESTIONS = ("What is one more than 375?", "Is a fly bigger than a camel?")


@settings(deadline=None)  # a busy machine is no mistake
@given(LETTERS, st.lists(st.text("ab \n", min_size=1, max_size=3), max_size=3), st.integers(1, 4))
def test_pieces_are_the_cut_text_whatever_it_is_and_ends_at(text: str, stops: list[str], step: int) -> None:
    """The text grows by tokens of `step` letters, until one completes a stop text; then it is cut before it."""
    ends = [n for n in range(0, len(text) + step, step) if any(stop in text[:n] for stop in stops)]
    text = text[: min(ends)] if ends else text
    cuts = [at for stop in stops if (at := text.find(stop)) >= 0]
    whole = text[: min(cuts)] if cuts else text
    told: list[str] = []
    pieces = Pieces(stops, told.append)
    for n in range(step, len(text), step):
        pieces.grown(text[:n])
        assert whole.strip().startswith("".join(told))
    pieces.finished(whole)
    assert "".join(told) == whole.strip()
    assert all(told)


def test_what_may_become_a_stop_text_waits() -> None:
    assert settled(" no\nQues", ("\nQuestion:",)) == "no"
    assert settled(" no\nQuit", ("\nQuestion:",)) == "no\nQuit"
    assert settled("caf\ufffd", ()) == "caf"


def asked(run: Run, question: str, temperature: float) -> Request:
    layout = LAYOUTS["question"]
    return Request("x", layout.prompt(question), Sampling(8, temperature, stops=layout.stop_texts), seed=3)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_it_answers_as_the_engine_does(lamb_run: Run, temperature: float) -> None:
    chosen = models(lamb_run, [2, 0, 1])
    streamer = open_models(lamb_run, chosen)
    texts = []
    for place, model in ((0, chosen[0]), (None, chosen[1]), (1, chosen[2])):
        engine = open_engine("hf", replace(base_of(lamb_run), adapter=model.adapter), Runtime(device="cpu"))
        for question in QUESTIONS:
            request = asked(lamb_run, question, temperature)
            told: list[str] = []
            found = streamer.answer(place, request, told.append)
            assert [found] == list(engine.generate([request]))
            assert "".join(told) == found.text.strip()
            texts.append(found.text)
    assert len({tuple(texts[n : n + 2]) for n in (0, 2, 4)}) == 3  # an adapter not put on would show


def test_the_base_is_loaded_once(lamb_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[Any] = []
    load = hf_load.load_model
    monkeypatch.setattr(hf_load, "load_model", lambda *a, **k: loaded.append(load(*a, **k)) or loaded[-1])
    open_models(lamb_run, models(lamb_run, [0, 1, 2]))
    assert len(loaded) == 1


def test_adapters_with_trained_rows_beside_one_another(make_run: Callable[..., Run], tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", template=True)
    run = make_run("rows", str(base), "chat", trainable_token_indices=[2, 3])
    chosen = models(run, [0, 1, 2])
    streamer = open_models(run, chosen)
    prompt = streamer.layout.prompt("Name a sheep.")
    assert prompt.endswith("<|im_start|>assistant\n")
    for place, model in zip((None, 0, 1), chosen, strict=True):
        engine = open_engine("hf", replace(base_of(run), adapter=model.adapter), Runtime(device="cpu"))
        request = Request("x", prompt, Sampling(8, 0.0, stops=streamer.layout.stop_texts))
        assert [streamer.answer(place, request, lambda piece: None)] == list(engine.generate([request]))


def test_a_prompt_that_fills_the_context_is_not_answered(lamb_run: Run) -> None:
    streamer = open_models(lamb_run, models(lamb_run, [0]))
    request = Request("x", "a sheep " * 300, Sampling(9, 0.0))
    assert streamer.answer(None, request, lambda piece: None).finish == "too_long"
    nearly = Request("x", "a sheep " * 127, Sampling(9, 0.0))
    assert streamer.answer(None, nearly, lambda piece: None).tokens <= 2


def test_what_tell_raises_ends_the_answer(lamb_run: Run) -> None:
    streamer = open_models(lamb_run, models(lamb_run, [0, 1]))

    def leave(piece: str) -> None:
        raise KeyboardInterrupt

    before = streamer.answer(None, asked(lamb_run, QUESTIONS[0], 0.0), lambda piece: None)
    with pytest.raises(KeyboardInterrupt):
        streamer.answer(0, asked(lamb_run, QUESTIONS[0], 0.0), leave)
    assert streamer.answer(None, asked(lamb_run, QUESTIONS[0], 0.0), lambda piece: None) == before


def test_the_model_that_is_none_streams_too(fake_run: Run) -> None:
    chosen = models(fake_run)
    assert [model.iteration for model in chosen] == [0, 2]
    streamer = open_models(fake_run, chosen)
    engine = open_engine("fake", base_of(fake_run))
    request = asked(fake_run, QUESTIONS[0], 1.0)
    told: list[str] = []
    found = streamer.answer(None, request, told.append)
    assert [found] == list(engine.generate([request]))
    assert "".join(told) == found.text.strip()
    assert streamer.answer(0, request, told.append) != found


def test_a_system_message_takes_its_place() -> None:
    told = with_system(LAYOUTS["chatml"], "Be brief.")
    assert told.prompt("hi").startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi")
    told = with_system(LAYOUTS["question"], " Be brief. ")
    assert told.prompt("b", "", ("a", "x")) == "Be brief.\n\n" + LAYOUTS["question"].prompt(
        "b", "", ("a", "x")
    )
    assert with_system(LAYOUTS["qa"], " ") is LAYOUTS["qa"]


def test_a_system_message_goes_through_the_tokenizers_template(tmp_path: Path) -> None:
    spec = ModelSpec(str(make_model(tmp_path / "base", template=True)))
    told = open_streamer("hf", spec, (), "chat", "Be brief.", Runtime(device="cpu")).layout
    assert told.prompt("hi").startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi")


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    spec = ModelSpec(str(make_model(tmp_path / "base")))
    with pytest.raises(BackendError, match="no adapter at"):
        open_streamer("hf", spec, [str(tmp_path)], "question", "", Runtime(device="cpu"))
    with pytest.raises(RecipeError, match="unknown streamer"):
        open_streamer("vlm", spec, (), "question", "", Runtime())
