"""The engine behind a URL, against a real server with the habits of several kinds: what is sent, what is made of it."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chat_server import Body, Cut, Misdeed, Reset, Slow, Status
from completion_server import HOSTED, LLAMA_CPP, TRANSFORMERS, VLLM, CompletionServer, FakeBrain, Habits
from isheep.backends.base import Choice, ModelSpec, Passage, Query, Request, Runtime, Sampling, ServerSpec
from isheep.backends.fake import FakeEngine
from isheep.backends.http import Retry
from isheep.backends.openai import OpenAIEngine
from isheep.backends.server_tokens import ESTIMATED_CONTEXT
from isheep.errors import BackendError
from isheep.records import Completion, Likelihood
from isheep.text.prompts import LAYOUTS

FAST = Retry(tries=3, base=0.001, cap=0.01)
KEY = "sk-9f8e7d6c5b4a"
SCORES = tuple(str(n) for n in range(1, 11))


def open_(
    server: CompletionServer, concurrency: int = 3, context: int | None = None, **spec: Any
) -> OpenAIEngine:
    model = ModelSpec("no/such-base", context=context, server=ServerSpec(server.url, **spec))
    return OpenAIEngine(model, Runtime(concurrency=concurrency), FAST)


def requests(count: int = 6, **sampling: Any) -> list[Request]:
    settings = Sampling(**{"max_tokens": 40, **sampling})
    return [Request(str(n), f"Question: number {n}?\nAnswer:", settings, seed=n) for n in range(count)]


def done(engine: OpenAIEngine, asked: list[Request], skip: tuple[str, ...] = ()) -> dict[str, Completion]:
    return {completion.id: completion for completion in engine.generate(asked, skip)}


def told(engine: OpenAIEngine, words: str) -> bool:
    return any(words in note for note in engine.notes)


@pytest.fixture
def server() -> Iterator[CompletionServer]:
    with CompletionServer(FakeBrain()) as server:
        yield server


def test_what_is_sent_is_the_prompt_as_it_is(server: CompletionServer) -> None:
    request = Request("x", "  A prompt\n\twith spaces ", Sampling(9, 0.5, 0.9, 3, ("\n\n", "")), 2**40 + 7)
    done(open_(server), [request])
    assert server.questions[-1] == {
        "model": "sheepdog",
        "prompt": "  A prompt\n\twith spaces ",
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "seed": 7,
        "stop": ["\n\n"],
    }


@pytest.mark.parametrize(
    "habits", [VLLM, replace(VLLM, why="matched_stop"), LLAMA_CPP, TRANSFORMERS, replace(VLLM, most_stops=4)]
)
@pytest.mark.parametrize("until", ["", r"\d+"])
def test_a_text_ends_where_the_contract_has_it_whatever_the_server_does(habits: Habits, until: str) -> None:
    """The fake engine, asked directly, is what the text should be."""
    stops = ("number 9", "poem", "\nQuestion:", " speech", "zz", " is number 1")
    asked = [
        *requests(60, max_tokens=60, stops=stops, until=until),
        *[replace(r, id=f"free{r.id}") for r in requests(20, max_tokens=12)],
    ]
    engine = FakeEngine(ModelSpec("any"), Runtime())
    expected = {completion.id: completion for completion in engine.generate(asked)}
    with CompletionServer(FakeBrain(), habits) as server:
        found = done(open_(server, model="sheepdog"), asked)
    assert {id: (c.text, c.finish) for id, c in found.items()} == {
        id: (c.text, c.finish) for id, c in expected.items()
    }
    assert {c.finish for c in found.values()} == {"stop", "length"}
    if habits != LLAMA_CPP:  # it cuts at stops and does not say so
        assert {id: c.ended for id, c in found.items()} == {id: c.ended for id, c in expected.items()}


def test_where_nobody_says_why_a_text_ended_it_is_told() -> None:
    for habits, note in ((LLAMA_CPP, True), (VLLM, False), (TRANSFORMERS, False)):
        with CompletionServer(FakeBrain(), habits) as server:
            engine = open_(server, model="sheepdog")
            done(engine, requests(30, stops=("poem", "story", "report")))
            assert told(engine, "by itself or at a stop text") is note
            free = open_(server, model="sheepdog")
            done(free, requests(3))
            assert not told(free, "by itself")


def test_a_server_that_takes_few_stops_is_told_of_four() -> None:
    with CompletionServer(FakeBrain(), replace(VLLM, most_stops=4)) as server:
        done(open_(server, concurrency=1), requests(5, stops=tuple("vwxyz")))
        told_of = [question["stop"] for question in server.questions if "stop" in question]
        assert told_of == [list("vwxyz"), *[list("vwxy")] * 5]


def test_a_field_the_server_does_not_know_is_left_out_unless_it_was_asked_for() -> None:
    with CompletionServer(FakeBrain(), replace(VLLM, refuses=("min_p", "top_k"))) as server:
        engine = open_(server, concurrency=1)
        assert len(done(engine, requests(5))) == 5
        assert not server.questions[-1].keys() & {"top_k", "min_p"}
        with pytest.raises(BackendError, match=r"does not take top_k \(3\)"):
            done(open_(server), requests(1, temperature=0.0, top_k=3))


def test_transformers_samples_only_when_told_in_its_own_words() -> None:
    with CompletionServer(FakeBrain(), TRANSFORMERS) as server:
        texts = {c.text for c in done(open_(server, model="sheepdog"), requests(12)).values()}
        assert len(texts) > 6
        assert "generation_config" in server.questions[-1]


@pytest.mark.parametrize("limit", [1, 4])
def test_never_more_at_once_than_allowed(limit: int) -> None:
    with CompletionServer(FakeBrain(), delay=0.02) as server:
        assert len(done(open_(server, concurrency=limit), requests(24))) == 24
        assert server.most == limit


def test_results_come_before_all_are_there(server: CompletionServer) -> None:
    results = open_(server, concurrency=1).generate(requests(500))
    next(results)
    results.close()
    assert len(server.questions) < 400


def test_troubles_that_pass_change_nothing(server: CompletionServer) -> None:
    calm = done(open_(server), requests(8))
    troubles: tuple[Misdeed, ...] = (
        Status(429, {"Retry-After": "0"}), Status(500), Reset(), Cut(), Body("<html>"), Body('{"choices": []}'),
        Body('{"choices": [{"text": 7}]}'), Slow(5),
    )  # fmt: skip
    model = ModelSpec("no/such-base", server=ServerSpec(server.url, timeout=0.5))
    engine = OpenAIEngine(model, Runtime(concurrency=3), replace(FAST, tries=9))
    done(engine, requests(1))
    server.next(*troubles)
    assert done(engine, requests(8)) == calm


def test_a_server_that_dies_in_the_middle_leaves_what_came(server: CompletionServer) -> None:
    engine = open_(server, concurrency=1)
    results = engine.generate(requests(10))
    came = [next(results) for _ in range(4)]
    server.always(Status(503))
    with pytest.raises(BackendError, match="HTTP 503") as caught:
        came += results
    assert "run again" in caught.value.hint
    server.always(None)
    rest = done(open_(server), requests(10), tuple(c.id for c in came))
    assert {c.id: c for c in came} | rest == done(open_(server), requests(10))
    assert not {c.id for c in came} & rest.keys()


@pytest.mark.parametrize(
    ("told", "good"),
    [
        ("sheepdog", True),
        ("sheepdog@main", True),
        ("sheepdog-2026-03-01", True),
        ("wolf", False),
        ("sheepdog-72b", False),
    ],
)
def test_another_model_than_asked_for_is_an_error(told: str, good: bool) -> None:
    with CompletionServer(FakeBrain(), told=told) as server:
        if good:
            assert len(done(open_(server, model="sheepdog"), requests(2))) == 2
            return
        with pytest.raises(BackendError, match=f"answered with the model '{told}', and not with 'sheepdog'"):
            done(open_(server, model="sheepdog"), requests(2))


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    with CompletionServer(FakeBrain(), models=("sheepdog", "collie")) as server:
        with pytest.raises(BackendError, match="no model 'wolf'") as caught:
            done(open_(server, model="wolf"), requests(1))
        assert "'sheepdog', 'collie'" in caught.value.hint
        with pytest.raises(BackendError, match="2 models"):
            done(open_(server), requests(1))


def test_no_key_is_anywhere_but_on_the_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SHEEP_KEY", KEY)
    with CompletionServer(FakeBrain(), key=KEY) as server:
        engine = open_(server, key_env="SHEEP_KEY")
        found = done(engine, requests(2))
        assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
        assert engine.device_name == f"server: {server.url.split('/')[2]}"
        server.key = "another"
        with pytest.raises(BackendError, match="HTTP 401") as caught:
            done(engine, requests(1))
    seen = [
        repr(found),
        str(caught.value),
        repr(caught.value),
        engine.device_name,
        caplog.text,
        *capsys.readouterr(),
    ]
    assert not any(KEY in text for text in (*seen, repr(vars(engine)), *engine.notes))
    assert caught.value.__cause__ is None


def test_what_the_server_is_told_is_never_a_secret_in_the_url(server: CompletionServer) -> None:
    with pytest.raises(BackendError, match="a name, a password or a query") as caught:
        OpenAIEngine(ModelSpec("b", server=ServerSpec("http://me:secret@host/v1")), Runtime())
    assert "secret" not in str(caught.value)
    with pytest.raises(BackendError, match="no server is named"):
        OpenAIEngine(ModelSpec("b"), Runtime())


# --- how long is it


@pytest.mark.parametrize("habits", [VLLM, LLAMA_CPP])
def test_the_server_says_how_much_it_holds_and_counts(habits: Habits) -> None:
    with CompletionServer(FakeBrain(), habits) as server:
        engine = open_(server)
        assert engine.context == FakeBrain.context
        assert engine.count(["a b c", "", "one, two"]) == [3, 0, 3]
        assert open_(server, context=99).context == 99
        assert not engine.notes


def test_texts_are_counted_side_by_side_and_a_passing_trouble_is_waited_out() -> None:
    with CompletionServer(FakeBrain(), delay=0.02) as server:
        engine = open_(server, concurrency=4)
        assert engine.count(["a"]) == [1]
        server.meets = "tokenize"
        server.next(Status(503), Status(429), Reset())
        assert engine.count(["a b"] * 24) == [2] * 24
        assert server.most == 4


def test_where_nobody_says_it_is_estimated_and_told() -> None:
    with CompletionServer(FakeBrain(), replace(HOSTED, completions=True)) as server:
        engine = open_(server)
        assert engine.context == ESTIMATED_CONTEXT
        assert engine.count(["x" * 300, "ü"]) == [101, 2]
        assert told(engine, "estimated")
        assert told(engine, "model.context")


@pytest.mark.parametrize("habits", [VLLM, LLAMA_CPP, replace(HOSTED, completions=True)])
def test_a_prompt_too_long_is_no_failure(habits: Habits) -> None:
    """Known beforehand where somebody counts; else the server refuses it."""
    asked = [*requests(3), Request("long", "a b c " * FakeBrain.context, Sampling(30))]
    with CompletionServer(FakeBrain(), habits) as server:
        found = done(open_(server), asked)
        assert found["long"].finish == "too_long"
        assert found["long"].text == ""
        assert found["long"].prompt_tokens >= FakeBrain.context
        assert {c.finish for id, c in found.items() if id != "long"} <= {"stop", "length"}
        assert (habits == VLLM) == all(
            len(q["prompt"]) < 9999 for q in server.questions
        ) or habits == LLAMA_CPP


def test_what_is_written_is_limited_to_the_room_that_is_left(server: CompletionServer) -> None:
    prompt = "word " * 4000
    done(open_(server), [Request("x", prompt, Sampling(500, 0.0))])
    left = FakeBrain.context - len(server.brain.tokens(prompt))
    assert server.questions[-1]["max_tokens"] == left < 500


def test_a_context_of_ones_own_is_kept(server: CompletionServer) -> None:
    found = done(open_(server, context=20), [Request("x", "word " * 30, Sampling(5, 0.0))])
    assert found["x"].finish == "too_long"
    assert server.questions == []


# --- scores


def score(engine: OpenAIEngine, prompt: str = "Score (1 to 10):") -> Choice:
    (choice,) = engine.score([Query("q", prompt, SCORES)])
    return choice


OTHERS = {f"word{n}": -1.0 for n in range(30)}
DIGITS = {
    "": {" ": 2.0, "\n": 0.0, **OTHERS},
    " ": {str(n): n / 3 for n in range(10)},
    " 1": {"0": 1.0, ".": 0.0},
}


@pytest.mark.parametrize(
    "habits", [VLLM, LLAMA_CPP, replace(HOSTED, completions=True), replace(VLLM, top=10)]
)
def test_scores_from_log_probabilities_of_every_form(habits: Habits) -> None:
    with CompletionServer(FakeBrain(DIGITS), habits) as server:
        engine = open_(server)
        choice = score(engine)
        top = server.questions[-1]["logprobs"]
        assert top == (5 if habits.top < 20 else 20)
        assert sum(choice.probabilities) == pytest.approx(1)
        if top == 20:
            brain = FakeBrain(DIGITS)
            e = {t: 2.718281828459045**v for end in (" ",) for t, v in brain.following(end).items()}
            space = 2.718281828459045 ** brain.following("x")[" "]
            ten = 2.718281828459045 ** brain.following(" 1")["0"]
            assert choice.mass == pytest.approx(space * (1 - e["0"]))
            assert choice.probabilities[7] == pytest.approx(e["8"] / (1 - e["0"]))
            assert choice.probabilities[9] == pytest.approx(e["1"] * ten / (1 - e["0"]))
            assert not told(engine, "most probable")
        else:
            assert choice.mass < 1


def test_a_server_that_shows_less_than_asked_is_told_of() -> None:
    for top, words in ((3, "no more than the 3"), (7, "no more than the 7")):
        with CompletionServer(FakeBrain(), replace(VLLM, top=top, refuses_more=False)) as server:
            engine = open_(server)
            score(engine)
            assert told(engine, words)


def test_no_log_probabilities_no_scores() -> None:
    with (
        CompletionServer(FakeBrain(), TRANSFORMERS) as server,
        pytest.raises(BackendError, match="gives no log-prob") as c,
    ):
        score(open_(server, model="sheepdog"))
    assert "assessment.reading: sampled" in c.value.hint


def test_a_prompt_too_long_has_no_score(server: CompletionServer) -> None:
    choice = score(open_(server), "a b c " * FakeBrain.context)
    assert (choice.mass, set(choice.probabilities)) == (0.0, {0.1})


# --- likelihoods


@pytest.mark.parametrize(
    "habits",
    [replace(VLLM, prompt_logprobs=False), replace(VLLM, echo=False), replace(VLLM, tokenizes=False)],
)
def test_likelihoods_by_every_way(habits: Habits) -> None:
    passages = [Passage("a", "one two three", " four five"), Passage("none", "one", "")]
    tokens = FakeBrain().read("one two three four five")
    with CompletionServer(FakeBrain(), habits) as server:
        found = {one.id: one for one in open_(server).likelihood(passages)}
    assert found["none"] == Likelihood("none", 0.0, 0, 0.0, 0)
    before, after = [v or 0 for _, v in tokens[1:3]], [v or 0 for _, v in tokens[3:]]
    assert found["a"].prompt_loglik == pytest.approx(sum(before))
    assert found["a"].text_loglik == pytest.approx(sum(after))
    assert (found["a"].prompt_tokens, found["a"].text_tokens) == (2, 2)


@pytest.mark.parametrize("habits", [LLAMA_CPP, TRANSFORMERS])
def test_who_cannot_read_says_so(habits: Habits) -> None:
    with (
        CompletionServer(FakeBrain(), habits) as server,
        pytest.raises(BackendError, match="how probable a given text"),
    ):
        list(open_(server, model="sheepdog").likelihood([Passage("a", "one", " two")]))


# --- messages


def test_chat_sends_messages_and_no_marks(server: CompletionServer) -> None:
    engine = open_(server, api="chat")
    layout = engine.layout("chat")
    assert not engine.notes
    assert layout == engine.layout("auto")
    assert told(engine, "model.layout: chat")
    prompt = layout.prompt("Now this.", "2", ["Before", "Yes"])
    found = done(engine, [Request("x", prompt, Sampling(9, 0.0, stops=(*layout.stop_texts, "\n\n")))])
    question = server.questions[-1]
    assert question["messages"] == [
        {"role": "user", "content": "Before"},
        {"role": "assistant", "content": "Yes"},
        {"role": "user", "content": "Now this.\n2"},
    ]
    assert question["stop"] == ["\n\n"]
    assert layout.before.strip("<>").split(":")[0] not in json.dumps(
        [asked.payload for asked in server.asked]
    )
    assert found["x"].text
    done(engine, [Request("x", "1. Task: a\n2. Task:", Sampling(9, 0.0))])
    assert server.questions[-1]["messages"] == [{"role": "user", "content": "1. Task: a\n2. Task:"}]


def test_chat_lays_out_by_itself(server: CompletionServer) -> None:
    engine = open_(server, api="chat")
    assert engine.layout("question") == LAYOUTS["question"]
    with pytest.raises(BackendError, match="lays out messages") as caught:
        engine.layout("chatml")
    assert "model.layout: chat" in caught.value.hint


def test_a_hosted_chat_is_asked_for_what_it_has() -> None:
    with CompletionServer(FakeBrain(), HOSTED) as server:
        engine = open_(server, api="chat", concurrency=1)
        found = done(engine, requests(4, stops=tuple("vwxyz")))
        assert len(found) == 4
        assert all(len(question["stop"]) == 4 for question in server.questions[-4:])


@pytest.mark.parametrize(("goes_on", "ten"), [(True, 0.5), (False, 0.0)])
def test_scores_in_a_chat(goes_on: bool, ten: float) -> None:
    """One server goes on with "1"; one begins a new answer, is seen to, and is told of."""
    following = {"": {"1": 0.0, "8": 0.0}, "<assistant>1": {"0": 0.0, ".": 0.0}}
    with CompletionServer(FakeBrain(following), replace(VLLM, goes_on=goes_on)) as server:
        engine = open_(server, api="chat")
        choice = score(engine, engine.layout("chat").prompt("Rate it."))
        assert choice.probabilities[9] == pytest.approx(ten / 2)
        assert choice.probabilities[0] == pytest.approx((1 - ten) / 2)
        assert choice.probabilities[7] == pytest.approx(0.5)
        assert told(engine, "does not go on") is not goes_on


def test_a_chat_cannot_read(server: CompletionServer) -> None:
    with pytest.raises(BackendError, match="how probable a given text"):
        list(open_(server, api="chat").likelihood([Passage("a", "one", " two")]))


# --- adapters


def adapter(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    (folder / "adapter_model.safetensors").write_text(content, encoding="utf-8")
    return folder


def test_adapters_are_loaded_once_and_turned_to(server: CompletionServer, tmp_path: Path) -> None:
    engine = open_(server, adapters="vllm")
    base = ModelSpec("no/such-base", server=ServerSpec(server.url, adapters="vllm"))
    first, second, same = (
        replace(base, adapter=str(adapter(tmp_path / name, content)))
        for name, content in (("a", "1"), ("b", "2"), ("c", "1"))
    )
    for model in (first, second, same, base, first):
        assert engine.turn_to(model)
        done(engine, requests(1, temperature=0.0))
    asked = [question["model"] for question in server.questions]
    assert asked[3] == "sheepdog"
    assert asked[0] == asked[2] == asked[4] != asked[1]
    assert all(name.startswith("isheep-") for name in server.adapters)
    assert len(server.adapters) == 2
    loads = [asked.payload for asked in server.asked if asked.path.endswith("load_lora_adapter")]
    assert [load["lora_path"] for load in loads] == [first.adapter, second.adapter]
    assert OpenAIEngine(second, Runtime(), FAST).turn_to(first)


def test_an_adapter_loaded_by_somebody_else_meanwhile_is_fine(
    server: CompletionServer, tmp_path: Path
) -> None:
    server.habits = replace(VLLM, lists=False)  # it does not show what it has
    model = ModelSpec(
        "b",
        adapter=str(adapter(tmp_path / "a", "1")),
        server=ServerSpec(server.url, "", "sheepdog", adapters="vllm"),
    )
    for _ in range(2):
        assert len(done(OpenAIEngine(model, Runtime(), FAST), requests(1))) == 1


def test_adapters_a_server_cannot_load(server: CompletionServer, tmp_path: Path) -> None:
    folder = str(adapter(tmp_path / "a", "1"))
    alone = ModelSpec("no/such-base", adapter=folder, server=ServerSpec(server.url))
    with pytest.raises(BackendError, match="has the base model alone") as caught:
        OpenAIEngine(alone, Runtime(), FAST)
    assert "server.adapters: vllm" in caught.value.hint
    assert not open_(server).turn_to(alone)
    assert not open_(server).turn_to(replace(alone, adapter=None, base="another"))
    loading = replace(alone, server=ServerSpec(server.url, adapters="vllm"))
    server.habits = replace(VLLM, loads_adapters=False)
    with pytest.raises(BackendError, match="cannot be loaded") as caught:
        OpenAIEngine(loading, Runtime(), FAST)
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" in caught.value.hint
    with pytest.raises(BackendError, match="no adapter at"):
        OpenAIEngine(replace(loading, adapter=str(tmp_path / "none")), Runtime(), FAST)


# --- seeds


def test_a_server_that_keeps_to_no_seed_is_told_of(server: CompletionServer) -> None:
    engine = open_(server)
    done(engine, requests(2))
    assert not engine.notes
    server.habits = replace(VLLM, seeds=False)
    engine = open_(server)
    done(engine, requests(2))
    assert told(engine, "another text for the same seed")
    greedy = open_(server)
    done(greedy, requests(2, temperature=0.0))
    assert not greedy.notes


def test_its_errors_cross_process_borders(server: CompletionServer) -> None:
    server.always(Status(400, body='{"error": "no"}'))
    with pytest.raises(BackendError) as caught:
        done(open_(server), requests(1))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
