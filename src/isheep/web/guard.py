"""Who may talk to a local page: nobody but the browser that was given its address.

Knows: HTTP headers. Does not know: what the page shows.

A page on loopback is reachable by every program of this machine and, through the browser, by every web site. So:
- the first request carries a random token in the address; the browser gets it back as a cookie that no script reads and
  no other site sends, and the address is cleared of it;
- the Host must be ours, or another name that points at 127.0.0.1 could read the page (DNS rebinding);
- what changes something must come from our own page (Origin): to a cookie, all ports of 127.0.0.1 are one site.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Nothing from elsewhere, no inline script or style, no frame around us.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HOSTS = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Place:
    """Where a page is, and the token that opens it."""

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def origin(self) -> str:
        return f"http://{_HOSTS[0]}:{self.port}"

    @property
    def address(self) -> str:
        """What a person opens. It holds the token: print it, and write it nowhere else."""
        return f"{self.origin}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Browsers keep one jar for all ports of a host, so each page's cookie has a name of its own."""
        return f"isheep-{self.port}"


def _from_us(headers: Headers, hosts: set[str]) -> bool:
    """Whether a request comes from a page of ours. A form of a page that names no referrer has the origin "null"; then
    the browser says otherwise that it is the same, which no page can say for it."""
    origin = headers.get("origin", "null")
    if origin == "null":
        return headers.get("sec-fetch-site") == "same-origin"
    return origin in {f"http://{host}" for host in hosts}


class Guard:
    """ASGI middleware that lets in whom the module's first lines say, and puts the safe headers on every answer."""

    def __init__(self, app: ASGIApp, place: Place) -> None:
        self.app = app
        self.place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no page of ours opens a web socket
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._refused(scope) or self.app
        await answer(scope, receive, with_headers)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = {f"{host}:{self.place.port}" for host in _HOSTS}
        if headers.get("host") not in hosts:
            return PlainTextResponse("This page has another name.", 421)
        if scope["method"] not in ("GET", "HEAD") and not _from_us(headers, hosts):
            return PlainTextResponse("This request comes from another page.", 403)
        if self._same(cookie_parser(headers.get("cookie", "")).get(self.place.cookie, "")):
            return None
        return self._by_token(scope)

    def _by_token(self, scope: Scope) -> Response:
        """The cookie and the same address without the token; or a refusal that says where the address is."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if not any(name == "token" and self._same(value) for name, value in query):
            return PlainTextResponse("Open this page by the address that the terminal printed.", 403)
        left = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + scope["path"].lstrip("/\\")  # "//name" would lead to another host
        answer = RedirectResponse(path + (f"?{left}" if left else ""), 303)
        answer.set_cookie(self.place.cookie, self.place.token, httponly=True, samesite="strict", path="/")
        return answer

    def _same(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.place.token.encode())
