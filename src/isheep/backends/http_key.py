"""The key of a server: who may see it (that server, over a connection nobody else reads) and who may not (the rest).

Knows: keys, environment variables, addresses. Does not know: what is asked.
"""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import SplitResult, urlsplit

import requests

from isheep.errors import BackendError


class Secret:
    """A key and the environment variable it came from. It prints as the variable's name only."""

    __slots__ = ("_value", "variable")

    def __init__(self, value: str = "", variable: str = "") -> None:
        self._value = value.strip()  # a key read from a file ends in a newline
        self.variable = variable
        if not (self._value.isascii() and self._value.isprintable()):
            raise BackendError(
                f"{self} holds characters that no key has", "set it to the key alone, on one line"
            )

    @classmethod
    def from_environment(cls, variable: str) -> Secret:
        """The key in a variable; an empty one when there is no such variable."""
        return cls(os.environ.get(variable, "") if variable else "", variable)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"${self.variable}" if self.variable else "(a key)"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request. Being asked for every request, it also keeps requests from looking into ~/.netrc."""
        if self._value:
            request.headers["Authorization"] = f"Bearer {self._value}"
        return request

    def hide(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._value, "[key]") if self._value else text


def checked(url: str, key: Secret) -> SplitResult:
    """The parts of an address that can be asked."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        secret = bool(parts.username or parts.password or parts.query or parts.fragment)
        requests.Request("GET", url).prepare()
        usable = parts.scheme in ("http", "https") and bool(host) and parts.port != 0
    except (ValueError, requests.RequestException):
        usable, secret = False, "@" in url or "?" in url
    if secret:  # not repeated: it may hold a key
        raise BackendError(
            "the url holds a name, a password or a query",
            "write the base alone (https://host/v1) and put the key in an environment variable (key_env)",
        )
    if not usable:
        raise BackendError(
            f"{key.hide(url)!r} is no address of a server",
            "write it like https://host/v1 or http://localhost:8000/v1",
        )
    if key and parts.scheme == "http" and not local(host):
        raise BackendError(
            f"the key in {key!r} would travel to {host} unencrypted",
            "use https://, or a tunnel to localhost (ssh -L); if that server needs no key, set key_env to ''",
        )
    return parts


def local(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        address = ipaddress.ip_address(host)
        return address.is_loopback or address.is_unspecified
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
