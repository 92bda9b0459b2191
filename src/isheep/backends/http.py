"""A client for JSON servers: asks, waits, asks again, and tells nobody the key.

Knows: HTTP, which failures pass by themselves and which do not. Does not know: what is asked, or by whom.
"""

from __future__ import annotations

import email.utils
import json
import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from isheep.backends.http_key import Secret, checked, local
from isheep.errors import BackendError

#: Seconds a server has to accept a connection.
CONNECT_SECONDS = 10.0
#: Characters of a server's own words that an error repeats.
DETAIL = 500


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a question is asked in all, and the waits in between, in seconds.

    The wait before try n + 1 is drawn from 0 .. base * 2^(n - 1): exponential backoff with full jitter (AWS
    Architecture Blog, 2015), so that many callers do not come back at the same moment. A server's own Retry-After
    takes its place. Neither is ever above `cap`.
    """

    tries: int = 7
    base: float = 1.0
    cap: float = 60.0

    def wait(self, tried: int, asked: float | None) -> float:
        """Seconds to wait after `tried` tries; `asked` is what the server asked for."""
        if asked is not None:
            return min(self.cap, asked + random.SystemRandom().uniform(0, self.base))
        return random.SystemRandom().uniform(0, min(self.cap, self.base * 2.0 ** (tried - 1)))


class HttpError(BackendError):
    """A request without a usable answer. `reason` is the message without the server's address, for records that leave
    this machine; `status` the HTTP status of a refusal."""

    def __init__(self, message: str, hint: str = "", reason: str = "", status: int = 0) -> None:
        super().__init__(message, hint)
        self.reason = reason
        self.status = status


class RefusedError(HttpError):
    """The server does not take this request and never will."""


class UnavailableError(HttpError):
    """No usable answer after all tries; another time there may be one."""


class _PassingError(Exception):
    """A failure that may pass by itself, in words; `after`: seconds the server asks to wait."""

    def __init__(self, words: str, after: float | None = None) -> None:
        super().__init__(words)
        self.after = after


def _anything(body: Any) -> None:
    """Every JSON body will do."""


def _text(content: bytes) -> str:
    return content.decode(errors="replace")


class Client:
    """Asks one server, from as many threads as you like. `timeout` is in seconds without a word from the server.

    Redirects are not followed, so the key goes to the host that was named and to no other. Raises BackendError for an
    address that is none, or one where the key would travel unencrypted.
    """

    def __init__(
        self,
        url: str,
        key: Secret | None = None,
        *,
        timeout: float = 120.0,
        retry: Retry | None = None,
        connections: int = 8,
    ) -> None:
        self._key = Secret() if key is None else key
        self.url = url.strip().rstrip("/")
        parts = checked(self.url, self._key)
        self._retry = retry or Retry()
        self._timeout = (min(CONNECT_SECONDS, timeout), timeout)
        self._lock = threading.Lock()
        #: Times a question was asked again.
        self.retries = 0
        self._session = requests.Session()
        self._session.auth = self._key
        # A proxy is of no use to reach this machine, and the key would pass it in the clear.
        self._session.trust_env = not (parts.scheme == "http" and local(parts.hostname or ""))
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=connections))

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def get(self, path: str) -> Any:
        """The JSON at a path below the base. Same errors as `post`."""
        return self._ask("GET", path, None, _anything, threading.Event())

    def tell(self, path: str, payload: object) -> str:
        """What the server says to a JSON payload, where that need not be JSON. Same errors as `post`."""
        said: str = self._ask("POST", path, payload, _anything, threading.Event(), _text)
        return said

    def post(
        self,
        path: str,
        payload: object,
        check: Callable[[Any], object] = _anything,
        stop: threading.Event | None = None,
    ) -> Any:
        """The JSON answer to a JSON payload.

        `check` raises ValueError for a body that cannot be used (half-written, an error in disguise); that is asked
        again like one that is no JSON. Setting `stop` ends the waits between tries. Raises RefusedError at once where
        asking again is no use (400, 401, 403, 404, 422, a redirect), UnavailableError after the last try.
        """
        return self._ask("POST", path, payload, check, stop or threading.Event())

    def close(self) -> None:
        self._session.close()

    def _ask(
        self,
        method: str,
        path: str,
        payload: object,
        check: Callable[[Any], object],
        stop: threading.Event,
        decode: Callable[[bytes], Any] = json.loads,
    ) -> Any:
        tried = 1
        while True:
            try:
                return self._once(method, f"{self.url}/{path.lstrip('/')}", payload, check, decode)
            except _PassingError as failure:
                words, after = str(failure), failure.after
            if tried == self._retry.tries or stop.wait(self._retry.wait(tried, after)):
                reason = f"{words} ({tried} {'tries' if tried > 1 else 'try'})"
                hint = "see that the server runs and can be reached, then run again"
                raise UnavailableError(f"{self.url} {reason}", hint, reason)
            tried += 1
            with self._lock:
                self.retries += 1

    def _once(
        self,
        method: str,
        url: str,
        payload: object,
        check: Callable[[Any], object],
        decode: Callable[[bytes], Any],
    ) -> Any:
        """One try. Errors are never chained: those of requests hold the request, and with it the key."""
        try:
            response = self._session.request(
                method, url, json=payload, timeout=self._timeout, allow_redirects=False
            )
        except requests.ConnectTimeout:
            raise _PassingError(f"could not be reached within {self._timeout[0]:g} s") from None
        except requests.Timeout:
            raise _PassingError(f"did not answer within {self._timeout[1]:g} s") from None
        except (
            requests.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as error:
            words = self._key.hide(_cause(error))
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise BackendError(
                    f"{self.url} cannot be trusted: {words}",
                    "for a certificate of your own set REQUESTS_CA_BUNDLE to its file",
                ) from None
            raise _PassingError(f"could not be asked: {words}") from None
        except requests.RequestException as error:
            raise BackendError(f"{self.url} cannot be asked: {self._key.hide(str(error))}") from None
        if response.ok and not 300 <= response.status_code < 400:
            try:
                body = decode(response.content)
                check(body)
            except (ValueError, RecursionError) as error:
                words = self._key.hide(f"{type(error).__name__}: {error}")[:DETAIL]
                raise _PassingError(f"sent an answer that cannot be read ({words})") from None
            return body
        raise self._failure(response)

    def _failure(self, response: requests.Response) -> _PassingError | RefusedError:
        status = response.status_code
        # Hidden before it is cut: half a key is still worth something to a thief.
        detail = _one_line(self._key.hide(_words(response)))[:DETAIL]
        said = f"HTTP {status}" + (f": {detail}" if detail else "")
        if _passes(status):
            return _PassingError(f"answered {said}", _retry_after(response.headers.get("Retry-After", "")))
        hint = ""
        if 300 <= status < 400:
            there = urlsplit(urljoin(response.url, response.headers.get("Location", "")))
            # Without a name, a password or a query: those are where keys are, where they are in an address.
            said += self._key.hide(f" to {there.scheme}://{there.netloc.rpartition('@')[2]}{there.path}")
            hint = "redirects are not followed; if you trust that address, write it as the url"
        elif status in (401, 403):
            hint = self._key_hint()
        elif status == 404:
            hint = "the url is the API's base, which mostly ends in /v1"
        reason = f"refused the request: {said}"
        return RefusedError(f"{self.url} {reason}", hint, reason, status)

    def _key_hint(self) -> str:
        if self._key:
            return f"the key in {self._key!r} was sent and not accepted; put the right one there"
        if self._key.variable:
            return f"no key was sent: put it in the environment variable {self._key.variable}"
        return "no key was sent: name the environment variable that holds it (key_env)"


def _passes(status: int) -> bool:
    """Too many requests, a server in trouble, or something before it (5xx beyond 504 are those of proxies)."""
    return status in (408, 429) or (status >= 500 and status != 501)


def _retry_after(value: str) -> float | None:
    """Seconds a server asks to wait, written as a number or as a date (RFC 9110, 10.2.3); None when it says nothing."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _words(response: requests.Response) -> str:
    """What a server says is wrong, wherever in its body it says it."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return _text(response.content)
    found: Any = body
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    return found if isinstance(found, str) else json.dumps(found)


def _cause(error: BaseException) -> str:
    """The innermost reason of a failed connection, which the outer ones wrap in their own names."""
    while isinstance(inner := error.__cause__ or error.__context__, OSError | HTTPException | HTTPError):
        error = inner
    return _one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__)[:DETAIL]


def _one_line(text: str) -> str:
    """A server's words as one line that a terminal shows as it stands."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
