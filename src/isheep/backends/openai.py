"""Any server that speaks the OpenAI API as an engine: vLLM, llama.cpp, Ollama, SGLang, transformers' own, hosted ones.

Requests go out one by one, so many at once; what a server takes and gives is found out by asking it. Each request has
its own seed, so where a server keeps to seeds, neither order nor interruption changes a text. Knows: the contract of
engines. Does not know: HTTP (http.py), in what servers differ (server_*.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from isheep.backends import server_adapters, server_ending, server_read
from isheep.backends.base import Choice, Items, ModelSpec, Passage, Query, Request, Runtime
from isheep.backends.http import RefusedError, Retry
from isheep.backends.names import RESOLVED_LAYOUTS, named_layout
from isheep.backends.server import Server
from isheep.backends.server_ask import Api, draws, most_probable
from isheep.backends.server_check import obstacles as obstacles
from isheep.backends.server_dialect import decoding, is_too_long
from isheep.backends.server_messages import MESSAGES, plain, sent_stops
from isheep.backends.server_score import Scoring
from isheep.backends.server_tokens import Tokens
from isheep.backends.server_wire import Answer
from isheep.backends.threads import concurrently
from isheep.errors import BackendError
from isheep.records import Completion, Likelihood
from isheep.text.prompts import Layout

Item = TypeVar("Item", Request, Query, Passage)
Result = TypeVar("Result")


class OpenAIEngine:
    """Asks `runtime.concurrency` questions at once. `notes` is what a user should know of what the server cannot do."""

    parameters: int | None = None

    def __init__(self, model: ModelSpec, runtime: Runtime, retry: Retry | None = None) -> None:
        if model.server is None:
            raise BackendError(
                "no server is named", "set server.url (http://localhost:8000/v1) and server.model"
            )
        self._spec, self._limit = model, runtime.concurrency
        self._server = Server(model.server, runtime.concurrency, retry)
        self._tokens = Tokens(self._server, model, runtime.concurrency)
        self._api = Api(self._server, model.server.api == "chat")
        self._adapts = model.server.adapters != "none"
        self.device_name = f"server: {self._server.host}"
        self.notes = self._server.notes
        #: Of the layouts that were asked for: texts that are end tokens, and other special tokens.
        self._ends: dict[str, int] = {}
        self._specials: tuple[str, ...] = ()
        #: The begin token's text, which a server puts there by itself.
        self._begin = ""
        self._drawn = False
        if model.adapter is not None and not self.turn_to(model):
            raise BackendError(
                "the server has the base model alone, and a trained one is asked for",
                "set server.adapters: vllm (docs/servers.md), or train nothing (iterations: 0)",
            )

    def layout(self, name: str) -> Layout:
        if self._api.is_chat:
            return self._chat_layout(name)
        if name not in RESOLVED_LAYOUTS and not (layout := named_layout(name)).is_chat:
            return layout
        base = self._tokens.base
        layout = base.layout(name)
        if layout.is_chat:
            self._ends |= base.special(layout.stop_texts)
            self._specials = tuple(base.tokenizer.all_special_tokens)
            self._begin = base.begin() if layout.before.startswith(base.begin()) else ""
        return layout

    def _chat_layout(self, name: str) -> Layout:
        if name in RESOLVED_LAYOUTS:
            if name == "auto":
                self._server.note(
                    "with server.api: chat the server's template is used; with model.layout: chat the trainer uses the "
                    "tokenizer's, with auto it may not"
                )
            return MESSAGES
        layout = named_layout(name)
        if layout.is_chat:
            raise BackendError(
                f"with server.api: chat the server lays out messages, and not the layout {name!r}",
                "set model.layout: chat, or server.api: completions",
            )
        return layout

    @property
    def context(self) -> int:
        return self._tokens.context

    def count(self, texts: Sequence[str]) -> list[int]:
        return self._tokens.count([plain(text) for text in texts])

    def turn_to(self, model: ModelSpec) -> bool:
        if replace(model, adapter=None) != replace(self._spec, adapter=None):
            return False
        if model.adapter is not None and not self._adapts:
            return False
        name = "" if model.adapter is None else server_adapters.load(self._server, Path(model.adapter))
        self._spec, self._api.model = model, name
        return True

    def batches(self, items: Items) -> list[list[int]]:
        return [[n] for n in range(len(items))]

    def generate(self, requests: Sequence[Request], skip: Collection[str] = ()) -> Iterator[Completion]:
        todo = [request for request in requests if request.id not in skip]
        doubts = _Doubts()
        if any(request.sampling.temperature > 0 for request in todo):
            self._explaining(self._try_seeds)
        yield from self._each(lambda request, stop: self._write(request, doubts, stop), todo)
        if doubts.justified:
            self._server.note(
                "the server does not say whether a text ended by itself or at a stop text: both count as ended"
            )

    def score(self, queries: Sequence[Query], skip: Collection[str] = ()) -> Iterator[Choice]:
        todo = [query for query in queries if query.id not in skip]
        if todo and not self._explaining(lambda: self._top):
            raise BackendError("the server gives no log-probabilities", "set assessment.reading: sampled")
        yield from self._each(self._choose, todo)

    def likelihood(self, passages: Sequence[Passage], skip: Collection[str] = ()) -> Iterator[Likelihood]:
        todo = [passage for passage in passages if passage.id not in skip]
        if todo and self._explaining(lambda: self._way) is None:
            raise BackendError(
                "the server does not show how probable a given text is",
                "do without filter.ppl, or serve with vLLM",
            )
        yield from self._each(self._read, todo)

    def close(self) -> None:
        self._server.close()

    @cached_property
    def _top(self) -> int:
        return most_probable(self._api)

    @cached_property
    def _way(self) -> server_read.Way | None:
        return server_read.find_way(self._api)

    def _each(
        self, work: Callable[[Item, threading.Event], Result], items: Sequence[Item]
    ) -> Iterator[Result]:
        """The results of all items as they come."""
        if items:
            self._server.name, self._tokens.context  # noqa: B018  (found out once, not by each thread)
        try:
            yield from concurrently(work, items, self._limit)
        except RefusedError as refusal:
            raise self._server.explained(refusal) from None

    def _explaining(self, ask: Callable[[], Result]) -> Result:
        try:
            return ask()
        except RefusedError as refusal:
            raise self._server.explained(refusal) from None

    def _try_seeds(self) -> None:
        """Find out once whether this server gives the same text again; nothing can be done if not, but be told."""
        if not self._drawn:
            self._drawn = True
            if not draws(self._api, self._limit)[1]:
                self._server.note(
                    "the server gives another text for the same seed, so a run made again will not be the same"
                )

    def _write(self, request: Request, doubts: _Doubts, stop: threading.Event) -> Completion:
        sampling, prompt = request.sampling, request.prompt.removeprefix(self._begin)
        stops = sent_stops(sampling.stops)
        wish = decoding(sampling, request.seed) | {"stop": stops}
        if ids := [self._ends[text] for text in stops if text in self._ends]:
            wish["stop_token_ids"] = ids
        for room in self._rooms(prompt, sampling.max_tokens):
            try:
                answer = self._api.write(prompt, wish | {"max_tokens": room}, stop)
            except RefusedError as refusal:
                if not is_too_long(refusal.reason):
                    raise
                continue
            read, written = self._spent(prompt, answer)
            done = server_ending.completion(request.id, answer, sampling, read, written, self._ends)
            doubts.add(answer, done, stops)
            return done
        return Completion(request.id, "", "too_long", self._measured(prompt), 0)

    def _rooms(self, prompt: str, wanted: int) -> list[int]:
        """Token limits to try, one after the other while the server finds the prompt too long; none: it is too long."""
        if self._tokens.surely_fits(plain(prompt), wanted):
            return [wanted]
        room = self.context - self._measured(prompt)
        if self._tokens.is_exact:
            return [min(wanted, room)] if room > 0 else []
        return [wanted, room] if 0 < room < wanted else [wanted]

    def _measured(self, prompt: str) -> int:
        return self._tokens.one(plain(prompt))

    def _fits(self, prompt: str, more: int) -> bool:
        """Whether a prompt and `more` tokens fit; where nobody can count, the server is to say."""
        tokens = self._tokens
        return tokens.surely_fits(plain(prompt), more) or not tokens.is_exact or (
            self._measured(prompt) + more <= self.context
        )  # fmt: skip

    def _spent(self, prompt: str, answer: Answer) -> tuple[int, int]:
        """Tokens read and written, counted by the server, or else by us."""
        read = self._measured(prompt) if answer.prompt_tokens is None else answer.prompt_tokens
        return read, self._tokens.one(answer.text) if answer.tokens is None else answer.tokens

    def _choose(self, query: Query, stop: threading.Event) -> Choice:
        prompt = query.prompt.removeprefix(self._begin)
        scoring = Scoring(self._api, self._top, prompt, stop)
        fits = self._fits(prompt, 1)
        values = (
            scoring.read(query.choices, self._is_spaced(query.prompt)) if fits else [0.0] * len(query.choices)
        )
        read = self._spent(prompt, scoring.first)[0] if scoring.first else self._measured(prompt)
        total = sum(values)
        shares = [v / total for v in values] if total > 0 else [1 / len(values)] * len(values)
        return Choice(query.id, tuple(shares), min(1.0, total), read)

    def _is_spaced(self, prompt: str) -> bool:
        """Whether a space of ours stands before a choice: not behind white space or a special token."""
        closed = not prompt or prompt[-1].isspace() or prompt.endswith(self._specials)
        return not closed and not self._api.is_chat

    def _read(self, passage: Passage, stop: threading.Event) -> Likelihood:
        prompt, nothing = passage.prompt.removeprefix(self._begin), Likelihood(passage.id, 0.0, 0, 0.0, 0)
        if not passage.text or not self._fits(prompt + passage.text, 1):
            return nothing
        assert self._way is not None
        border = self._tokens.one(prompt) if self._tokens.is_exact else None
        try:
            return server_read.likelihood(
                self._api, self._way, passage.id, prompt, passage.text, border, stop
            )
        except RefusedError as refusal:
            if is_too_long(refusal.reason):
                return nothing
            raise
        except ValueError as error:
            raise BackendError(
                f"reading {passage.id!r}: {error}", "do without filter.ppl, or serve with vLLM"
            ) from None


class _Doubts:
    """Whether nobody can say of some texts if the model ended them, or the server cut them at a stop text."""

    def __init__(self) -> None:
        self._doubtful = self._kept = False

    def add(self, answer: Answer, done: Completion, stops: Collection[str]) -> None:
        self._doubtful |= done.ended and bool(stops) and not answer.says_why
        self._kept |= answer.text.endswith(tuple(stops))  # this server leaves them there, so they are seen

    @property
    def justified(self) -> bool:
        return self._doubtful and not self._kept
