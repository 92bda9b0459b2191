"""The page of `isheep chat --web`: the same conversations and votes, in a browser.

Knows: requests, and how an answer travels while it is written (server-sent events). Does not know: models; who may
open the page (isheep.web). In a blind session no answer says which model wrote it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from isheep.errors import IsheepError
from isheep.report.markup import visible
from isheep.talk.blind import SIDES, Blind, Round
from isheep.talk.conversation import Answer, Conversation, Models, TellOf
from isheep.talk.preferences import VOTES
from isheep.web.local import Place, listen, local_app, port_of, serve, templates

#: Conversations and unanswered votes that are kept; of more, the oldest is forgotten.
KEPT = 64
#: Longest question, in characters.
LONGEST = 100_000

Event = dict[str, Any]


class _GoneError(Exception):
    """The reader has left."""


class Page:
    """The routes of one session."""

    def __init__(self, run: str, models: Models, session: Blind | None) -> None:
        self._run, self._models, self._session = run, models, session
        self._conversations: dict[str, Conversation] = {}
        self._rounds: dict[str, Round] = {}
        self._pages = templates("isheep.talk")
        self.routes = [
            Route("/", self.home),
            Route("/ask", self.ask, methods=["POST"]),
            Route("/reset", self.reset, methods=["POST"]),
            Route("/vote", self.vote, methods=["POST"]),
            Route("/result", self.result),
        ]

    async def home(self, request: Request) -> Response:
        names = [model.name for model in self._models.models] if self._session is None else SIDES
        how = self._models.decoding
        shown = {
            "run": self._run,
            "names": list(names),
            "blind": self._session is not None,
            "how": f"temperature {how.temperature:g}, at most {how.max_tokens} tokens",
        }
        return self._pages.TemplateResponse(request, "talk.html", shown)

    async def ask(self, request: Request) -> Response:
        """A question, answered piece by piece."""
        asked = await _body(request)
        question = _text(asked, "question").strip()
        again = asked.get("again") is True
        talk = self._conversation(_text(asked, "conversation"))
        if (
            len(question) > LONGEST
            or not (question or again)
            or (again and (self._session or not talk.turns))
        ):
            raise HTTPException(400, "there is nothing to ask")

        def work(put: Callable[[Event], None]) -> None:
            tell = _teller(put, len(self._models.models))
            if self._session is not None:
                found = self._session.ask(question, tell)
                name = secrets.token_urlsafe(12)
                _keep(self._rounds, name, found)
                put(
                    {"round": name, "answers": [{"text": visible(a.text), "note": ""} for a in found.answers]}
                )
                return
            said = talk.retry(tell) if again else talk.ask(question, tell)
            put({"answers": _shown(said)})

        return StreamingResponse(_stream(request, work), media_type="text/event-stream")

    async def reset(self, request: Request) -> Response:
        self._conversation(_text(await _body(request), "conversation")).reset()
        return JSONResponse({})

    async def vote(self, request: Request) -> Response:
        """A vote on the answers of one round; a round is voted on once."""
        cast = await _body(request)
        asked = self._rounds.pop(_text(cast, "round"), None)
        found = [vote for vote in VOTES if vote == cast.get("vote")]
        if self._session is None or asked is None or not found:
            raise HTTPException(400, "there is nothing to vote on")
        self._session.vote(asked, found[0])
        return JSONResponse({"votes": len(self._session.session)})

    async def result(self, request: Request) -> Response:
        """What the votes come to; asked for at the end."""
        if self._session is None:
            raise HTTPException(404)
        return JSONResponse({"sentence": self._session.closing()})

    def _conversation(self, name: str) -> Conversation:
        if name not in self._conversations:
            _keep(self._conversations, name, Conversation(self._models))
        return self._conversations[name]


def show(
    run: str,
    models: Models,
    session: Blind | None,
    *,
    port: int,
    open_browser: bool,
    say: Callable[[str], None],
) -> None:
    """Serve the page until Ctrl-C."""
    sock = listen(port)
    place = Place(port_of(sock))
    app = local_app(Page(run, models, session).routes, place, static={"talk": "isheep.talk"})
    serve(app, sock, place, open_browser=open_browser, say=say)


def _keep(where: dict[str, Any], name: str, what: object) -> None:
    where[name] = what
    while len(where) > KEPT:
        del where[next(iter(where))]


def _teller(put: Callable[[Event], None], places: int) -> TellOf:
    """Pieces as events, with nothing hidden in them: a character's neighbour may be in the piece before."""
    before = [""] * places

    def tell(place: int, piece: str) -> None:
        last = before[place]
        put({"place": place, "piece": visible(last + piece)[len(visible(last)) :]})
        before[place] = piece[-1]

    return tell


async def _stream(request: Request, work: Callable[[Callable[[Event], None]], None]) -> AsyncIterator[str]:
    """The events that `work` puts, while it works in a thread of its own. It ends when the reader leaves."""
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    gone = threading.Event()

    def put(event: Event | None) -> None:
        if gone.is_set():
            raise _GoneError
        loop.call_soon_threadsafe(events.put_nowait, event)

    def body() -> None:
        with contextlib.suppress(_GoneError):
            try:
                work(put)
            except IsheepError as error:
                put({"error": str(error)})
            except _GoneError:
                raise
            except Exception as error:  # the page is to say so; the models stay loaded
                put({"error": f"{type(error).__name__}: {error}"})
            put(None)

    threading.Thread(target=body, daemon=True).start()
    try:
        while (event := await events.get()) is not None:
            yield f"data: {json.dumps(event)}\n\n"
            if await request.is_disconnected():
                return
    finally:
        gone.set()


def _shown(said: Sequence[Answer]) -> list[dict[str, str]]:
    return [{"text": visible(answer.text), "note": answer.note} for answer in said]


async def _body(request: Request) -> dict[str, Any]:
    try:
        found = await request.json()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise HTTPException(400, "send a JSON object")
    return found


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str):
        raise HTTPException(400, f"{name} must be text")
    return value
