"""What every engine promises, whatever runs inside. A new backend adds one line to ENGINES_AT_HAND."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isheep.backends import open_engine
from isheep.backends.base import Engine, ModelSpec, Query, Request, Runtime, Sampling
from isheep.records import Completion
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model

Opener = Callable[[int], Engine]

#: name -> (kind, what to build for it)
ENGINES_AT_HAND = {
    "fake": ("fake", None),
    "hf-llama": ("hf", {"arch": "llama", "template": True}),
    "hf-qwen2": ("hf", {"arch": "qwen2", "template": True, "tied": False}),
}
SCORES = tuple(str(n) for n in range(1, 11))


@pytest.fixture(scope="module", params=list(ENGINES_AT_HAND))
def opener(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    """Opens the engine with a batch size; engines are kept for the module."""
    kind, options = ENGINES_AT_HAND[request.param]
    base = "any" if options is None else str(make_model(tmp_path_factory.mktemp(request.param), **options))
    opened: dict[int, Engine] = {}

    def open_(batch_size: int = 4) -> Engine:
        if batch_size not in opened:
            opened[batch_size] = open_engine(
                kind, ModelSpec(base), Runtime(batch_size=batch_size, device="cpu", threads=1)
            )
        return opened[batch_size]

    yield open_
    for engine in opened.values():
        engine.close()


def _requests(count: int = 13, **sampling: object) -> list[Request]:
    settings = Sampling(**{"max_tokens": 12, **sampling})  # type: ignore[arg-type]
    layout = LAYOUTS["question"]
    words = ("a sheep", "the sea", "hot", "1 2 3 4 5", "a small town by the river")
    return [
        Request(
            f"r{n:02}", layout.prompt("Describe " + " and ".join(words[: 1 + n % 5])), settings, seed=1000 + n
        )
        for n in range(count)
    ]


def _run(engine: Engine, requests: list[Request], skip: tuple[str, ...] = ()) -> dict[str, Completion]:
    done = list(engine.generate(requests, skip))
    assert len({c.id for c in done}) == len(done)
    return {c.id: c for c in done}


def test_every_request_comes_back_once(opener: Opener) -> None:
    requests = _requests()
    done = _run(opener(4), requests)
    assert set(done) == {r.id for r in requests}
    assert all(c.prompt_tokens > 0 for c in done.values())


def test_same_requests_same_texts(opener: Opener) -> None:
    assert _run(opener(4), _requests()) == _run(opener(4), _requests())


@pytest.mark.parametrize(
    "sampling", [{}, {"temperature": 0.0}, {"top_p": 0.9, "top_k": 50, "temperature": 0.8}]
)
def test_batch_size_and_order_do_not_matter(opener: Opener, sampling: dict[str, float]) -> None:
    requests = _requests(**sampling)
    assert (
        _run(opener(4), requests)
        == _run(opener(7), requests[::-1])
        == _run(opener(2), requests[5:] + requests[:5])
    )


def test_skipped_ids_are_left_out_and_change_nothing(opener: Opener) -> None:
    requests = _requests()
    whole = _run(opener(4), requests)
    skip = tuple(r.id for n, r in enumerate(requests) if n % 3 == 0 or n < 7)
    rest = _run(opener(4), requests, skip)
    assert rest == {id: c for id, c in whole.items() if id not in skip}
    assert _run(opener(4), requests, tuple(whole)) == {}


def test_nothing_asked_nothing_done(opener: Opener) -> None:
    assert list(opener(4).generate([])) == []
    assert list(opener(4).score([])) == []


def test_the_seed_draws_the_text(opener: Opener) -> None:
    prompt, sampling = LAYOUTS["question"].prompt("Tell me a story"), Sampling(12)
    texts = {
        c.text for c in opener(4).generate([Request(str(n), prompt, sampling, seed=n) for n in range(12)])
    }
    assert len(texts) > 6
    same = {
        c.text for c in opener(4).generate([Request(str(n), prompt, sampling, seed=7) for n in range(12)])
    }
    assert len(same) == 1


def test_greedy_knows_no_seed(opener: Opener) -> None:
    prompt, sampling = LAYOUTS["question"].prompt("Tell me a story"), Sampling(12, temperature=0.0)
    texts = {
        c.text for c in opener(4).generate([Request(str(n), prompt, sampling, seed=n) for n in range(9)])
    }
    assert len(texts) == 1


def test_max_tokens_is_kept(opener: Opener) -> None:
    for completion in _run(opener(4), _requests(max_tokens=3)).values():
        assert completion.tokens <= 3
        assert completion.finish in ("stop", "length")
        assert not (completion.ended and completion.finish == "length")


def test_requests_may_differ_in_sampling(opener: Opener) -> None:
    mixed = [
        Request("short", "Question: a\nAnswer:", Sampling(2), 1),
        Request("greedy", "Question: a\nAnswer:", Sampling(9, temperature=0.0), 1),
        Request("warm", "Question: a\nAnswer:", Sampling(9, temperature=1.3, top_p=0.8), 1),
    ]
    together = _run(opener(4), mixed)
    assert together == {r.id: _run(opener(4), [r])[r.id] for r in mixed}


def test_text_is_cut_exactly_at_the_earliest_stop(opener: Opener) -> None:
    free = _run(opener(4), _requests(max_tokens=30))
    stops = ("e", "in", "t ")
    for id, completion in _run(opener(4), _requests(max_tokens=30, stops=stops)).items():
        text = free[id].text
        at = min((found for stop in stops if (found := text.find(stop)) >= 0), default=None)
        assert completion.text == (text if at is None else text[:at])
        if at is not None:
            assert (completion.finish, completion.ended) == ("stop", False)


def test_scores_are_probabilities(opener: Opener) -> None:
    prompts = ["Score (1 to 10):", "Score (1 to 10):\n", "Question: hot?\nAnswer: cold\nRating (1 to 10):"]
    queries = [Query(f"q{n}", prompt * (1 + n % 2), SCORES) for n, prompt in enumerate(prompts * 3)]
    answers = {c.id: c for c in opener(4).score(queries)}
    assert set(answers) == {q.id for q in queries}
    for choice in answers.values():
        assert len(choice.probabilities) == len(SCORES)
        assert all(0 <= p <= 1 for p in choice.probabilities)
        assert sum(choice.probabilities) == pytest.approx(1, abs=1e-6)
        assert 0 <= choice.mass <= 1
        assert choice.prompt_tokens > 0
    again = {c.id: c for c in opener(4).score(queries[::-1], skip=("q0", "q1"))}
    assert again == {id: c for id, c in answers.items() if id not in ("q0", "q1")}
    for id, other in {c.id: c for c in opener(2).score(queries)}.items():
        assert other.probabilities == pytest.approx(answers[id].probabilities, abs=1e-5)


def test_layouts_by_name(opener: Opener) -> None:
    engine = opener(4)
    for name in ("plain", "question", "qa", "user", "chatml"):
        assert engine.layout(name) == LAYOUTS[name]
    for name in ("auto", "chat"):
        layout = engine.layout(name)
        prompt = layout.prompt("Add the numbers.", "1 2")
        assert prompt.startswith(layout.before)
        assert prompt.endswith(layout.between)
        assert "Add the numbers.\n1 2" in prompt
    with pytest.raises(Exception, match="unknown layout 'qustion'") as caught:
        engine.layout("qustion")
    assert "'question'" in str(caught.value)


@pytest.mark.parametrize("kind", ["fake", "hf"])
def test_close(kind: str, tmp_path: Path) -> None:
    base = str(make_model(tmp_path)) if kind == "hf" else "any"
    engine = open_engine(kind, ModelSpec(base), Runtime(device="cpu"))
    assert list(engine.generate([Request("a", "Hi", Sampling(2))]))
    engine.close()
