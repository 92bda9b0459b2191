"""A real HTTP server on this machine that serves a model through the OpenAI API, as several kinds of servers do it.

    with CompletionServer(FakeBrain(), LLAMA_CPP) as server:
        ... ask server.url ...

`Habits` are what servers differ in; the ones named here are as documented (docs/servers.md tells the sources), which is
not to say that those servers themselves were asked. Misbehaves on command like ChatServer.
"""

from __future__ import annotations

import json
import math
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from chat_server import ChatServer, Status, refusal
from isheep.backends.base import ModelSpec, Request, Runtime, Sampling
from isheep.backends.fake import FakeEngine, tokens_of
from isheep.records import Completion


class Brain(Protocol):
    """A model: writes, and tells what may come next and what it has read."""

    context: int

    def tokens(self, text: str) -> list[str]: ...
    def write(self, prompt: str, sampling: Sampling, seed: int) -> Completion: ...
    def following(self, prompt: str) -> Mapping[str, float]: ...
    def read(self, text: str) -> list[tuple[str, float | None]]: ...
    def laid_out(self, messages: list[dict[str, str]], go_on: bool) -> str: ...


class FakeBrain:
    """The fake engine; its tokens are words. `following`: the logits behind a prompt, by the end of the prompt."""

    context = 4096

    def __init__(self, following: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._engine = FakeEngine(ModelSpec("any"), Runtime())
        self._following = following or {"": {f" {n}": -n / 2 for n in range(1, 30)}}

    def tokens(self, text: str) -> list[str]:
        return tokens_of(text)

    def write(self, prompt: str, sampling: Sampling, seed: int) -> Completion:
        (done,) = self._engine.generate([Request("x", prompt, sampling, seed)])
        return done

    def following(self, prompt: str) -> Mapping[str, float]:
        end = max((end for end in self._following if prompt.endswith(end)), key=len)
        total = math.log(sum(math.exp(value) for value in self._following[end].values()))
        return {token: value - total for token, value in self._following[end].items()}

    def read(self, text: str) -> list[tuple[str, float | None]]:
        tokens = tokens_of(text)
        return [
            (t, None if n == 0 else -random.Random("".join(tokens[: n + 1])).uniform(0.1, 5))
            for n, t in enumerate(tokens)
        ]

    def laid_out(self, messages: list[dict[str, str]], go_on: bool) -> str:
        said = "".join(f"<{m['role']}>{m['content']}" for m in messages)
        return said if go_on else f"{said}<assistant>"


class ModelBrain:
    """A model in a folder, run by transformers; one question at a time."""

    def __init__(self, folder: Path) -> None:
        from isheep.backends.hf import HFEngine

        self._engine = HFEngine(ModelSpec(str(folder)), Runtime(device="cpu", threads=1))
        self._tokenizer = self._engine.tokenizer
        self._pieces = [self._tokenizer.decode([token]) for token in range(len(self._tokenizer))]
        self._lock = threading.Lock()
        self._written: dict[tuple[str, Sampling, int], Completion] = {}
        self.context = self._engine.context

    def tokens(self, text: str) -> list[str]:
        return [self._pieces[token] for token in self._tokenizer(text)["input_ids"]]

    def special(self, ids: list[int]) -> tuple[str, ...]:
        return tuple(self._tokenizer.convert_ids_to_tokens(ids))

    def write(self, prompt: str, sampling: Sampling, seed: int) -> Completion:
        asked = (prompt, sampling, seed)
        with self._lock:
            if asked not in self._written:  # the same again, whoever asks: the tests ask often
                (self._written[asked],) = self._engine.generate([Request("x", prompt, sampling, seed)])
            return self._written[asked]

    def following(self, prompt: str) -> Mapping[str, float]:
        values = self._logs(self._tokenizer(prompt)["input_ids"])[-1].tolist()
        found: dict[str, float] = {}
        for text, value in zip(self._pieces, values, strict=False):
            found[text] = max(value, found.get(text, -math.inf))
        return found

    def read(self, text: str) -> list[tuple[str, float | None]]:
        ids = self._tokenizer(text)["input_ids"]
        logs = self._logs(ids)
        values = [None, *(float(logs[n, token]) for n, token in enumerate(ids[1:]))]
        return list(zip((self._pieces[token] for token in ids), values, strict=True))

    def _logs(self, ids: list[int]) -> Any:
        import torch

        with self._lock, torch.inference_mode():
            return self._engine.model(torch.tensor([ids])).logits[0].float().log_softmax(-1)

    def laid_out(self, messages: list[dict[str, str]], go_on: bool) -> str:
        text: str = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=not go_on, continue_final_message=go_on
        )
        return text


@dataclass(frozen=True)
class Habits:
    """What servers differ in."""

    completions: bool = True
    chat: bool = True
    #: Puts its chat template around raw prompts too.
    templates: bool = False
    #: "stop_reason" or "matched_stop" in answers; empty: it does not say why a text ended.
    why: str = ""
    #: Leaves a stop text at the end of the answer.
    keeps_stops: bool = False
    most_stops: int | None = None
    #: Fields beside the API that are refused, with these words.
    refuses: tuple[str, ...] = ()
    words: str = "Unrecognized request argument supplied: {}"
    #: Log-probabilities: how many at most ("0": none are given), whether more are refused, and in which form.
    top: int = 0
    refuses_more: bool = True
    content_form: bool = False
    strips_spaces: bool = False
    echo: bool = False
    prompt_logprobs: bool = False
    #: Beside the API: /tokenize, and where the context is told.
    tokenizes: bool = False
    tells_context: str = ""
    lists: bool = True
    #: Goes on with an answer whose beginning is the last message.
    goes_on: bool = False
    loads_adapters: bool = False
    seeds: bool = True
    samples: bool = True
    too_long: str = (
        "This model's maximum context length is {context} tokens. However, you requested {asked} tokens"
    )


#: vLLM 0.28: docs, and vllm/entrypoints/openai.
VLLM = Habits(
    why="stop_reason", top=20, echo=True, prompt_logprobs=True, tokenizes=True, tells_context="models", goes_on=True,
    loads_adapters=True,
)  # fmt: skip
#: llama.cpp: tools/server/README.md and server-task.cpp.
LLAMA_CPP = Habits(
    top=10**6, content_form=True, tokenizes=True, tells_context="props", goes_on=True,
    too_long="the request exceeds the available context size, try increasing it",
)  # fmt: skip
#: A hosted API: OpenAI's reference.
HOSTED = Habits(
    completions=False, most_stops=4, refuses=("top_k", "min_p", "repetition_penalty", "stop_token_ids"), top=20,
)  # fmt: skip
#: transformers' own server, 5.23, as it was found to be.
TRANSFORMERS = Habits(
    keeps_stops=True, lists=False, words="Unexpected fields in the request: {{'{}'}}",
    refuses=("top_k", "min_p", "repetition_penalty"),
)  # fmt: skip


@dataclass
class _Written:
    text: str
    finish: str
    why: str | int | None
    tokens: int
    parts: dict[str, Any] = field(default_factory=dict)


class CompletionServer(ChatServer):
    """`adapters` are what was loaded into it: name -> path."""

    meets = "completions"

    def __init__(
        self, brain: Brain, habits: Habits = VLLM, models: tuple[str, ...] = ("sheepdog",), **options: Any
    ) -> None:
        super().__init__(models=models, **options)
        self.brain, self.habits = brain, habits
        self.adapters: dict[str, str] = {}

    @property
    def questions(self) -> list[Any]:
        """Payloads of the completions and chat completions."""
        return [asked.payload for asked in self.asked if asked.path.endswith("completions")]

    def route(self, path: str, payload: Any) -> Status:
        answers = {
            "/v1/models": self._models,
            "/props": self._props,
            "/tokenize": self._tokenize,
            "/v1/load_lora_adapter": self._load,
            "/v1/completions": self._completion,
            "/v1/chat/completions": self._chat,
        }
        if path not in answers:
            return refusal(404, "Not Found")
        found = answers[path](payload)
        return found if isinstance(found, Status) else Status(200, body=json.dumps(found))

    def _models(self, payload: Any) -> Any:
        if not self.habits.lists:  # as transformers' server does on a machine without a hub cache
            return refusal(500, "Internal Server Error")
        card = {"max_model_len": self.brain.context} if self.habits.tells_context == "models" else {}
        return {"data": [{"id": name, **card} for name in (*self.models, *self.adapters)]}

    def _props(self, payload: Any) -> Any:
        if self.habits.tells_context != "props":
            return refusal(404, "Not Found")
        return {"default_generation_settings": {"n_ctx": self.brain.context}}

    def _tokenize(self, payload: Any) -> Any:
        if not self.habits.tokenizes:
            return refusal(404, "Not Found")
        text = payload["content"] if self.habits == LLAMA_CPP else payload["prompt"]
        return {"tokens": list(range(len(self.brain.tokens(text))))}

    def _load(self, payload: Any) -> Any:
        if not self.habits.loads_adapters:
            return refusal(404, "Not Found")
        if not payload:
            return refusal(400, "Both 'lora_name' and 'lora_path' must be provided.")
        name, path = payload["lora_name"], payload["lora_path"]
        if name in self.adapters:
            return refusal(400, f"The lora adapter '{name}' has already been loaded.")
        if not Path(path).is_dir():
            return refusal(404, f"Loading lora {name} failed: No adapter found for {path}")
        self.adapters[name] = path
        return Status(200, body=f"Success: LoRA adapter '{name}' added successfully.")

    def _completion(self, payload: Any) -> Any:
        if not self.habits.completions:
            return refusal(404, "Not Found")
        prompt = payload["prompt"]
        if self.habits.templates:
            prompt = self.brain.laid_out([{"role": "user", "content": prompt}], False)
        return self._answered(payload, prompt, lambda w: {"text": w.text}, payload.get("logprobs"))

    def _chat(self, payload: Any) -> Any:
        if not self.habits.chat:
            return refusal(404, "Not Found")
        said = payload["messages"]
        prompt = self.brain.laid_out(said, self.habits.goes_on and said[-1]["role"] == "assistant")
        top = payload.get("top_logprobs") if payload.get("logprobs") else None
        return self._answered(payload, prompt, lambda w: {"message": {"content": w.text}}, top)

    def _answered(self, payload: Any, prompt: str, shape: Any, top: int | None) -> Any:
        h = self.habits
        if payload["model"] not in (*self.models, *self.adapters):
            return refusal(404, f"The model `{payload['model']}` does not exist.")
        if found := [name for name in h.refuses if name in payload and not payload.get("generation_config")]:
            return refusal(400, h.words.format(found[0]))
        if (rejected := self.reject(payload)) is not None:
            return rejected
        if h.most_stops is not None and len(payload.get("stop", [])) > h.most_stops:
            return refusal(400, f"Invalid 'stop': array too long, at most {h.most_stops}")
        if top and top > h.top > 0 and h.refuses_more:
            return refusal(400, f"Requested sample logprobs of {top}, greater than max allowed: {h.top}")
        limit = payload.get("max_completion_tokens", payload.get("max_tokens", 16))
        if limit == 0 and not h.echo:
            return refusal(500, "Internal Server Error")
        read = len(self.brain.tokens(prompt))
        if read + limit > self.brain.context:
            return refusal(400, h.too_long.format(context=self.brain.context, asked=read + limit))
        written = self._write(payload, prompt, limit)
        choice = {"index": 0, "finish_reason": written.finish, **shape(written)}
        if h.why:
            choice[h.why] = written.why
        if payload.get("echo") and h.echo:
            tokens = self.brain.read(prompt)
            choice["logprobs"] = {
                "tokens": [t for t, _ in tokens] + ["?"] * written.tokens,
                "token_logprobs": [v for _, v in tokens] + [-1.0] * written.tokens,
            }
        elif top and h.top:
            choice["logprobs"] = self._logprobs(prompt, min(top, h.top), "messages" in payload)
        if payload.get("prompt_logprobs") is not None and h.prompt_logprobs:
            choice["prompt_logprobs"] = [
                None if value is None else {str(n): {"logprob": value, "rank": 1, "decoded_token": token}}
                for n, (token, value) in enumerate(self.brain.read(prompt))
            ]
        usage = {"prompt_tokens": read, "completion_tokens": written.tokens}
        return {"model": self.told or payload["model"], "choices": [choice], "usage": usage}

    def _logprobs(self, prompt: str, top: int, chat: bool) -> Any:
        best = sorted(self.brain.following(prompt).items(), key=lambda pair: -pair[1])[:top]
        if self.habits.strips_spaces:
            best = [(token.strip(), value) for token, value in best]
        if chat or self.habits.content_form:
            entries = [{"token": token, "logprob": value} for token, value in best]
            return {"content": [{**entries[0], "top_logprobs": entries}]}
        return {"tokens": [best[0][0]], "token_logprobs": [best[0][1]], "top_logprobs": [dict(best)]}

    def _write(self, payload: Any, prompt: str, limit: int) -> _Written:
        h = self.habits
        drawn = payload if "generation_config" not in payload else json.loads(payload["generation_config"])
        sampled = h.samples and (
            not h.refuses or h.refuses[0] != "top_k" or h != TRANSFORMERS or "do_sample" in drawn
        )
        ends = (
            self.brain.special(payload.get("stop_token_ids", []))
            if isinstance(self.brain, ModelBrain)
            else ()
        )
        sampling = Sampling(
            limit,
            drawn.get("temperature", 0.0) if sampled else 0.0,
            drawn.get("top_p", 1.0),
            max(0, drawn.get("top_k", 0)),
            ends,
        )
        seed = payload.get("seed", 0) if h.seeds else random.SystemRandom().randrange(2**31)
        done = self.brain.write(prompt, sampling, seed)
        found = [(at, stop) for stop in payload.get("stop", []) if (at := done.text.find(stop)) >= 0]
        if not found:
            return _Written(done.text, done.finish, None, done.tokens)
        at, stop = min(found)
        tokens = min(done.tokens, len(self.brain.tokens(done.text[: at + len(stop)])))
        return _Written(done.text[: at + len(stop) * h.keeps_stops], "stop", stop, tokens)
