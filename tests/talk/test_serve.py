"""`isheep serve`: what the server is given and told, and once a real server with the `openai` client."""

from __future__ import annotations

import importlib.util
import json
import shlex
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from isheep.backends import open_engine
from isheep.backends.base import Request, Runtime, Sampling
from isheep.backends.hf_text import encode_prompt
from isheep.errors import BackendError, MissingExtraError, RecipeError
from isheep.runs import Run
from isheep.talk import server
from isheep.talk.models import base_of, models
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model

TALK = [
    {"role": "user", "content": " What is one more than 375?"},
    {"role": "assistant", "content": "376"},
    {"role": "user", "content": "And one more?"},
]
SAID = ("What is one more than 375?", "376")


def test_the_folder_is_base_and_adapter_side_by_side(lamb_run: Run) -> None:
    with server.prepared(lamb_run, 2, "transformers", "127.0.0.1", 8001) as made:
        folder = made.cwd / made.model
        assert made.model == "lambs-iteration2"
        weights = folder / "model.safetensors"
        assert weights.is_symlink()
        assert weights.resolve().parent == Path(base_of(lamb_run).base).resolve()
        adapter = models(lamb_run, [2])[0].adapter
        assert (folder / "adapter_model.safetensors").resolve().parent == Path(adapter or "").resolve()
        assert made.request == {"max_tokens": 24, "stop": ["\nQuestion:", "\n\n\n"]}
        assert made.url == "http://127.0.0.1:8001/v1"
    assert not made.cwd.exists()


def test_messages_become_the_prompt_of_the_layout(lamb_run: Run) -> None:
    with server.prepared(lamb_run, 1, "transformers", "127.0.0.1", 8001) as made:
        tokenizer = AutoTokenizer.from_pretrained(made.cwd / made.model)
        ids = tokenizer.apply_chat_template(TALK, add_generation_prompt=True, return_dict=False)
    assert ids == encode_prompt(tokenizer, LAYOUTS["question"].prompt("And one more?", "", SAID))


def test_a_template_of_the_tokenizers_own_stays(make_run: Callable[..., Run], tmp_path: Path) -> None:
    base = make_model(tmp_path / "base", template=True)
    run = make_run("own", str(base), "chat")
    with server.prepared(run, 0, "transformers", "127.0.0.1", 8001) as made:
        folder = made.cwd / made.model
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert tokenizer.chat_template == AutoTokenizer.from_pretrained(base).chat_template
        ends = json.loads((folder / "generation_config.json").read_text())["eos_token_id"]
        assert tokenizer.convert_tokens_to_ids("<|im_end|>") in ends
        assert tokenizer.eos_token_id in ends
        assert not list(folder.glob("adapter_*"))


def test_what_transformers_is_told(lamb_run: Run) -> None:
    with server.prepared(lamb_run, 2, "transformers", "127.0.0.1", 8001) as made:
        assert made.command[:2] == (sys.executable, "-P")
        rest = made.command[made.command.index("serve") + 1 :]
        assert rest == (
            *("lambs-iteration2", "--host", "127.0.0.1", "--port", "8001"),
            *("--device", "cpu", "--dtype", "float32"),
        )


def test_what_vllm_is_told(lamb_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    adapter = models(lamb_run, [2])[0].adapter
    for iteration, base_name in ((2, "lambs-iteration2-base"), (0, "lambs-iteration0")):
        with server.prepared(lamb_run, iteration, "vllm", "127.0.0.1", 8001) as made:
            folder = made.cwd / made.model
            told = list(made.command[made.command.index("serve") + 1 :])
            assert told.pop(0) == base_of(lamb_run).base
            lora = ["--enable-lora", "--max-lora-rank", "8", "--lora-modules", f"lambs-iteration2={adapter}"]
            assert told == [
                *("--served-model-name", base_name, "--tokenizer", str(folder)),
                *("--chat-template", str(folder / "chat_template.jinja"), "--generation-config", str(folder)),
                *("--dtype", "float32"),
                *(lora if iteration else ()),
                *("--host", "127.0.0.1", "--port", "8001"),
            ]
            assert (folder / "chat_template.jinja").is_file()


def test_what_cannot_be_served_is_said_first(
    lamb_run: Run, fake_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match="without a model"):
        server.check(fake_run, "transformers")
    fewer = lamb_run.recipe.model.model_copy(update={"load_in": "4bit"})
    with pytest.raises(RecipeError, match="fewer bits"):
        server.check(replace(lamb_run, recipe=lamb_run.recipe.model_copy(update={"model": fewer})), "vllm")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="fastapi, uvicorn, openai"):
        server.check(lamb_run, "transformers")


def test_loopback_is_quiet_others_are_warned_of_and_taken_ports_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BackendError, match=f"cannot listen on 127.0.0.1:{port}"):
            server.check_address("127.0.0.1", port)
    assert server.check_address("127.0.0.1", port) == ""
    assert server.check_address("localhost", port) == ""
    assert "no password" in server.check_address("0.0.0.0", port)


def test_what_is_printed_runs(lamb_run: Run) -> None:
    with server.prepared(lamb_run, 1, "transformers", "0.0.0.0", 8001) as made:
        curl, _, client = server.usage(made).partition("\n\n")
    words = shlex.split(curl)
    assert words[:2] == ["curl", "http://127.0.0.1:8001/v1/chat/completions"]
    assert json.loads(words[-1])["stop"] == ["\nQuestion:", "\n\n\n"]
    compile(client, "usage", "exec")
    assert "model='lambs-iteration1'" in client


@pytest.mark.slow
def test_a_real_server_answers_as_the_engine_and_leaves_nothing(lamb_run: Run) -> None:
    openai = pytest.importorskip("openai")
    pytest.importorskip("fastapi")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said: list[str] = []
    answers: list[str] = []

    def say(text: str) -> None:
        """Called when the server is up: ask it, then press Ctrl-C."""
        said.append(text)
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none")
        asked = {"model": "lambs-iteration2", "max_tokens": 6, "temperature": 0, "messages": TALK}
        answers.append(client.chat.completions.create(**asked).choices[0].message.content)
        parts = client.chat.completions.create(**asked, stream=True)
        answers.append("".join(part.choices[0].delta.content or "" for part in parts if part.choices))
        raise KeyboardInterrupt

    with server.prepared(lamb_run, 2, "transformers", "127.0.0.1", port) as made:
        server.serve(made, say)
    assert f"127.0.0.1:{port}/v1/chat/completions" in said[0]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 1)
    layout = LAYOUTS["question"]
    prompt = layout.prompt("And one more?", "", SAID)
    request = Request("x", prompt, Sampling(6, 0.0, stops=layout.stop_texts))
    texts = []
    for adapter in (models(lamb_run, [2])[0].adapter, None):
        engine = open_engine("hf", replace(base_of(lamb_run), adapter=adapter), Runtime(device="cpu"))
        texts += [done.text.strip() for done in engine.generate([request])]
    # transformers' server leaves the stop text where the engine cuts before it
    assert [answer.partition("\nQuestion:")[0].strip() for answer in answers] == texts[:1] * 2
    assert texts[0] != texts[1]  # else it might have been the bare base
