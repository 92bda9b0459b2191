"""A model asked through a server is the model asked directly: texts, scores, likelihoods, layouts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from completion_server import VLLM, CompletionServer, ModelBrain
from isheep.backends import server_score
from isheep.backends.base import ModelSpec, Passage, Query, Request, Runtime, Sampling, ServerSpec
from isheep.backends.hf import HFEngine
from isheep.backends.openai import OpenAIEngine
from isheep.records import Likelihood
from tiny_models import CHATML, make_model, untrain

SCORES = tuple(str(n) for n in range(1, 11))
RUNTIME = Runtime(device="cpu", threads=1)


Both = tuple[HFEngine, OpenAIEngine]


@pytest.fixture(scope="module", params=["plain", "begin"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A model with a chat template; of one tokenizer and template both put a begin token before a prompt."""
    folder = make_model(
        tmp_path_factory.mktemp("model"), template=True, bos=request.param == "begin", context=128
    )
    if request.param == "begin":
        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer.chat_template = "{{ bos_token }}" + CHATML
        tokenizer.save_pretrained(folder)
    with CompletionServer(ModelBrain(folder), replace(VLLM, top=10**6)) as server:
        engine = OpenAIEngine(ModelSpec(str(folder), server=ServerSpec(server.url)), RUNTIME)
        yield HFEngine(ModelSpec(str(folder)), RUNTIME), engine
        engine.close()


def test_layouts_are_those_the_trainer_comes_to(both: Both) -> None:
    hf, served = both
    for name in ("auto", "chat", "chatml", "question"):
        assert served.layout(name) == hf.layout(name)


def test_auto_is_not_chat_where_the_model_never_saw_its_tokens(tmp_path: Path) -> None:
    folder = str(untrain(make_model(tmp_path, template=True)))
    served = OpenAIEngine(ModelSpec(folder, server=ServerSpec("http://localhost:1/v1")), RUNTIME)
    assert served.layout("auto") == HFEngine(ModelSpec(folder), RUNTIME).layout("auto")
    assert served.layout("auto").name == "question"


@pytest.mark.parametrize("name", ["chat", "question"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_texts(both: tuple[HFEngine, OpenAIEngine], name: str, temperature: float) -> None:
    hf, served = both
    layout = served.layout(name)
    sampling = Sampling(20, temperature, stops=layout.stop_texts)
    prompts = [layout.prompt("Describe " + "a sheep " * (1 + n)) for n in range(8)]
    asked = [Request(str(n), prompt, sampling, seed=100 + n) for n, prompt in enumerate(prompts)]
    asked += [Request("long", layout.prompt("sheep " * 200), sampling)]
    asked += [Request("tight", layout.prompt("sheep " * 8), replace(sampling, max_tokens=500), 3)]
    expected = {c.id: c for c in hf.generate(asked)}
    found = {c.id: c for c in served.generate(asked)}
    for id, completion in found.items():
        # A server counts the tokens of a stop text, or not; that alone may differ.
        assert replace(completion, tokens=0) == replace(expected[id], tokens=0)
    assert {c.finish for c in found.values()} >= {"too_long", "length"}


def test_a_turn_that_the_model_closed_is_ended(both: Both) -> None:
    """The layout's end is a token of its own, which servers do not show in the text: it is asked for by its id."""
    hf, served = both
    layout = served.layout("chat")
    sampling = Sampling(40, 1.5, stops=layout.stop_texts)
    asked = [Request(str(n), layout.prompt("Hello"), sampling, seed=n) for n in range(24)]
    ended = {c.id for c in hf.generate(asked) if c.ended}
    assert 0 < len(ended) < 24
    assert {c.id for c in served.generate(asked) if c.ended} == ended


def test_scores(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all tokens shown and every beginning followed, they are equal."""
    hf, served = both
    monkeypatch.setitem(vars(served), "_top", 10**6)
    monkeypatch.setattr(server_score, "SMALL", 0.0)
    prompts = ["Score (1 to 10):", "Rating\n", served.layout("chat").prompt("Rate this."), "x " * 500]
    queries = [Query(str(n), prompt, SCORES) for n, prompt in enumerate(prompts)]
    expected = {choice.id: choice for choice in hf.score(queries)}
    for choice in served.score(queries):
        wanted = expected[choice.id]
        assert choice.prompt_tokens == wanted.prompt_tokens
        assert choice.mass == pytest.approx(wanted.mass, abs=1e-6)
        assert choice.probabilities == pytest.approx(wanted.probabilities, abs=1e-5)


def test_likelihoods(both: Both) -> None:
    hf, served = both
    chat = served.layout("chat")
    passages = [
        Passage("a", "Question: hot?\nAnswer:", " it is cold"),
        Passage("b", chat.prompt("Describe a sheep"), chat.completion("white, and 1 2 3")),
        Passage("c", "x", "y"),
        Passage("empty", "x", ""),
        Passage("long", "x", "a b c " * 100),
        Passage("umlaut", "Größe: 🐑", " über"),
    ]
    expected = {one.id: one for one in hf.likelihood(passages)}
    for one in served.likelihood(passages):
        wanted = expected[one.id]
        assert (one.prompt_tokens, one.text_tokens) == (wanted.prompt_tokens, wanted.text_tokens), one.id
        assert one.text_loglik == pytest.approx(wanted.text_loglik, rel=1e-4)
        assert one.prompt_loglik == pytest.approx(wanted.prompt_loglik, rel=1e-4)
    assert expected["long"] == Likelihood("long", 0.0, 0, 0.0, 0)


def test_counts(both: Both) -> None:
    hf, served = both
    texts = ["", "a", "The score (1 to 10): 8", "Größe 🐑"]
    assert served.count(texts)[1:] == hf.count(texts)[1:]
    assert served.context == hf.context
