"""One server that speaks the OpenAI API: which models it has, what it takes, and who answers.

Knows: its addresses, its models' names, its dialect. Does not know: engines, or what is asked and why.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from isheep.backends import server_wire
from isheep.backends.base import ServerSpec
from isheep.backends.http import Client, HttpError, RefusedError, Retry, UnavailableError
from isheep.backends.http_key import Secret
from isheep.backends.server_dialect import Dialect
from isheep.backends.server_wire import Answer
from isheep.errors import BackendError

#: How the name of an adapter begins that we had a server load.
ADAPTER = "isheep-"
#: How long a server is waited for. What it may lack is asked for once more at most, and then it is lacking.
_PATIENT = Retry()
#: Seconds for such a question; it is answered without running a model.
_SHORT = 30.0
#: What may stand behind a name in an answer: a revision (transformers), a tag (Ollama), a date (hosted models).
_SUFFIX = r"(@.+|:latest|-\d{4}|-\d{8}|-\d{4}-\d\d-\d\d)?"


class Server:
    """Asks for one model's answers, from as many threads as you like. Nothing is asked before the first question."""

    def __init__(self, spec: ServerSpec, connections: int, retry: Retry | None = None) -> None:
        self.spec = spec
        self.key = Secret.from_environment(spec.key_env)
        settings: dict[str, Any] = {
            "timeout": spec.timeout,
            "retry": retry or _PATIENT,
            "connections": connections,
        }
        self._client = Client(spec.url, self.key, **settings)
        once_more = replace(retry or _PATIENT, tries=2)
        few = settings | {"timeout": min(spec.timeout, _SHORT), "retry": once_more}
        self._curious = Client(spec.url, self.key, **few)
        #: Beside the API: tokenizers, properties. Servers have them at the root, where the API is at /v1.
        self._root = Client(re.sub(r"/v\d+$", "", self._client.url), self.key, **settings)
        self._dialect = Dialect()
        self._lock = threading.Lock()
        self._name: str | None = None
        self._told = ""
        #: What a user should know of what this server cannot do.
        self.notes: list[str] = []

    @property
    def host(self) -> str:
        """Where it is, without name, password or path."""
        return re.sub(r"^\w+://|/.*$", "", self._client.url)

    @property
    def name(self) -> str:
        """The base model's name on the server: the one in the settings, or the only one it lists."""
        if self._name is None:
            self._name = self.spec.model or self._only()
        return self._name

    def note(self, text: str) -> None:
        with self._lock:
            if text not in self.notes:
                self.notes.append(text)

    def models(self) -> list[dict[str, Any]]:
        """The models it lists; none where it does not tell. Raises HttpError when it cannot be asked at all."""
        try:
            listed = self._curious.get("models")["data"]
            return [model for model in listed if isinstance(model.get("id"), str)]
        except RefusedError as refusal:
            if refusal.status in (401, 403):
                raise
            return []
        except UnavailableError as failure:
            if not failure.reason.startswith("answered"):
                raise  # it is not there at all
            return []
        except (LookupError, TypeError, AttributeError):
            return []

    def beside(self, path: str, payload: object = None) -> Any:
        """The answer to a question beside the API (with a payload: a POST); None where there is none."""
        try:
            return self._root.get(path) if payload is None else self._root.post(path, payload)
        except HttpError:
            return None

    def tell(self, path: str, payload: object) -> str:
        """Has the server do something. Raises HttpError when it does not."""
        return self._client.tell(path, payload)

    def complete(
        self, wish: Mapping[str, Any], stop: threading.Event | None = None, name: str = ""
    ) -> Answer:
        """Raw text continued, by the base or the model `name`. Raises HttpError; BackendError for a wrong model."""
        return self._ask("completions", server_wire.completion, wish, stop, name)

    def chat(self, wish: Mapping[str, Any], stop: threading.Event | None = None, name: str = "") -> Answer:
        """Messages answered. Raises as `complete`."""
        return self._ask("chat/completions", server_wire.chat, wish, stop, name)

    def explained(self, refusal: RefusedError) -> BackendError:
        """The refusal, or what is behind it: a name the server does not know."""
        if refusal.status not in (400, 404, 422) or (
            refusal.status != 404 and self.name not in refusal.reason
        ):
            return refusal
        try:
            names = [model["id"] for model in self.models()]
        except HttpError:
            names = []
        if not names or self.name in names:
            return refusal
        offered = f"set server.model; it offers {server_wire.listed(names)}"
        return BackendError(f"the server has no model {self.name!r}", offered)

    def close(self) -> None:
        for client in (self._client, self._curious, self._root):
            client.close()

    def _ask(
        self, path: str, read: Any, wish: Mapping[str, Any], stop: threading.Event | None, name: str
    ) -> Answer:
        name = name or self.name
        while True:
            dialect = self._dialect
            try:
                body = self._client.post(path, {"model": name, **dialect.fit(wish)}, read, stop)
            except RefusedError as refusal:
                learnt = dialect.learnt(refusal.reason, wish)
                if learnt is None:
                    raise
                # Another thread may have learnt something else meanwhile: then it will be learnt again.
                self._dialect = learnt
                continue
            answer: Answer = read(body)
            self._check(name, answer.model)
            return answer

    def _check(self, name: str, told: str) -> None:
        """A server that answers with another model than was asked for would spoil a run without a word."""
        if told in ("", name) or re.fullmatch(re.escape(name) + _SUFFIX, told):
            return
        raise BackendError(
            f"the server answered with the model {told!r}, and not with {name!r}, which was asked for",
            f"see what it serves; if it is the same model, set server.model: {told}",
        )

    def _only(self) -> str:
        names = [model["id"] for model in self.models() if not _is_adapter(model)]
        if len(names) == 1:
            return str(names[0])
        found = (
            f"lists {len(names)} models ({server_wire.listed(names)})"
            if names
            else "does not list its models"
        )
        raise BackendError(f"the server {found}, and none is named", "set server.model to the name of yours")


def _is_adapter(card: Mapping[str, Any]) -> bool:
    """Whether a listed model is an adapter on another one: vLLM tells its parent; ours are known by their names too."""
    return bool(card.get("parent")) or card["id"].startswith(ADAPTER)
