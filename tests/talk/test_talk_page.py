"""The page's routes: answers in pieces, votes that are counted once, and nothing that gives a blind model away."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")
from echo import BASE, TWO, Echo
from starlette.testclient import TestClient

from isheep.errors import BackendError
from isheep.records import Completion
from isheep.runs import Run
from isheep.talk.blind import Blind
from isheep.talk.conversation import Decoding, Models
from isheep.talk.page import KEPT, Page
from isheep.talk.preferences import read
from isheep.web.local import Place, local_app

PLACE = Place(8124, "sesame")


def opened(run: Run, echo: Echo, blind: bool = False) -> TestClient:
    models = Models(echo, (BASE, TWO), Decoding(9))
    page = Page(run.name, models, Blind(run, models) if blind else None)
    app = local_app(page.routes, PLACE, static={"talk": "isheep.talk"})
    client = TestClient(app, base_url=PLACE.origin, headers={"origin": PLACE.origin})
    client.get(PLACE.address)
    return client


def events(client: TestClient, **asked: Any) -> list[dict[str, Any]]:
    answer = client.post("/ask", json={"conversation": "one", **asked})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(part.removeprefix("data: ")) for part in answer.text.split("\n\n") if part]


def test_answers_come_in_pieces_and_each_conversation_is_its_own(own_run: Run) -> None:
    echo = Echo("length")
    client = opened(own_run, echo)
    assert "talk.js" in client.get("/").text
    assert events(client, question="a") == [
        {"place": 0, "piece": "None.1"},
        {"place": 1, "piece": "0.2"},
        {"answers": [{"text": t, "note": "cut at --max-tokens"} for t in ("None.1", "0.2")]},
    ]
    events(client, question="b")
    assert "None.1" in echo.asked[2][1].prompt
    events(client, question="c", conversation="two")
    assert "None.1" not in echo.asked[4][1].prompt
    events(client, question="", again=True)
    assert echo.asked[6][1].prompt == echo.asked[2][1].prompt
    client.post("/reset", json={"conversation": "one"})
    events(client, question="d")
    assert "None.1" not in echo.asked[8][1].prompt


def test_a_blind_page_names_no_model(own_run: Run) -> None:
    client = opened(own_run, Echo("length"), blind=True)
    page = client.get("/").text
    assert "M0" not in page
    assert "M2" not in page
    last = events(client, question="a")[-1]
    assert set(last) == {"round", "answers"}
    assert all(answer["note"] == "" for answer in last["answers"])
    for vote, status in (("c", 400), ("a", 400)):  # a round is used up by its first vote, wrong or not
        assert client.post("/vote", json={"round": last["round"], "vote": vote}).status_code == status
    last = events(client, question="a")[-1]
    assert client.post("/vote", json={"round": last["round"], "vote": "b"}).json() == {"votes": 1}
    assert client.post("/vote", json={"round": last["round"], "vote": "b"}).status_code == 400
    (kept,) = read(own_run.folder / "preferences.jsonl")
    assert kept.answers == tuple(answer["text"] for answer in last["answers"])
    assert "win rate" in client.get("/result").json()["sentence"]


def test_hidden_characters_are_shown_wherever_a_piece_ends(own_run: Run) -> None:
    class Hostile(Echo):
        def answer(self, adapter: int | None, request: Any, tell: Any) -> Completion:
            for letter in "<b>\u202e\u0645\u200c\u0645":
                tell(letter)
            return Completion("x", "<b>\u202e\u0645\u200c\u0645", "stop", 1, 1)

    found = events(opened(own_run, Hostile()), question="a")
    whole = "".join(event["piece"] for event in found if event.get("place") == 0)
    assert whole == found[-1]["answers"][0]["text"] == "<b>⟦U+202E⟧\u0645\u200c\u0645"


def test_an_error_is_said_on_the_page(own_run: Run) -> None:
    class Broken(Echo):
        def answer(self, adapter: int | None, request: Any, tell: Any) -> Completion:
            raise BackendError("out of memory", "a smaller model")

    assert "out of memory" in events(opened(own_run, Broken()), question="a")[-1]["error"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"question": 1}', b'{"question": " "}', b'{"question": "", "again": true}']
)
def test_what_is_no_question_is_refused(own_run: Run, body: bytes) -> None:
    client = opened(own_run, Echo())
    assert client.post("/ask", content=body).status_code == 400
    assert client.post("/vote", content=body).status_code == 400
    assert client.get("/result").status_code == 404


def test_only_so_many_conversations_are_kept(own_run: Run) -> None:
    echo = Echo()
    client = opened(own_run, echo)
    for n in range(KEPT + 1):
        events(client, question="a", conversation=str(n))
    events(client, question="b", conversation="0")  # forgotten: it begins anew
    events(client, question="b", conversation=str(KEPT))
    assert "None" not in echo.asked[-4][1].prompt
    assert "None" in echo.asked[-2][1].prompt


def test_nobody_else_may_ask(own_run: Run) -> None:
    client = opened(own_run, Echo())
    assert (
        client.post("/ask", json={"question": "a"}, headers={"origin": "http://evil.example"}).status_code
        == 403
    )
