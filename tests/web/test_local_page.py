"""A local page: who gets in, what every answer carries, and that nothing a template prints is markup."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

import isheep.web
from isheep.errors import IsheepError, MissingExtraError
from isheep.web.local import Place, listen, local_app, port_of, templates

PLACE = Place(8123, "sesame")


async def _home(request: Request) -> Response:
    return PlainTextResponse("home " + request.url.query)


@pytest.fixture
def client() -> TestClient:
    app = local_app([Route("/", _home, methods=["GET", "POST"]), Route("/x", _home)], PLACE)
    return TestClient(app, base_url=PLACE.origin, follow_redirects=False)


def test_without_the_token_nothing_is_shown(client: TestClient) -> None:
    for path in ("/", "/?token=", "/?token=wrong", "/static/web/base.css"):
        assert client.get(path).status_code == 403
    client.cookies.set(PLACE.cookie, "wrong")
    assert client.get("/").status_code == 403


def test_the_token_becomes_a_cookie_and_leaves_the_address(client: TestClient) -> None:
    answer = client.get("/x?a=1&token=sesame&b=")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/x?a=1&b="
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert client.get("/x?a=1").text == "home a=1"
    assert client.get("/static/web/htmx.min.js").status_code == 200


def test_the_token_leads_to_no_other_host(client: TestClient) -> None:
    answer = client.get(f"{PLACE.origin}//evil.example/?token=sesame")
    assert answer.headers["location"] == "/evil.example/"


@pytest.mark.parametrize("host", ["evil.example:8123", "127.0.0.1", "127.0.0.1:80", "[::1]:8123", ""])
def test_another_name_for_this_machine_is_refused(client: TestClient, host: str) -> None:
    client.get("/?token=sesame")
    assert client.get("/", headers={"host": host}).status_code == 421


def test_what_changes_something_comes_from_our_own_page(client: TestClient) -> None:
    client.get("/?token=sesame")
    assert client.post("/").status_code == 403
    for origin in ("null", "http://127.0.0.1:8124", "http://evil.example:8123"):
        assert client.post("/", headers={"origin": origin}).status_code == 403
    for site in ("same-site", "cross-site", "none"):
        assert client.post("/", headers={"origin": "null", "sec-fetch-site": site}).status_code == 403
    forged = {"origin": "http://127.0.0.1:8124", "sec-fetch-site": "same-origin"}
    assert client.post("/", headers=forged).status_code == 403
    assert client.post("/", headers={"origin": PLACE.origin}).status_code == 200
    assert client.post("/", headers={"origin": "null", "sec-fetch-site": "same-origin"}).status_code == 200


def test_every_answer_has_the_safe_headers(client: TestClient) -> None:
    answers = [client.get("/"), client.get("/?token=sesame"), client.get("/"), client.get("/nowhere")]
    assert [answer.status_code for answer in answers] == [403, 303, 200, 404]
    for answer in answers:
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_whatever_a_template_prints_is_escaped_and_visible() -> None:
    env = templates("isheep.web").env
    said = env.from_string('<p title="{{ t }}">{{ t }}</p>').render(t='"><script>\u202e\x00\ud800')
    shown = "&#34;&gt;&lt;script&gt;⟦U+202E⟧␀⟦U+D800⟧"
    assert said == f'<p title="{shown}">{shown}</p>'


def test_the_port_is_on_loopback_alone_and_a_taken_one_is_said() -> None:
    with listen() as sock:
        assert sock.getsockname()[0] == "127.0.0.1"
        with pytest.raises(IsheepError, match="cannot listen"):
            listen(port_of(sock))


def test_tokens_differ_and_are_not_printed_by_accident() -> None:
    assert Place(1).token != Place(1).token
    assert PLACE.token not in repr(PLACE)


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isheep.web, "_NEEDED", ("starlette", "no_such_package"))
    with pytest.raises(MissingExtraError, match="no_such_package") as caught:
        isheep.web.check_installed()
    assert "isheep[browse]" in caught.value.hint


def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    program = (
        "from isheep.web.local import *\n"
        "sock = listen(); place = Place(port_of(sock))\n"
        "serve(local_app([], place), sock, place, open_browser=False, say=lambda s: print(s, flush=True))\n"
        "print('ended')\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert child.stdout is not None
    port = int(child.stdout.readline().split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=60) as seen:
        seen.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert seen.recv(12)  # it serves: Ctrl-C now meets the server, not its start
        os.kill(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out.splitlines()[-1], err) == (0, "ended", "")
