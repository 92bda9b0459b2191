"""What every judge promises, whoever answers. A new judge adds one line to JUDGES_AT_HAND."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chat_server import ChatServer
from isheep.backends import JUDGES, open_judge
from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.judge_cache import Spent
from isheep.backends.outside import Judge, JudgeReply, JudgeRequest, JudgeSpec
from isheep.errors import RecipeError
from tiny_models import make_model

#: name -> (kind, kind of engine)
JUDGES_AT_HAND = {
    "openai": ("openai", "hf"),
    "engine-fake": ("engine", "fake"),
    "engine-hf": ("engine", "hf"),
    "scripted": ("scripted", "hf"),
}
#: Costs nothing, so nothing is kept.
UNCACHED = {"scripted"}

Opener = Callable[[Path | None], Judge]


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture(scope="module", params=list(JUDGES_AT_HAND))
def opener(
    request: pytest.FixtureRequest, server: ChatServer, tmp_path_factory: pytest.TempPathFactory
) -> Opener:
    kind, engine = JUDGES_AT_HAND[request.param]
    spec = JudgeSpec("sheepdog", url=server.url, key_env="", script="first", spec=ModelSpec("any"))
    if request.param == "engine-hf":
        folder = make_model(tmp_path_factory.mktemp("judge"), arch="llama", template=True)
        spec = replace(spec, spec=ModelSpec(str(folder), name="sheepdog"))
    runtime = Runtime(batch_size=4, device="cpu", threads=1, concurrency=3)
    return lambda cache: open_judge(kind, spec, replace(runtime, cache=cache), engine)


@pytest.fixture
def judge(opener: Opener) -> Iterator[Judge]:
    judge = opener(None)
    yield judge
    judge.close()


def _requests(count: int = 7, **options: float) -> list[JudgeRequest]:
    settings = {"max_tokens": 12, **options}
    return [
        JudgeRequest(
            f"r{n}",
            (("system", "You are a judge."), ("user", f"Is {n} even? {'Think well. ' * (n % 3)}")),
            seed=100 + n,
            **settings,  # type: ignore[arg-type]
        )
        for n in range(count)
    ]


def _run(judge: Judge, requests: list[JudgeRequest], skip: tuple[str, ...] = ()) -> dict[str, JudgeReply]:
    replies = list(judge.judge(requests, skip))
    assert len({reply.id for reply in replies}) == len(replies)
    return {reply.id: reply for reply in replies}


def _spent(judge: Judge) -> Spent:
    spent = judge.spent  # type: ignore[attr-defined]
    assert isinstance(spent, Spent)
    return spent


def test_all_kinds_are_here() -> None:
    assert {kind for kind, _ in JUDGES_AT_HAND.values()} == set(JUDGES)


def test_it_is_a_judge_with_a_name(judge: Judge) -> None:
    assert isinstance(judge, Judge)
    _run(judge, _requests(1))
    assert judge.name
    assert judge.device_name


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_every_request_is_answered_once_and_the_same_each_time(judge: Judge, temperature: float) -> None:
    requests = _requests(temperature=temperature)
    first = _run(judge, requests)
    assert set(first) == {request.id for request in requests}
    assert [reply.error for reply in first.values()] == [""] * len(requests)
    assert _run(judge, requests[::-1]) == first


def test_skipped_ids_are_left_out(judge: Judge) -> None:
    requests = _requests()
    whole = _run(judge, requests)
    rest = _run(judge, requests, ("r1", "r4"))
    assert rest == {id: reply for id, reply in whole.items() if id not in ("r1", "r4")}
    before = _spent(judge)
    assert _run(judge, requests, tuple(whole)) == {}
    assert _run(judge, []) == {}
    assert _spent(judge) == before


def test_what_is_spent_is_what_the_replies_say(judge: Judge) -> None:
    replies = _run(judge, _requests()).values()
    assert _spent(judge) == Spent(
        requests=len(replies),
        prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        tokens=sum(reply.tokens for reply in replies),
    )
    assert all(reply.tokens > 0 for reply in replies)


def test_the_same_question_is_asked_once_ever(
    opener: Opener, request: pytest.FixtureRequest, server: ChatServer, tmp_path: Path
) -> None:
    requests = _requests()
    judge = opener(tmp_path / "cache")
    first = _run(judge, requests)
    judge.close()
    asked = len(server.asked)
    again = opener(tmp_path / "cache")
    others = [replace(r, id=f"again/{r.id}") for r in requests]
    second = _run(again, others)
    cached = request.node.callspec.params["opener"] not in UNCACHED
    assert second == {
        f"again/{id}": replace(reply, id=f"again/{id}", cached=cached) for id, reply in first.items()
    }
    assert again.name == judge.name
    assert len(server.asked) == asked
    if cached:
        assert _spent(again) == Spent(cached=len(requests))
        # What may change the answer asks anew.
        _run(again, [replace(requests[0], seed=999), replace(requests[1], max_tokens=11)])
        assert _spent(again).requests == 2
    again.close()


def test_an_unknown_kind_is_met_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="unknown judge 'openia'") as caught:
        open_judge("openia", JudgeSpec("x"))
    assert "did you mean 'openai'" in caught.value.hint
