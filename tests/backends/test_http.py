"""The client against a real server on this machine that misbehaves: what is asked again, what never, and the key."""

from __future__ import annotations

import email.utils
import json
import logging
import threading
import time
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server import Body, ChatServer, Cut, Misdeed, Reset, Slow, Status
from isheep.backends import http
from isheep.backends.http import Client, RefusedError, Retry, UnavailableError
from isheep.backends.http_key import Secret
from isheep.errors import BackendError

#: Waits too short to notice.
FAST = Retry(tries=4, base=0.001, cap=0.01)
KEY = "sk-9f8e7d6c5b4a"
QUESTION = {"model": "sheepdog", "messages": [{"role": "user", "content": "hello"}]}


def client(server: ChatServer, key: str = "", **options: object) -> Client:
    return Client(server.url, Secret(key, "TEST_KEY"), **{"retry": FAST, **options})  # type: ignore[arg-type]


def test_it_gets_and_posts_json() -> None:
    with ChatServer() as server:
        asks = client(server)
        assert asks.get("models") == {"data": [{"id": "sheepdog"}]}
        answer = asks.post("/chat/completions", QUESTION)
        assert answer["choices"][0]["message"]["content"] == "You said: hello"
        assert asks.retries == 0
        assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize(
    "misdeed",
    [
        *(Status(code) for code in (408, 429, 500, 502, 503, 504, 529)),
        Cut(),
        Reset(),
        Body("<html>gateway</html>"),
        Body('{"choices": ['),
        Body("[" * 100_000),
        Body(""),
    ],
    ids=lambda misdeed: str(misdeed)[:30],
)
def test_what_passes_by_itself_is_asked_again(misdeed: Misdeed) -> None:
    with ChatServer() as server:
        server.next(misdeed, misdeed)
        asks = client(server)
        assert asks.post("chat/completions", QUESTION)["model"] == "sheepdog"
        assert asks.retries == 2
        assert len(server.asked) == 3


def test_a_silent_server_is_asked_again_after_the_time_out() -> None:
    with ChatServer() as server:
        server.next(Slow(5))
        asks = client(server, timeout=0.2)
        assert asks.post("chat/completions", QUESTION)["model"] == "sheepdog"
        assert asks.retries == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 422, 501])
def test_what_does_not_pass_is_not_asked_again(code: int) -> None:
    with ChatServer() as server:
        server.next(Status(code, body='{"error": {"message": "never\\u0007 ever"}}'))
        with pytest.raises(RefusedError, match=f"HTTP {code}: never  ever") as caught:
            client(server).post("chat/completions", QUESTION)
        assert caught.value.status == code
        assert "127.0.0.1" not in caught.value.reason
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": "plain words"}', "plain words"),
        ('{"message": "as vLLM once said"}', "as vLLM once said"),
        ('{"detail": [{"loc": ["body"]}]}', '[{"loc": ["body"]}]'),
        ("no JSON\n at all", "no JSON at all"),
        ("x" * 9999, "x" * http.DETAIL),
    ],
)
def test_the_server_s_own_words_are_found_wherever_it_puts_them(body: str, words: str) -> None:
    with ChatServer() as server:
        server.next(Status(400, body=body))
        with pytest.raises(RefusedError) as caught:
            client(server).post("chat/completions", QUESTION)
        assert caught.value.message.endswith(f"HTTP 400: {words}")


def test_the_last_try_tells_the_last_reason() -> None:
    with ChatServer() as server:
        server.always(Status(503))
        with pytest.raises(UnavailableError, match=r"answered HTTP 503: not now \(4 tries\)"):
            client(server).post("chat/completions", QUESTION)
        assert len(server.asked) == FAST.tries


def test_no_server_is_told_in_few_words() -> None:
    with ChatServer() as server:
        gone = server.url
    with pytest.raises(UnavailableError) as caught:
        Client(gone, retry=FAST).get("models")
    assert caught.value.message == f"{gone} could not be asked: Connection refused (4 tries)"


def test_a_body_the_caller_cannot_use_is_asked_again() -> None:
    def check(body: object) -> None:
        if "choices" not in str(body):
            raise ValueError("no choices")

    with ChatServer() as server:
        server.next(Body('{"error": {"message": "overloaded"}}'))
        asks = client(server)
        assert asks.post("chat/completions", QUESTION, check)["model"] == "sheepdog"
        assert asks.retries == 1


class TestWaiting:
    """No test waits: the clock is asked what it would do."""

    def test_full_jitter_grows_and_is_capped(self) -> None:
        retry = Retry(base=1, cap=10)
        for tried, most in ((1, 1), (2, 2), (4, 8), (5, 10), (50, 10)):
            waits = [retry.wait(tried, None) for _ in range(300)]
            assert 0 <= min(waits) < 0.2 * most
            assert 0.8 * most < max(waits) <= most

    @given(st.integers(1, 30), st.floats(0, 1e9))
    def test_what_the_server_asks_for_is_kept_up_to_the_cap(self, tried: int, asked: float) -> None:
        wait = Retry(base=1, cap=10).wait(tried, asked)
        assert min(10, asked) <= wait <= min(10, asked + 1)

    @pytest.mark.parametrize("how", ["seconds", "date", "none"])
    def test_retry_after_is_heard(self, how: str) -> None:
        heard: list[float | None] = []

        class Listening(Retry):
            def wait(self, tried: int, asked: float | None) -> float:
                heard.append(asked)
                return 0.0

        date = email.utils.formatdate(time.time() + 3600, usegmt=True)
        headers = {"none": {}, "seconds": {"Retry-After": "3600"}, "date": {"Retry-After": date}}[how]
        with ChatServer() as server:
            server.next(Status(429, headers))
            client(server, retry=Listening()).post("chat/completions", QUESTION)
        assert heard == ([None] if how == "none" else [pytest.approx(3600, abs=60)])

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [("7", 7), ("1.5", 1.5), ("-3", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)]
        + [(value, None) for value in ("", "soon", "nan", "inf", "Wed, 99 Oct 2015 07:28:00 GMT")],
    )
    def test_retry_after_is_read_or_left(self, value: str, seconds: float | None) -> None:
        assert http._retry_after(value) == seconds

    def test_stop_ends_the_wait(self) -> None:
        with ChatServer() as server:
            server.always(Status(503))
            stop = threading.Event()
            stop.set()
            with pytest.raises(UnavailableError, match="1 try"):
                client(server, retry=Retry(base=1e6, cap=1e6)).post("chat/completions", QUESTION, stop=stop)


class TestKey:
    def test_it_is_sent_to_the_server(self) -> None:
        with ChatServer(key=KEY) as server:
            assert client(server, f"{KEY}\n").get("models")
            assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"

    @pytest.mark.parametrize(
        ("key", "variable", "hint"),
        [
            ("wrong-0123", "TEST_KEY", "the key in $TEST_KEY was sent and not accepted"),
            ("", "TEST_KEY", "put it in the environment variable TEST_KEY"),
            ("", "", "name the environment variable"),
        ],
    )
    def test_a_wrong_one_is_named_by_its_variable(self, key: str, variable: str, hint: str) -> None:
        with ChatServer(key=KEY) as server:
            with pytest.raises(RefusedError) as caught:
                Client(server.url, Secret(key, variable)).get("models")
            assert hint in caught.value.hint

    @pytest.mark.parametrize(
        "misdeed",
        [
            None,
            Status(400, body=f"bad {KEY}"),
            Status(400, body="x" * (http.DETAIL - 5) + KEY),
            Status(503, body=json.dumps({"error": {"message": KEY}})),
            Status(307, {"Location": f"https://elsewhere.example/{KEY}?key={KEY}"}),
            Body(f"{KEY} is no JSON"),
            Reset(),
        ],
        ids=lambda misdeed: str(misdeed)[:30],
    )
    def test_it_is_in_no_message_traceback_or_log(
        self, misdeed: Misdeed | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with ChatServer(key="another") as server:
            server.always(misdeed)
            asks = client(server, KEY)
            with pytest.raises(BackendError) as caught:
                asks.post("chat/completions", QUESTION)
        error = caught.value
        told = [
            *(str(error), repr(error), "".join(traceback.format_exception(error)), repr(asks), caplog.text),
            *(repr(vars(error)), repr(Secret(KEY)), repr(Secret(KEY, "V")), str(Secret(KEY))),
        ]
        assert [text for text in told if KEY[:8] in text] == []
        assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"

    def test_a_redirect_does_not_carry_it_elsewhere(self) -> None:
        with ChatServer() as thief, ChatServer() as server:
            server.next(Status(307, {"Location": f"{thief.url}/chat/completions?token=1"}))
            with pytest.raises(RefusedError) as caught:
                client(server, KEY).post("chat/completions", QUESTION)
            assert caught.value.message.endswith(f" to {thief.url}/chat/completions")
            assert "not followed" in caught.value.hint
            assert thief.asked == []

    def test_neither_netrc_nor_a_proxy_comes_between(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: object
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")  # type: ignore[operator]
        monkeypatch.setenv("NETRC", f"{tmp_path}/netrc")
        with ChatServer() as proxy, ChatServer() as server:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("http_proxy", proxy.url)
            client(server).get("models")
            client(server, KEY).get("models")
            assert proxy.asked == []
            assert [asked.headers.get("authorization") for asked in server.asked] == [None, f"Bearer {KEY}"]

    def test_it_does_not_travel_in_the_clear(self) -> None:
        for url in (
            "http://api.example.com/v1",
            "http://10.0.0.7:8000/v1",
            "http://localhost.example.com/v1",
        ):
            with pytest.raises(BackendError, match="unencrypted") as caught:
                Client(url, Secret(KEY, "TEST_KEY"))
            assert "https://" in caught.value.hint
            assert KEY not in str(caught.value)
            Client(url)
        for url in (
            *("https://api.example.com/v1", "http://localhost:8000/v1", "http://127.0.0.1:1/v1"),
            *("http://[::1]:8000/v1", "http://0.0.0.0:8000"),
        ):
            Client(url, Secret(KEY, "TEST_KEY"))

    def test_one_that_is_none_is_refused_unseen(self) -> None:
        for value in ("two\nlines", "clé"):
            with pytest.raises(BackendError, match=r"\$TEST_KEY holds characters") as caught:
                Secret(value, "TEST_KEY")
            assert value not in str(caught.value)

    def test_it_comes_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TEST_KEY", f" {KEY}\n")
        assert Secret.from_environment("TEST_KEY").hide(f"<{KEY}>") == "<[key]>"
        monkeypatch.delenv("TEST_KEY")
        assert not Secret.from_environment("TEST_KEY")
        assert not Secret.from_environment("")


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://host/v1", "http://", "http://host:99999/v1", "https://[1/"]
)
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(BackendError, match="is no address"):
        Client(url)


@pytest.mark.parametrize(
    "url", [f"https://me:{KEY}@host/v1", f"https://host/v1?key={KEY}", f"https://{KEY}@host:x/"]
)
def test_an_address_with_a_secret_in_it_is_not_repeated(url: str) -> None:
    with pytest.raises(BackendError, match="environment variable") as caught:
        Client(url)
    assert KEY not in str(caught.value)
