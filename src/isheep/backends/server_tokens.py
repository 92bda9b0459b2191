"""How long texts are for a model behind a server, and how much it can hold.

Three sources, the first that answers is taken: the server (vLLM, SGLang and llama.cpp have a tokenizer beside the API),
the base model's own files, an estimate. Knows: who can count. Does not know: what is done about a text too long.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from isheep.backends.base import ModelSpec
from isheep.backends.http import HttpError
from isheep.backends.server import Server
from isheep.backends.threads import concurrently
from isheep.errors import BackendError

if TYPE_CHECKING:
    from isheep.backends.server_base import Base

#: Where nobody says how much a model holds: the least among models of the last years (Llama 1: 2048 tokens).
ESTIMATED_CONTEXT = 2048
#: Where nobody can count: bytes of UTF-8 per token. English has about 4; too few is on the safe side.
BYTES_PER_TOKEN = 3
#: Tokens that a tokenizer or a chat template may put around a text.
AROUND = 16


class Tokens:
    """Counts for one model on one server."""

    def __init__(self, server: Server, model: ModelSpec, limit: int) -> None:
        self._server, self._model, self._limit = server, model, limit
        self._lock = threading.RLock()

    @cached_property
    def context(self) -> int:
        """Tokens a prompt and its continuation may have together."""
        found = self._served() or self._configured() or ESTIMATED_CONTEXT
        return min(found, self._model.context or found)

    @cached_property
    def base(self) -> Base:
        """The base model's own files, which may not be at hand."""
        from isheep.backends.server_base import Base  # brings torch, which not every run needs

        return Base(self._model)

    @property
    def is_exact(self) -> bool:
        """Whether counts are counts, not estimates."""
        return self._chosen() != _estimate

    def one(self, text: str) -> int:
        """Tokens of one text, read as a prompt."""
        return self._chosen()(text)

    def _chosen(self) -> Callable[[str], int]:
        with (
            self._lock
        ):  # the first to ask may load a tokenizer, which is nothing for several threads at once
            return self._counter

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, read as a prompt."""
        if self._chosen() != self._asked:
            return [self.one(text) for text in texts]

        def work(n: int, stop: threading.Event) -> tuple[int, int]:
            return n, self.one(texts[n])

        found = dict(concurrently(work, range(len(texts)), self._limit))
        return [found[n] for n in range(len(texts))]

    def surely_fits(self, prompt: str, more: int) -> bool:
        """Whether a prompt and `more` tokens fit, told without counting: no token is shorter than a byte."""
        return len(prompt.encode()) + AROUND + more <= self.context

    @cached_property
    def _counter(self) -> Callable[[str], int]:
        if self._ask("a") is not None:
            return self._asked
        try:
            self.base.count("a")
        except BackendError:
            self._server.note(
                "tokens are estimated, as the server does not count and the base's tokenizer is not at hand"
            )
            return _estimate
        return self.base.count

    def _ask(self, text: str) -> int | None:
        # vLLM and SGLang call it prompt, llama.cpp content; each passes over what it does not know.
        found = self._server.beside(
            "tokenize",
            {"model": self._server.name, "prompt": text, "add_special_tokens": True}
            | {"content": text, "add_special": True, "parse_special": True},
        )
        tokens = found.get("tokens") if isinstance(found, dict) else None
        return len(tokens) if isinstance(tokens, list) else None

    def _asked(self, text: str) -> int:
        found = self._ask(text)
        if found is None:
            raise BackendError(
                f"the server {self._server.host} no longer counts tokens", "see that it runs, then run again"
            )
        return found

    def _served(self) -> int | None:
        """What the server says of itself: vLLM and SGLang among the models, llama.cpp among its properties."""
        try:
            listed = {model["id"]: model for model in self._server.models()}
        except HttpError:
            listed = {}
        found = listed.get(self._server.name, {}).get("max_model_len")
        if found is None:
            properties = self._server.beside("props")
            settings = properties.get("default_generation_settings") if isinstance(properties, dict) else None
            found = settings.get("n_ctx") if isinstance(settings, dict) else None
        return found if isinstance(found, int) and found > 0 else None

    def _configured(self) -> int | None:
        """What the base model's configuration says."""
        try:
            return self.base.context
        except BackendError:
            self._server.note(
                f"the context is taken to be {ESTIMATED_CONTEXT} tokens, as neither the server nor the base's files "
                "say; model.context sets it"
            )
            return None


def _estimate(text: str) -> int:
    return math.ceil(len(text.encode()) / BYTES_PER_TOKEN) + 1
