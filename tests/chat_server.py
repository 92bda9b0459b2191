"""A real HTTP server on this machine that speaks the OpenAI chat API, and misbehaves on command.

    with ChatServer() as server:
        server.next(Status(429), Cut())    # the next requests, one each; then it behaves again
        ... ask server.url ...
        assert len(server.asked) == 3

It is the other end of a real socket: what is tested against it is what would go over the wire.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Status:
    """An error status, with headers and a body of its own; by default an error as the API words it."""

    code: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = json.dumps({"error": {"message": "not now", "type": "server_error"}})


@dataclass(frozen=True)
class Body:
    """A 200 with this body instead of a chat completion."""

    text: str


@dataclass(frozen=True)
class Cut:
    """Half the body that was announced, then the end of the connection."""


@dataclass(frozen=True)
class Reset:
    """The connection is reset before anything is said."""


@dataclass(frozen=True)
class Slow:
    """A good answer, but only after so many seconds."""

    seconds: float


Misdeed = Status | Body | Cut | Reset | Slow


@dataclass(frozen=True)
class Asked:
    """What arrived: the path, the headers (names in lower case), and the JSON body (None for GET)."""

    path: str
    headers: Mapping[str, str]
    payload: Any


def refusal(code: int, message: str) -> Status:
    """An error as the API words it."""
    return Status(code, body=json.dumps({"error": {"message": message, "code": code}}))


class ChatServer:
    """`answer` writes the text for a payload. With `key`, every other key is refused (and repeated, as rude servers
    do). `reject` may refuse a single payload with a Status. `told` is the name it gives itself, by default the
    requested one. `logprobs` are the first token's, given when asked for; None: never given."""

    def __init__(
        self,
        answer: Callable[[Any], str] = lambda payload: f"You said: {payload['messages'][-1]['content']}",
        models: tuple[str, ...] = ("sheepdog",),
        key: str = "",
        told: str = "",
        delay: float = 0.0,
        logprobs: Mapping[str, float] | None = None,
        reject: Callable[[Any], Status | None] = lambda payload: None,
    ) -> None:
        self.answer, self.models, self.key, self.told = answer, models, key, told
        self.delay, self.logprobs, self.reject = delay, logprobs, reject
        self.asked: list[Asked] = []
        #: The most questions that were ever being answered at once.
        self.most = 0
        self._now = 0
        self._misdeeds: deque[Misdeed | None] = deque()
        self._forever: Misdeed | None = None
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next(self, *misdeeds: Misdeed | None) -> None:
        """What the next questions meet, one each; None: nothing bad."""
        self._misdeeds.extend(misdeeds)

    def always(self, misdeed: Misdeed | None) -> None:
        """What every question meets from now on; None: nothing bad."""
        self._forever = misdeed

    def forget(self) -> None:
        """Nothing bad from now on."""
        self._misdeeds.clear()
        self.always(None)

    @property
    def questions(self) -> list[Any]:
        """Payloads of the chat requests, in the order they came."""
        return [asked.payload for asked in self.asked if asked.path == "/v1/chat/completions"]

    #: Questions whose path ends like this meet misdeeds; others (which models there are) never do.
    meets = ""

    def begin(self, asked: Asked) -> Misdeed | None:
        with self._lock:
            self.asked.append(asked)
            self._now += 1
            self.most = max(self.most, self._now)
            if asked.payload is None or not asked.path.endswith(self.meets):
                return None
            return self._misdeeds.popleft() if self._misdeeds else self._forever

    def end(self) -> None:
        with self._lock:
            self._now -= 1

    def route(self, path: str, payload: Any) -> Status:
        """What a good question gets."""
        if payload is None and path == "/v1/models":
            return Status(200, body=json.dumps({"data": [{"id": name} for name in self.models]}))
        if payload is None or path != "/v1/chat/completions":
            return refusal(404, "Not Found")
        if payload["model"] not in self.models:
            return refusal(404, f"The model `{payload['model']}` does not exist.")
        return self.reject(payload) or Status(200, body=json.dumps(self.completion(payload)))

    def completion(self, payload: Any) -> dict[str, Any]:
        """A chat completion. Its tokens are words."""
        text = self.answer(payload)
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }
        if payload.get("logprobs") and self.logprobs is not None:
            top = sorted(self.logprobs.items(), key=lambda pair: -pair[1])[: payload["top_logprobs"]]
            entries = [{"token": token, "logprob": value, "bytes": None} for token, value in top]
            choice["logprobs"] = {"content": [{**entries[0], "top_logprobs": entries}]}
        read = sum(len(message["content"].split()) for message in payload["messages"])
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": self.told or payload["model"],
            "choices": [choice],
            "usage": {"prompt_tokens": read, "completion_tokens": len(text.split())},
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests, not worth a traceback."""


def _handler(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in one packet; in two, the second waits 40 ms for the first to be acknowledged.
        wbufsize = -1

        def do_GET(self) -> None:
            self._serve(None)

        def do_POST(self) -> None:
            self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _serve(self, payload: Any) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            misdeed = server.begin(Asked(self.path, headers, payload))
            try:
                self._answer(payload, misdeed)
            finally:
                server.end()

        def _answer(self, payload: Any, misdeed: Misdeed | None) -> None:
            given = self.headers.get("Authorization", "")
            if isinstance(misdeed, Reset):
                # Lingering for 0 seconds: the socket is not closed in good order but reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
            elif isinstance(misdeed, Status):
                self._send(misdeed.code, misdeed.body, misdeed.headers)
            elif isinstance(misdeed, Body):
                self._send(200, misdeed.text)
            elif server.key and given != f"Bearer {server.key}":
                key = given.removeprefix("Bearer ")
                self._send(401, refusal(401, f"Incorrect API key provided: {key}.").body)
            else:
                good = server.route(self.path, payload)
                if good.code == 200 and payload is not None:
                    time.sleep(misdeed.seconds if isinstance(misdeed, Slow) else server.delay)
                self._send(good.code, good.body, good.headers, cut=isinstance(misdeed, Cut))

        def _send(self, code: int, body: str, headers: Mapping[str, str] = {}, cut: bool = False) -> None:
            data = body.encode()
            self.send_response(code)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if cut else data)
            self.close_connection = self.close_connection or cut

        def log_message(self, format: str, *args: Any) -> None:
            """Silent: what arrived is in `asked`."""

    return Handler
