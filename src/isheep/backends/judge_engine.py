"""A judge on this machine: one of the project's own engines, answering chat messages.

Knows: how messages become a prompt. Does not know: what is asked, how an engine works.

Messages are laid out as the model's layout "auto" has it: the tokenizer's chat template where there is one whose tokens
the model knows, else questions and answers in plain text. A layout has no place for a system message, so that stands
above the first request, a blank line between them. No log-probabilities: an engine scores given choices, which a
question to a judge does not name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from isheep.backends import open_engine
from isheep.backends.base import ModelSpec, Request, Runtime, Sampling
from isheep.backends.judge_cache import Cache, Said, Spent, Tally, question_key
from isheep.backends.outside import JudgeReply, JudgeRequest, JudgeSpec
from isheep.errors import BackendError
from isheep.files import model_path
from isheep.records import Completion


class EngineJudge:
    """`engine` is the kind of engine that loads the model: spec.spec, or else what spec.model names."""

    def __init__(self, spec: JudgeSpec, runtime: Runtime, engine: str = "hf") -> None:
        model = spec.spec or ModelSpec(model_path(spec.model), name=spec.model)
        self.name = model.name or model.base
        self._engine = open_engine(engine, model, runtime)
        self.device_name = self._engine.device_name
        self.parameters: int | None = self._engine.parameters
        self._layout = self._engine.layout("auto")
        self._identity = json.dumps(
            [engine, model.base, model.revision, model.adapter, model.dtype]
            + [_stamp(folder) for folder in (model.base, model.adapter) if folder]
        )
        self._cache = Cache(runtime.cache)
        self._tally = Tally()

    @property
    def spent(self) -> Spent:
        return self._tally.spent

    def judge(self, requests: Sequence[JudgeRequest], skip: Collection[str] = ()) -> Iterator[JudgeReply]:
        by_id = {request.id: request for request in requests}
        asked, done = [], set(skip)
        for request in requests:
            try:
                asked.append(self._asked(request))
            except ValueError as error:
                if request.id not in done:
                    yield JudgeReply(request.id, "", error=str(error))
                continue
            if request.id not in done and (said := self._cache.get(self._key(request))):
                done.add(request.id)
                self._tally.add(said, cached=True)
                yield said.reply(request.id, cached=True)
        too_long = []
        for completion in self._engine.generate(asked, done):
            if completion.finish == "too_long":
                too_long.append(self._too_long(completion))
            else:
                yield self._answered(by_id[completion.id], completion)
        if 1 < len(too_long) == len(requests):
            raise BackendError(
                f"every question is too long for the judge {self.name!r}: {too_long[-1].error}",
                "choose a judge with a longer context (judge.model), or shorter judge prompts (judge.prompts)",
            )
        yield from too_long

    def close(self) -> None:
        self._engine.close()
        self._cache.close()

    def _key(self, request: JudgeRequest) -> str:
        return question_key("engine", self._identity, request)

    def _asked(self, request: JudgeRequest) -> Request:
        sampling = Sampling(request.max_tokens, request.temperature, stops=self._layout.stop_texts)
        *history, last = turns(request.messages)
        return Request(request.id, self._layout.prompt(last, history=history), sampling, request.seed)

    def _answered(self, request: JudgeRequest, completion: Completion) -> JudgeReply:
        text = completion.text.strip()
        said = Said(text, prompt_tokens=completion.prompt_tokens, tokens=completion.tokens)
        self._cache.put(self._key(request), f"engine {self.name}", said)
        self._tally.add(said, cached=False)
        return said.reply(request.id, cached=False)

    def _too_long(self, completion: Completion) -> JudgeReply:
        context = self._engine.context
        error = f"{completion.prompt_tokens} tokens leave no room in the model's context of {context}"
        return JudgeReply(completion.id, "", error=error)


def turns(messages: Sequence[tuple[str, str]]) -> list[str]:
    """Messages as request, answer, ..., request; several of one side in a row become one. ValueError where they are no
    such conversation."""
    said: list[tuple[str, str]] = []
    for role, content in messages:
        if role not in ("system", "user", "assistant"):
            raise ValueError(f"a message of the role {role!r} cannot be laid out")
        side = "assistant" if role == "assistant" else "user"
        if said and said[-1][0] == side:
            said[-1] = (side, f"{said[-1][1]}\n\n{content}")
        else:
            said.append((side, content))
    if len(said) % 2 == 0 or said[0][0] != "user":
        raise ValueError("a conversation begins and ends with the person's message")
    return [content for _, content in said]


def _stamp(name: str) -> list[tuple[str, int, int]]:
    """What tells a model's folder from the same folder with another model in it: sizes and times of its files."""
    files = sorted(path for path in Path(name).rglob("*") if path.is_file()) if Path(name).is_dir() else []
    return [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
