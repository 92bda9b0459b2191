"""The page of `isheep browse`: a list of records, one record, one seed task, and marks.

Knows: routes and what each template is given. Does not know: HTML (templates/), SQL (query.py), who may come in (web/).
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from isheep.errors import IsheepError
from isheep.look import query, words
from isheep.look.index import open_index, signature
from isheep.look.lineage import lineage
from isheep.look.marks import marked_lines, marks, set_mark
from isheep.look.query import Asked
from isheep.runs import Run
from isheep.web.local import Place, listen, local_app, port_of, serve, templates

#: How long the page goes by what it knows of the run's finished steps, in seconds.
LOOK_AGAIN = 2.0
#: Records of another iteration shown beside one.
BESIDE = 3
#: Records of each iteration shown for a seed task.
OF_SEED = 8


Facets = dict[str, list[tuple[Any, int]]]


class Book:
    """The run's index, made anew behind the scenes when steps were finished; until then the old one is read."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.path = open_index(run)
        self._of = signature(run)
        self._looked = time.monotonic()
        self._making = threading.Lock()
        self._facets: tuple[str, Facets] = ("", {})

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """The index as it is now."""
        if time.monotonic() - self._looked > LOOK_AGAIN:
            self._looked = time.monotonic()
            threading.Thread(target=self.renew, daemon=True).start()
        with contextlib.closing(query.connect(self.path)) as db:
            yield db

    def facets(self) -> Facets:
        """What the form offers; counted once for each index."""
        of = self._of
        if self._facets[0] != of:
            with self.open() as db:
                self._facets = (of, query.facets(db))
        return self._facets[1]

    def renew(self) -> None:
        """Make the index anew if steps were finished since."""
        if self._making.acquire(blocking=False):
            try:
                now = signature(self.run)
                if now != self._of:
                    self.path, self._of = open_index(self.run), now
            except IsheepError:
                pass  # the store is not to be read at the moment; the old index still is
            finally:
                self._making.release()


class Look:
    """The routes of one run's page."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.book = Book(run)
        self.pages = templates("isheep.look")
        self.pages.env.globals.update(run=run, words=words, columns=COLUMNS, Asked=Asked)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/", self.home),
            Route("/record", self.record),
            Route("/seed", self.seed),
            Route("/mark", self.mark, methods=["POST"]),
            Route("/marks.jsonl", self.export),
        ]

    def home(self, request: Request) -> Response:
        """The list; only its rows when htmx asks for them."""
        asked = Asked.of(request.query_params)
        given = marks(self.run)
        with self.book.open() as db:
            found = query.page_of(db, asked, given)
        only_rows = request.headers.get("hx-target") == "results"
        return self.pages.TemplateResponse(
            request,
            "results.html" if only_rows else "list.html",
            {
                "asked": asked,
                "found": found,
                "marks": given,
                "facets": self.book.facets(),
                "size": query.PAGE,
            },
        )

    def record(self, request: Request) -> Response:
        """One record's lineage, and what stands beside it in other iterations."""
        id, asked = request.query_params.get("id", ""), Asked.of(request.query_params)
        place = request.query_params.get("at", "")
        at = int(place) if place.isascii() and place.isdigit() and len(place) < 10 else None
        try:
            found = lineage(self.run, id)
        except IsheepError as error:
            return self._trouble(request, error, 404)
        given = marks(self.run)
        with self.book.open() as db:
            around = query.neighbours(db, asked, given, at) if at is not None else (None, None)
            by_seed = query.same_seeds(db, found.id, BESIDE)
            by_words = query.same_words(db, found.id, found.instruction.instruction, BESIDE)
        return self.pages.TemplateResponse(
            request,
            "record.html",
            {
                "asked": asked, "found": found, "mark": given.get(found.id, ""), "at": at, "around": around,
                "by_seed": by_seed, "by_words": by_words,
            },
        )  # fmt: skip

    def seed(self, request: Request) -> Response:
        """A seed task, and what was written after it was shown, an iteration beside the other."""
        id = request.query_params.get("id", "")
        with self.book.open() as db:
            task, columns = query.of_seed(db, id, OF_SEED)
        if task is None:
            return self._trouble(request, IsheepError(f"{self.run.name} has no seed task {id!r}"), 404)
        return self.pages.TemplateResponse(
            request, "seed.html", {"task": task, "columns": columns, "marks": marks(self.run)}
        )

    async def mark(self, request: Request) -> Response:
        """Mark a record, or take its mark away; the buttons with their new state or, without script, the page again."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        id, mark, back = (form.get(name, "") for name in ("id", "mark", "back"))
        try:
            with self.book.open() as db:
                if not db.execute("SELECT 1 FROM record WHERE id = ?", [id]).fetchone():
                    raise IsheepError(f"{self.run.name} has no record {id!r}")
            set_mark(self.run, id, mark or None)
        except IsheepError as error:
            return PlainTextResponse(error.message, 400)
        if request.headers.get("hx-request"):
            return self.pages.TemplateResponse(request, "mark.html", {"id": id, "mark": mark, "back": back})
        # Only a path of ours, whatever the form says.
        return RedirectResponse(f"/{back}" if back.startswith(("?", "record?", "seed?")) else "/", 303)

    def export(self, request: Request) -> Response:
        """All marked records as JSONL."""
        text = "".join(f"{line}\n" for line in marked_lines(self.run))
        headers = {"Content-Disposition": f'attachment; filename="{self.run.name}-marks.jsonl"'}
        return Response(text, media_type="application/jsonl", headers=headers)

    def _trouble(self, request: Request, error: IsheepError, status: int) -> Response:
        return self.pages.TemplateResponse(request, "trouble.html", {"error": error}, status_code=status)


#: Columns of the list: name, heading, whether it holds numbers.
COLUMNS = (
    ("id", "id", False),
    ("iteration", "it.", True),
    ("instruction", "task", False),
    ("response", "answer", False),
    ("quality", "quality", True),
    ("following", "following", True),
    ("mean", "mean", True),
    ("length", "words", True),
    ("fate", "fate", False),
)


def look_app(run: Run, place: Place) -> Starlette:
    """The page of a run, behind its guard."""
    return local_app(Look(run).routes(), place, static={"look": "isheep.look"})


def serve_run(run: Run, *, port: int, open_browser: bool, say: Callable[[str], None]) -> None:
    """Serve the page of a run until Ctrl-C."""
    sock = listen(port)
    place = Place(port_of(sock))
    say("reading the run's records")
    app = look_app(run, place)
    serve(app, sock, place, open_browser=open_browser, say=say)
