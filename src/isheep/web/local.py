"""A local page: routes become an app that only this machine's user can open, served until Ctrl-C.

Knows: Starlette, Jinja and uvicorn. Does not know: what a page shows. How to use it:

    check_installed()                                   # isheep.web: before this module is imported
    sock = listen()                                     # a free port on loopback; listen(8000) for a certain one
    place = Place(port_of(sock))
    pages = templates("isheep.look")                    # its templates/ folder; they may extend "base.html" from here
    app = local_app([Route("/", home)], place, static={"look": "isheep.look"})
    serve(app, sock, place, open_browser=True, say=print)   # returns after Ctrl-C

A route answers `pages.TemplateResponse(request, "list.html", {...})`. All that a template prints is escaped and made
visible (control and bidi characters), whoever forgets to; markup that is safe already is `markupsafe.Markup`. Files lie
under /static/web/ (base.css, htmx.min.js) and /static/NAME/ (the static/ folder of the package in `static`). Script and
style stand in files: the page's policy runs nothing inline. Streams (`StreamingResponse`) pass through as they come.
What changes something is a POST, PUT or DELETE: these are let in from our own pages alone. In a test,
`starlette.testclient.TestClient(app, base_url=place.origin)` first gets `place.address`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import uvicorn
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from isheep.errors import IsheepError
from isheep.web.guard import Guard, Place

__all__ = ["Place", "listen", "local_app", "port_of", "serve", "templates"]

#: How long Ctrl-C waits for answers that are on their way (a stream may never end by itself).
CLOSING_SECONDS = 2


def listen(port: int = 0) -> socket.socket:
    """A socket on loopback, on a free port unless told which."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        sock.close()
        raise IsheepError(
            f"cannot listen on port {port}: {error}", "give another --port, or none for a free one"
        ) from error
    sock.listen()
    return sock


def port_of(sock: socket.socket) -> int:
    """The port a socket listens on."""
    return int(sock.getsockname()[1])


def templates(package: str) -> Jinja2Templates:
    """The templates of a package, and behind them those every page shares."""
    from isheep.report.markup import visible

    def shown(value: Any) -> Any:
        """Whatever a template prints goes through here; Jinja escapes what comes out."""
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    return Jinja2Templates(
        env=Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("isheep.web")]),
            autoescape=True,
            finalize=shown,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
    )


def local_app(
    routes: Sequence[BaseRoute], place: Place, static: Mapping[str, str] | None = None
) -> Starlette:
    """The app behind its guard. `static`: name below /static/ -> package whose static/ folder is served there."""
    folders = {"web": "isheep.web", **(static or {})}
    served = [
        Mount(f"/static/{name}", StaticFiles(packages=[(package, "static")]))
        for name, package in folders.items()
    ]
    return Starlette(routes=[*served, *routes], middleware=[Middleware(Guard, place=place)])


def serve(
    app: Starlette,
    sock: socket.socket,
    place: Place,
    *,
    open_browser: bool,
    say: Callable[[str], None],
) -> None:
    """Serve until Ctrl-C, then return. Says the address first; opens the browser there unless told not to."""
    say(f"open  {place.address}")
    say("Ctrl-C ends it")
    if open_browser:  # the socket listens already, so the browser may come before the server is up
        threading.Thread(target=webbrowser.open, args=(place.address,), daemon=True).start()
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # addresses hold what was searched for, and once the token
        server_header=False,
        timeout_graceful_shutdown=CLOSING_SECONDS,
        lifespan="off",
    )
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends in order, then raises it again
        uvicorn.Server(config).run(sockets=[sock])
    sock.close()
