"""A judge behind a URL: any server that speaks the OpenAI chat API (vLLM, llama.cpp, Ollama, a hosted one).

Knows: that API, and when to give a server up. Does not know: HTTP's troubles (http.py), what is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from isheep.backends import server_wire
from isheep.backends.base import Runtime
from isheep.backends.http import Client, RefusedError, Retry, UnavailableError
from isheep.backends.http_key import Secret
from isheep.backends.judge_cache import Cache, Said, Spent, Tally, question_key
from isheep.backends.outside import JudgeReply, JudgeRequest, JudgeSpec
from isheep.backends.threads import concurrently
from isheep.errors import BackendError

#: So many failures in a row, each after all its tries, and the server is given up.
GIVE_UP = 8
#: Statuses that speak of the caller, not of the one request: a wrong key, a wrong address, no such model, a redirect.
_EVERY_REQUEST = (401, 404, *range(300, 400))

Failure = RefusedError | UnavailableError


class OpenAIJudge:
    """Asks `runtime.concurrency` questions at once; the cache has an answer before anybody else sees it."""

    device_name = "remote"
    parameters: int | None = None

    def __init__(self, spec: JudgeSpec, runtime: Runtime, retry: Retry | None = None) -> None:
        if not spec.url or not spec.model:
            missing = "url" if not spec.url else "model"
            raise BackendError(
                f"the judge has no {missing}",
                f"set judge.{missing} (http://localhost:8000/v1, and a name /models lists)",
            )
        self.name = spec.model
        self._model = spec.model
        self._concurrency = runtime.concurrency
        self._client = Client(
            spec.url,
            Secret.from_environment(spec.key_env),
            timeout=spec.timeout,
            retry=retry,
            connections=runtime.concurrency,
        )
        self._cache = Cache(runtime.cache)
        self._tally = Tally()
        self._told = False
        #: What this server was found to want otherwise: "max_completion_tokens", "no logprobs".
        self._ways: frozenset[str] = frozenset()

    @property
    def spent(self) -> Spent:
        return replace(self._tally.spent, retries=self._client.retries)

    def judge(self, requests: Sequence[JudgeRequest], skip: Collection[str] = ()) -> Iterator[JudgeReply]:
        streak = _Streak()
        ask = []
        for request in requests:
            if request.id in skip:
                continue
            said = self._cache.get(self._key(request))
            if said is None:
                ask.append(request)
            else:
                self._tally.add(said, cached=True)
                yield from streak.reply(self._signed(said).reply(request.id, cached=True))
        for request, got in concurrently(self._ask, ask, self._concurrency):
            if isinstance(got, Said):
                yield from streak.reply(self._signed(got).reply(request.id, cached=False))
            else:
                yield from streak.failure(request.id, self._explained(got, streak.answered))
        yield from streak.end()

    def close(self) -> None:
        self._client.close()
        self._cache.close()

    def _key(self, request: JudgeRequest) -> str:
        return question_key("openai", self._model, request)

    def _signed(self, said: Said) -> Said:
        """The first answer tells the judge's name."""
        if said.model and not self._told:
            self.name, self._told = said.model, True
        return said

    def _ask(self, request: JudgeRequest, stop: threading.Event) -> tuple[JudgeRequest, Said | Failure]:
        """One question to the server, in a thread of its own."""
        try:
            said = read(self._post(request, stop))
        except (RefusedError, UnavailableError) as failure:
            return request, failure
        self._cache.put(self._key(request), f"openai {self._model}", said)
        self._tally.add(said, cached=False)
        return request, said

    def _post(self, request: JudgeRequest, stop: threading.Event) -> Any:
        while True:
            ways = self._ways
            try:
                return self._client.post("chat/completions", payload(self._model, request, ways), read, stop)
            except RefusedError as refusal:
                more = _other_ways(refusal.reason, request) - ways
                if not more:
                    raise
                self._ways |= more

    def _explained(self, failure: Failure, answered: bool) -> Failure:
        """The failure, or what is raised instead: one that every other request would meet as well."""
        if isinstance(failure, UnavailableError):
            return failure
        names_it = failure.status in (400, 422) and self._model in failure.reason
        if (failure.status == 404 or names_it) and not answered:
            offered = self._offered()
            if offered and self._model not in offered:
                raise BackendError(
                    f"the server has no model {self._model!r}",
                    f"set judge.model; it offers {server_wire.listed(offered)}",
                )
        if failure.status in _EVERY_REQUEST or (failure.status == 403 and not answered):
            raise failure
        return failure

    def _offered(self) -> list[str]:
        """Names of the models on the server; none when it does not tell."""
        try:
            return [str(model["id"]) for model in self._client.get("models")["data"]]
        except (BackendError, LookupError, TypeError):
            return []


@dataclass(slots=True)
class _Streak:
    """Failures in a row. They are held back until an answer shows that the server is there: what is raised in the end
    leaves no request behind that seems to have failed by its own fault."""

    answered: bool = False
    held: list[JudgeReply] = field(default_factory=list)
    last: Failure | None = None
    unavailable: bool = False

    def reply(self, reply: JudgeReply) -> Iterator[JudgeReply]:
        self.answered = True
        yield from self._released()
        yield reply

    def failure(self, id: str, failure: Failure) -> Iterator[JudgeReply]:
        reply = JudgeReply(id, "", error=failure.reason)
        if self.answered and isinstance(failure, RefusedError):
            yield reply  # the server is there, and this one request is not to its taste
            return
        self.held.append(reply)
        self.last = failure
        self.unavailable |= isinstance(failure, UnavailableError)
        if len(self.held) >= GIVE_UP:
            raise self._given_up()

    def end(self) -> Iterator[JudgeReply]:
        if self.unavailable and not self.answered:
            raise self._given_up()
        yield from self._released()

    def _released(self) -> Iterator[JudgeReply]:
        held, self.held, self.unavailable = self.held, [], False
        yield from held

    def _given_up(self) -> BackendError:
        assert self.last is not None
        return BackendError(
            f"given up after {len(self.held)} failed requests in a row; the last: {self.last.message}",
            self.last.hint
            or "see what the server says; judge.* in the recipe sets what it is asked, then run again",
        )


def payload(model: str, request: JudgeRequest, ways: Collection[str] = ()) -> dict[str, Any]:
    """The request as the chat API has it."""
    limit = "max_completion_tokens" if "max_completion_tokens" in ways else "max_tokens"
    asked: dict[str, Any] = {
        "model": model,
        "messages": [{"role": role, "content": content} for role, content in request.messages],
        "n": 1,
        "seed": request.seed,
        "temperature": request.temperature,
        limit: request.max_tokens,
    }
    if request.top_logprobs and "no logprobs" not in ways:
        asked |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    return asked


def read(body: Any) -> Said:
    """What an answer of the chat API says. Raises ValueError when it is none."""
    answer = server_wire.chat(body)
    logprobs = tuple(server_wire.top_tokens(answer.logprobs))
    return Said(answer.text, answer.model, logprobs, answer.prompt_tokens or 0, answer.tokens or 0)


def _other_ways(reason: str, request: JudgeRequest) -> frozenset[str]:
    """What a refusal asks to be done otherwise. Newer hosted models want their limit under another name; some give no
    probabilities, and are then asked without."""
    ways = {"max_completion_tokens"} if "max_completion_tokens" in reason else set()
    if request.top_logprobs and "logprobs" in reason:
        ways.add("no logprobs")
    return frozenset(ways)
