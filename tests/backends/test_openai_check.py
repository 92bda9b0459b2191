"""What a server will not do is told before the run, all at once, each with the setting and the way out."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import Any

import pytest

from chat_server import Status
from completion_server import HOSTED, LLAMA_CPP, TRANSFORMERS, VLLM, CompletionServer, FakeBrain, Habits
from isheep.backends import obstacles as at_the_door
from isheep.backends.base import ModelSpec, Runtime, ServerSpec
from isheep.backends.http import Retry
from isheep.backends.server_check import obstacles

FAST = Retry(tries=2, base=0.001, cap=0.01)
ALL = frozenset({"generate", "score", "likelihood", "adapter"})
KEY = "sk-9f8e7d6c5b4a"


def found(server: CompletionServer | str, needs: frozenset[str] = ALL, **spec: Any) -> list[str]:
    url = server if isinstance(server, str) else server.url
    model = ModelSpec("no/such-base", server=ServerSpec(url, **spec))
    sentences = obstacles(model, Runtime(concurrency=2), needs, FAST)
    assert all(sentence.split(":")[0].count(".") == 1 for sentence in sentences), (
        sentences
    )  # a setting's name
    assert not any("\n" in sentence for sentence in sentences)
    return sentences


def test_a_server_that_can_do_all_stands_in_nobodys_way() -> None:
    with CompletionServer(FakeBrain(), VLLM) as server:
        assert found(server, adapters="vllm") == []
        model = ModelSpec("no/such-base", server=ServerSpec(server.url))
        assert at_the_door("engine", "openai", model, Runtime(), {"generate", "score"}) == []


@pytest.mark.parametrize(
    ("habits", "settings"),
    [
        (LLAMA_CPP, ["filter.ppl", "server.adapters"]),
        (TRANSFORMERS, ["assessment.reading", "filter.ppl", "server.adapters"]),
        (replace(VLLM, loads_adapters=False), ["server.adapters"]),
        (replace(VLLM, samples=False), ["server.url"]),
    ],
)
def test_everything_it_cannot_is_told_at_once(habits: Habits, settings: list[str]) -> None:
    with CompletionServer(FakeBrain(), habits) as server:
        adapters = "none" if not habits.why else "vllm"
        sentences = found(server, model="sheepdog", adapters=adapters)
        assert [sentence.split(":")[0] for sentence in sentences] == settings
        assert found(server, frozenset({"generate"}), model="sheepdog") == [
            s for s in sentences if "sample" in s and "url" in s
        ]


def test_ways_out_are_named() -> None:
    with CompletionServer(FakeBrain(), TRANSFORMERS) as server:
        reading, ppl, adapters = found(server, model="sheepdog")
        assert "'sampled'" in reading
        assert "vLLM" in ppl
        assert "iterations: 0" in adapters
    with CompletionServer(FakeBrain(), replace(VLLM, samples=False)) as server:
        assert "does not sample" in found(server, adapters="vllm")[0]
    with CompletionServer(FakeBrain(), replace(VLLM, loads_adapters=False)) as server:
        assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1" in found(server, adapters="vllm")[0]


def test_the_api_that_is_not_there() -> None:
    with CompletionServer(FakeBrain(), HOSTED) as server:
        [sentence] = found(server)
        assert sentence.startswith("server.api: ")
        assert "no raw completions" in sentence
        assert "set it to 'chat'" in sentence
        assert [s.split(":")[0] for s in found(server, api="chat")] == ["filter.ppl", "server.adapters"]
    with CompletionServer(FakeBrain(), replace(VLLM, chat=False)) as server:
        [sentence] = found(server, api="chat")
        assert "set it to 'completions'" in sentence


def test_raw_prompts_that_are_not_left_as_they_are() -> None:
    """Ollama puts a model's template around them, and says nothing."""
    with CompletionServer(FakeBrain(), replace(VLLM, templates=True)) as server:
        [sentence] = found(server)
        assert sentence.startswith("server.api: the server puts a template of its own around raw prompts")
        assert "TEMPLATE {{ .Prompt }}" in sentence
        assert found(server, api="chat", needs=frozenset({"generate"})) == []


def test_names() -> None:
    with CompletionServer(FakeBrain(), models=("sheepdog", "collie")) as server:
        [sentence] = found(server)
        assert sentence.startswith("server.model: the server lists 2 models ('sheepdog', 'collie')")
        [sentence] = found(server, model="wolf")
        assert (
            sentence
            == "server.model: the server has no model 'wolf'; set server.model; it offers 'sheepdog', 'collie'"
        )
    with CompletionServer(FakeBrain(), TRANSFORMERS) as server:
        [sentence] = found(server)
        assert "does not list its models" in sentence
    with CompletionServer(FakeBrain(), told="wo\x1b[2Jlf") as server:
        [sentence] = found(server, model="sheepdog")
        assert "answered with the model 'wo [2Jlf'" in sentence
        assert sentence.isprintable()


def test_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHEEP_KEY", raising=False)
    with CompletionServer(FakeBrain(), key=KEY) as server:
        unset, refused = found(server, key_env="SHEEP_KEY")
        assert unset.startswith("server.key_env: the environment variable SHEEP_KEY is not set")
        assert "put it in the environment variable SHEEP_KEY" in refused
        [none] = found(server, model="sheepdog")
        assert "name the environment variable that holds it (key_env)" in none
        monkeypatch.setenv("SHEEP_KEY", KEY + "x")
        [wrong] = found(server, key_env="SHEEP_KEY", model="sheepdog")
        assert "was sent and not accepted" in wrong
        monkeypatch.setenv("SHEEP_KEY", KEY)
        assert found(server, key_env="SHEEP_KEY", adapters="vllm") == []
    assert KEY not in "".join((unset, refused, none, wrong))


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    for model in ("", "sheepdog"):
        [sentence] = found(url, model=model)
        assert sentence.startswith("server.url: ")
        assert "see that the server runs" in sentence
    [sentence] = found("localhost:8000/v1")
    assert sentence.startswith("server.url: 'localhost:8000/v1' is no address")
    [sentence] = obstacles(ModelSpec("b"), Runtime(), ALL)
    assert sentence.startswith("server.url: no server is named")


def test_a_server_in_trouble_and_one_that_refuses_everything() -> None:
    with CompletionServer(FakeBrain()) as server:
        server.always(Status(500))
        [sentence] = found(server)
        assert "HTTP 500" in sentence
        server.always(Status(400, body=json.dumps({"error": {"message": "the GPU is on fire"}})))
        [sentence] = found(server)
        assert sentence.startswith("server.url: ")
        assert "the GPU is on fire" in sentence
