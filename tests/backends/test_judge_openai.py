"""The judge behind a URL, against a real server: what fails alone, what fails for all, and what is kept."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat_server import Body, ChatServer, Misdeed, Reset, Slow, Status
from ctrl_c import heard, stopped
from isheep.backends.base import Runtime
from isheep.backends.http import Retry
from isheep.backends.judge_cache import Spent
from isheep.backends.judge_openai import GIVE_UP, OpenAIJudge, payload, read
from isheep.backends.outside import JudgeReply, JudgeRequest, JudgeSpec
from isheep.errors import BackendError

FAST = Retry(tries=3, base=0.001, cap=0.01)
KEY = "sk-9f8e7d6c5b4a"

#: A child that judges 40 questions and says which are answered as soon as it knows.
CHILD = """
import sys
from pathlib import Path
from isheep.backends import open_judge
from isheep.backends.base import Runtime
from isheep.backends.outside import JudgeRequest, JudgeSpec
url, cache = sys.argv[1:]
judge = open_judge("openai", JudgeSpec("sheepdog", url=url, key_env=""), Runtime(cache=Path(cache), concurrency=2))
requests = [JudgeRequest(str(n), (("user", f"question {n}"),)) for n in range(40)]
print("begun", flush=True)
for reply in judge.judge(requests):
    print(reply.id, flush=True)
"""


def open_(server: ChatServer, cache: Path | None = None, concurrency: int = 3, **spec: object) -> OpenAIJudge:
    settings: dict[str, object] = {"model": "sheepdog", "url": server.url, "key_env": "", **spec}
    return OpenAIJudge(JudgeSpec(**settings), Runtime(cache=cache, concurrency=concurrency), FAST)  # type: ignore[arg-type]


def ask(count: int = 6, **options: object) -> list[JudgeRequest]:
    return [JudgeRequest(str(n), (("user", f"question {n}"),), **options) for n in range(count)]  # type: ignore[arg-type]


def texts(replies: list[JudgeReply]) -> dict[str, str]:
    return {reply.id: reply.text or f"error: {reply.error}" for reply in replies}


def refusing(*numbers: int) -> Callable[[Any], Status | None]:
    """A server's taste: questions with these numbers are refused."""

    def reject(payload: Any) -> Status | None:
        number = int(payload["messages"][-1]["content"].split()[-1])
        return Status(400, body='{"error": "too long"}') if number in numbers else None

    return reject


def test_what_is_sent_is_the_chat_api() -> None:
    request = JudgeRequest("x", (("system", "s"), ("user", "u")), 9, 0.5, 7, 3)
    with ChatServer() as server:
        list(open_(server).judge([request]))
        assert server.questions == [
            {
                "model": "sheepdog",
                "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
                "n": 1,
                "seed": 7,
                "temperature": 0.5,
                "max_tokens": 9,
                "logprobs": True,
                "top_logprobs": 3,
            }
        ]
    assert "logprobs" not in payload("m", ask(1)[0])


def test_probabilities_are_read_where_they_are_given() -> None:
    with ChatServer(logprobs={"A": -0.1, "B": -2.5, "C": -9.0}) as server:
        [reply] = open_(server).judge(ask(1, top_logprobs=2))
        assert reply.logprobs == (("A", -0.1), ("B", -2.5))
        server.logprobs = None
        [reply] = open_(server).judge(ask(1, top_logprobs=2))
        assert (reply.logprobs, reply.error) == ((), "")


@pytest.mark.parametrize(
    ("code", "words", "name"),
    [
        (403, "You are not allowed to request logprobs from this model", "logprobs"),
        (400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_tokens"),
    ],
)
def test_a_parameter_the_server_does_not_know_is_left_out_once_and_for_all(
    code: int, words: str, name: str
) -> None:
    def reject(payload: dict[str, object]) -> Status | None:
        return Status(code, body=json.dumps({"error": {"message": words}})) if name in payload else None

    with ChatServer(reject=reject) as server:
        judge = open_(server, concurrency=1)
        replies = list(judge.judge(ask(5, top_logprobs=2, max_tokens=77)))
        assert [reply.error for reply in replies] == [""] * 5
        assert len(server.questions) == 6
        if name == "max_tokens":
            assert server.questions[-1]["max_completion_tokens"] == 77


def test_the_judge_is_called_what_it_calls_itself(tmp_path: Path) -> None:
    with ChatServer(told="sheepdog-2026-03-01") as server:
        judge = open_(server, tmp_path)
        assert judge.name == "sheepdog"
        list(judge.judge(ask(1)))
        assert judge.name == "sheepdog-2026-03-01"
        server.told = "sheepdog-2026-09-01"
        list(judge.judge(ask(3)))
        assert judge.name == "sheepdog-2026-03-01"


@pytest.mark.parametrize("limit", [1, 4])
def test_never_more_at_once_than_allowed(limit: int) -> None:
    with ChatServer(delay=0.02) as server:
        assert len(list(open_(server, concurrency=limit).judge(ask(24)))) == 24
        assert server.most == limit


def test_replies_come_before_all_are_there() -> None:
    with ChatServer() as server:
        replies = open_(server, concurrency=1).judge(ask(500))
        next(replies)
        replies.close()
        assert len(server.questions) < 400


def test_troubles_that_pass_change_nothing() -> None:
    with ChatServer() as server:
        calm = texts(list(open_(server).judge(ask(8))))
        troubles = (
            Status(429, {"Retry-After": "0"}),
            Status(500),
            Reset(),
            Body('{"error": {"message": "hm"}}'),
        )
        server.next(*troubles)
        judge = open_(server)
        assert texts(list(judge.judge(ask(8)))) == calm
        assert judge.spent.retries == 4
        assert judge.spent.requests == 8


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"choices": []}', '{"choices": [{"message": {"content": 3}}]}']
)
def test_what_is_no_chat_completion_is_asked_again(body: str) -> None:
    with ChatServer() as server:
        server.next(Body(body))
        judge = open_(server)
        assert texts(list(judge.judge(ask(1)))) == {"0": "You said: question 0"}
        assert judge.spent.retries == 1


def test_answers_of_other_forms() -> None:
    message = {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    said = read({"choices": [{"message": message}], "model": " x\ny ", "usage": None})
    assert (said.text, said.model, said.tokens) == ("ab", "x y", 0)
    assert read({"choices": [{"message": {"content": None}}]}).text == ""
    odd = {
        "content": [
            {"top_logprobs": [{"token": "A", "logprob": float("-inf")}, {"token": "B", "logprob": -1}]}
        ]
    }
    assert read({"choices": [{"message": {"content": "x"}, "logprobs": odd}]}).logprobs == (("B", -1.0),)


class TestOneBadRequest:
    def test_it_is_answered_with_its_error(self) -> None:
        with ChatServer(reject=refusing(2)) as server:
            got = texts(list(open_(server).judge(ask(6))))
        assert got.pop("2") == "error: refused the request: HTTP 400: too long"
        assert got == {str(n): f"You said: question {n}" for n in (0, 1, 3, 4, 5)}

    @pytest.mark.parametrize("count", [1, GIVE_UP - 1])
    def test_even_when_nothing_else_is_asked(self, count: int) -> None:
        with ChatServer(reject=refusing(*range(99))) as server:
            got = list(open_(server).judge(ask(count)))
        assert len(got) == count
        assert {reply.error for reply in got} == {"refused the request: HTTP 400: too long"}

    def test_any_number_of_them_once_the_judge_has_answered(self, tmp_path: Path) -> None:
        with ChatServer(reject=refusing(*range(1, 99))) as server:
            first = texts(list(open_(server, tmp_path, concurrency=1).judge(ask(3 * GIVE_UP))))
            # ... and also when that answer is an old one.
            assert texts(list(open_(server, tmp_path).judge(ask(3 * GIVE_UP)))) == first
        assert sum(text.startswith("error") for text in first.values()) == 3 * GIVE_UP - 1

    def test_but_when_all_are_refused_that_is_said(self) -> None:
        with (
            ChatServer(reject=refusing(*range(99))) as server,
            pytest.raises(BackendError, match=rf"after {GIVE_UP} failed requests in a row.*too long"),
        ):
            list(open_(server).judge(ask(20)))

    def test_one_that_fails_after_all_tries_is_held_until_the_server_is_seen_alive(self) -> None:
        with ChatServer() as server:
            server.next(*[Status(500)] * FAST.tries)
            got = list(open_(server, concurrency=1).judge(ask(3)))
        assert [reply.id for reply in got] == ["0", "1", "2"]
        assert [bool(reply.error) for reply in got] == [True, False, False]
        assert "127.0.0.1" not in got[0].error


class TestNoneCanBeAnswered:
    def test_a_wrong_key_is_told_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOG_KEY", "sk-0000wrong")
        with ChatServer(key=KEY) as server:
            with pytest.raises(BackendError, match="HTTP 401") as caught:
                list(open_(server, key_env="DOG_KEY").judge(ask(50)))
            assert "$DOG_KEY" in caught.value.hint
            assert "sk-0000" not in str(caught.value)
            assert len(server.asked) < 10

    def test_a_wrong_model_is_told_with_those_there_are(self) -> None:
        with ChatServer(models=("sheepdog", *(f"m{n}" for n in range(40)))) as server:
            with pytest.raises(BackendError, match="no model 'cat'") as caught:
                list(open_(server, model="cat").judge(ask(50)))
            assert "it offers 'sheepdog', 'm0', " in caught.value.hint
            assert caught.value.hint.endswith("and 21 more")

    def test_a_wrong_address_is_told(self) -> None:
        with ChatServer() as server:
            with pytest.raises(BackendError, match="HTTP 404") as caught:
                list(open_(server, url=server.url.removesuffix("/v1")).judge(ask(50)))
            assert "/v1" in caught.value.hint

    def test_a_dead_server_is_given_up(self) -> None:
        with ChatServer() as server:
            judge = open_(server)
        for count in (1, 1000):
            with pytest.raises(BackendError, match=r"given up after .*Connection refused"):
                list(judge.judge(ask(count)))

    def test_a_server_that_takes_no_request_is_given_up_with_a_next_step(self) -> None:
        with ChatServer() as server:
            server.always(Status(400))
            with pytest.raises(BackendError, match=r"given up after .*HTTP 400") as caught:
                list(open_(server).judge(ask(50)))
        assert "judge." in caught.value.hint

    def test_one_that_dies_leaves_no_failures_behind(self, tmp_path: Path) -> None:
        got: list[JudgeReply] = []

        def until_it_dies(server: ChatServer) -> None:
            for reply in open_(server, tmp_path).judge(ask(200)):
                got.append(reply)
                if len(got) == 50:
                    server.always(Status(503))

        with ChatServer() as server:
            with pytest.raises(
                BackendError, match=rf"given up after {GIVE_UP} failed requests in a row.*503"
            ):
                until_it_dies(server)
            server.always(None)
            again = open_(server, tmp_path)
            rest = list(again.judge(ask(200), skip=[reply.id for reply in got]))
        assert [reply.error for reply in (*got, *rest) if reply.error] == []
        assert {reply.id for reply in got} | {reply.id for reply in rest} == {str(n) for n in range(200)}
        assert again.spent.requests + again.spent.cached == 200 - len(got)

    def test_what_is_missing_is_named(self) -> None:
        with pytest.raises(BackendError, match="no url"):
            OpenAIJudge(JudgeSpec("x"), Runtime())
        with pytest.raises(BackendError, match="no model"):
            OpenAIJudge(JudgeSpec("", url="http://localhost:1/v1"), Runtime())


class TestCache:
    def test_failures_are_not_kept(self, tmp_path: Path) -> None:
        with ChatServer() as server:
            server.next(Status(400))
            first = list(open_(server, tmp_path, concurrency=1).judge(ask(3)))
            judge = open_(server, tmp_path)
            second = texts(list(judge.judge(ask(3))))
        assert sum(bool(reply.error) for reply in first) == 1
        assert second == {str(n): f"You said: question {n}" for n in range(3)}
        assert judge.spent == Spent(1, 2, 0, 2, 4)

    def test_another_server_with_the_same_model_is_not_asked(self, tmp_path: Path) -> None:
        with ChatServer() as server:
            list(open_(server, tmp_path).judge(ask(3)))
        with ChatServer() as other:
            assert all(reply.cached for reply in open_(other, tmp_path).judge(ask(3)))
            assert other.asked == []
            other.models = ("another",)
            assert not any(reply.cached for reply in open_(other, tmp_path, model="another").judge(ask(3)))

    @pytest.mark.parametrize("misdeed", [None, Status(400, body=KEY), Status(503, body=KEY), Body(KEY)])
    def test_the_key_is_in_no_file_log_or_reply(
        self,
        misdeed: Misdeed | None,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setenv("DOG_KEY", KEY)
        caplog.set_level(logging.DEBUG)
        with ChatServer(key=KEY) as server:
            judge = open_(server, tmp_path, key_env="DOG_KEY", concurrency=1)
            told = repr(list(judge.judge(ask(2))))
            server.next(*[misdeed] * FAST.tries if misdeed else [])
            told += repr(list(judge.judge(ask(5)))) + repr(vars(judge)) + repr(judge) + caplog.text
            assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
        told += "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
        assert "question" not in told.replace("You said: question", "")
        assert KEY not in told


def _child(server: ChatServer, cache: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, server.url, str(cache)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=heard,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def test_a_kill_in_the_middle_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with ChatServer(delay=0.02) as server:
        child = _child(server, tmp_path)
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(9)]
        os.killpg(child.pid, signal.SIGKILL)
        lines += child.communicate()[0].splitlines()
        known = {line.strip().decode() for line in lines} - {"begun", ""}
        assert 8 <= len(known) < 40
        asked = len(server.questions)
        judge = open_(server, tmp_path)
        replies = list(judge.judge(ask(40)))
        assert {reply.id for reply in replies if reply.cached} >= known
        assert len(server.questions) - asked == 40 - judge.spent.cached


def test_ctrl_c_does_not_wait_for_the_server(tmp_path: Path) -> None:
    """A child that waited would be waited for in vain: the server takes an hour."""
    with ChatServer() as server:
        server.always(Slow(3600))
        child = _child(server, tmp_path)
        assert child.stdout is not None
        assert child.stdout.readline() == b"begun\n"
        while len(server.questions) < 2:
            assert child.poll() is None
        _, errors = stopped(child)
    assert b"KeyboardInterrupt" in errors
    assert child.returncode == -signal.SIGINT
