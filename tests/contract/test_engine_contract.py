"""What every engine promises, whatever runs inside. A new backend adds one line to ENGINES_AT_HAND."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from completion_server import VLLM, CompletionServer, ModelBrain
from isheep.backends import ENGINES, open_engine
from isheep.backends.base import (
    Embedder,
    Engine,
    ModelSpec,
    Passage,
    Query,
    Reader,
    Request,
    Runtime,
    Sampling,
    ServerSpec,
)
from isheep.records import Completion, Likelihood
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model
from vllm_at_hand import stand_in


@dataclass(frozen=True)
class Made:
    """What a kind of engine is opened with."""

    kind: str
    model: ModelSpec
    runtime: Runtime = field(default_factory=lambda: Runtime(device="cpu", threads=1))


@contextmanager
def _fake(folder: Path) -> Iterator[Made]:
    yield Made("fake", ModelSpec("any"))


def _tiny(kind: str, **options: Any) -> Hand:
    """A tiny model from a config, opened by an engine of this kind."""

    @contextmanager
    def made(folder: Path) -> Iterator[Made]:
        yield Made(kind, ModelSpec(str(make_model(folder, **options))))

    return made


@contextmanager
def _served(folder: Path) -> Iterator[Made]:
    """A tiny model behind a real server on this machine that does as vLLM does, its files at hand as in a run."""
    model = make_model(folder, arch="llama", template=True)
    with CompletionServer(ModelBrain(model), VLLM) as server:
        yield Made("openai", ModelSpec(str(model), server=ServerSpec(server.url)))


@contextmanager
def _vllm(folder: Path) -> Iterator[Made]:
    """On the stand-in; tests/gpu runs the same on vLLM itself."""
    with stand_in(), _tiny("vllm", arch="llama", template=True)(folder) as made:
        yield made


@contextmanager
def _workers(folder: Path) -> Iterator[Made]:
    """Two fake engines in workers; tests/backends/test_ray.py has those of transformers, which start slowly."""
    pytest.importorskip("ray")
    from ray_here import ray_here

    with ray_here():
        yield Made("fake", ModelSpec("any"), Runtime(device="cpu", workers=2))


#: Makes what an engine needs in a folder (a model, a server), for as long as it is used.
Hand = Callable[[Path], AbstractContextManager[Made]]
ENGINES_AT_HAND: dict[str, Hand] = {
    "fake": _fake,
    "hf-llama": _tiny("hf", arch="llama", template=True),
    "hf-qwen2": _tiny("hf", arch="qwen2", template=True, tied=False),
    "vllm": _vllm,
    "openai": _served,
    "ray": _workers,
}
SCORES = tuple(str(n) for n in range(1, 11))


class Opener:
    """Opens the engine with a batch size; engines are kept for the module."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.opened: dict[int, Engine] = {}

    def __call__(self, batch_size: int) -> Engine:
        if batch_size not in self.opened:
            runtime = replace(self.made.runtime, batch_size=batch_size)
            self.opened[batch_size] = open_engine(self.made.kind, self.made.model, runtime)
        return self.opened[batch_size]


@pytest.fixture(scope="module", params=list(ENGINES_AT_HAND))
def opener(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opener]:
    with ENGINES_AT_HAND[request.param](tmp_path_factory.mktemp(request.param)) as made:
        opener = Opener(made)
        yield opener
        for engine in opener.opened.values():
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


def test_a_batch_alone_gives_what_it_gives_among_all(opener: Opener) -> None:
    engine = opener(4)
    requests = [
        *_requests(9),
        *_requests(13, temperature=0.0)[9:],
        Request("long", "a b c " * engine.context, Sampling(3)),
    ]
    whole = _run(engine, requests)
    batches = engine.batches(requests)
    assert sorted(n for batch in batches for n in batch) == list(range(len(requests)))
    alone = [_run(engine, [requests[n] for n in reversed(batch)]) for batch in batches]
    assert {id: done for part in alone for id, done in part.items()} == whole
    queries = [Query(f"q{n}", "Score (1 to 10):" + " x" * (n % 4), SCORES) for n in range(9)]
    scores = {c.id: c for c in engine.score(queries)}
    parts = [list(engine.score([queries[n] for n in reversed(b)])) for b in engine.batches(queries)]
    assert {c.id: c for part in parts for c in part} == scores
    assert engine.batches([]) == []


def test_it_goes_on_serving_its_own_model(opener: Opener) -> None:
    engine = opener(4)
    before = _run(engine, _requests(3))
    assert engine.turn_to(opener.made.model)
    assert _run(engine, _requests(3)) == before


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


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("until", ["[aeiou]", r"\w(?=\W)", "no such text"])
def test_text_is_cut_right_behind_the_first_match(opener: Opener, until: str, temperature: float) -> None:
    free = _run(opener(4), _requests(max_tokens=30, temperature=temperature))
    cut = _requests(max_tokens=30, temperature=temperature, until=until)
    done = _run(opener(4), cut)
    for id, completion in done.items():
        match = re.search(until, free[id].text)
        if match is None:
            assert completion == free[id]
        else:
            assert completion.text == free[id].text[: match.end()]
            assert (completion.finish, completion.ended) == ("stop", False)
            assert completion.tokens <= free[id].tokens
    assert done == _run(opener(7), cut[::-1])


def test_of_a_stop_and_a_match_the_earlier_end_wins(opener: Opener) -> None:
    stops, until = ("a", "s"), "[dfot]."
    free = _run(opener(4), _requests(max_tokens=30))
    done = _run(opener(4), _requests(max_tokens=30, stops=stops, until=until))
    winners = set()
    for id, completion in done.items():
        text = free[id].text
        ends = {stop: at for stop in stops if (at := text.find(stop)) >= 0}
        if match := re.search(until, text):
            ends[until] = match.end()
        assert completion.text == text[: min(ends.values(), default=None)]
        winners |= {min(ends, key=lambda name: ends[name])} if ends else set()
    assert until in winners
    assert winners & set(stops)


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


Read = Callable[[int], Reader]
Embed = Callable[[int], Embedder]


@pytest.fixture
def reader(opener: Opener) -> Read:
    """The engine as a reader of likelihoods."""

    def read(batch_size: int) -> Reader:
        engine = opener(batch_size)
        assert isinstance(engine, Reader)
        return engine

    return read


@pytest.fixture
def embedder(opener: Opener) -> Embed:
    """The engine as one that shows hidden states; every kind that says it can is one."""
    if "hidden" not in ENGINES[opener.made.kind].can:
        pytest.skip(f"{opener.made.kind} shows no hidden states")

    def read(batch_size: int) -> Embedder:
        engine = opener(batch_size)
        assert isinstance(engine, Embedder)
        return engine

    return read


def _passages(count: int = 13) -> list[Passage]:
    return [
        Passage(r.id, r.prompt, " It is" + " white and cold" * (1 + n % 4))
        for n, r in enumerate(_requests(count))
    ]


def _likelihoods(
    reader: Reader, passages: list[Passage], skip: tuple[str, ...] = ()
) -> dict[str, Likelihood]:
    done = list(reader.likelihood(passages, skip))
    assert len({one.id for one in done}) == len(done)
    return {one.id: one for one in done}


def _vectors(
    reader: Embedder, passages: list[Passage], pooling: Literal["mean", "last"], skip: tuple[str, ...] = ()
) -> dict[str, np.ndarray]:
    done = list(reader.embed(passages, pooling, skip))
    assert len({one.id for one in done}) == len(done)
    return {one.id: one.values for one in done}


def test_every_passage_has_a_likelihood(reader: Read) -> None:
    passages = _passages()
    found = _likelihoods(reader(4), passages)
    assert set(found) == {p.id for p in passages}
    for one in found.values():
        assert one.text_tokens > 0
        assert one.prompt_tokens > 0
        assert one.text_loglik < 0
        assert one.prompt_loglik < 0
        assert 1 < math.exp(-one.text_loglik / one.text_tokens) < math.inf
    assert _likelihoods(reader(4), passages) == found
    assert list(reader(4).likelihood([])) == []


def test_batch_and_order_of_what_is_read_do_not_matter(reader: Read) -> None:
    passages = _passages()
    found = _likelihoods(reader(4), passages)
    for other in (
        _likelihoods(reader(7), passages[::-1]),
        _likelihoods(reader(2), passages[5:] + passages[:5]),
    ):
        assert set(other) == set(found)
        for id, one in other.items():
            wanted = found[id]
            assert (one.prompt_tokens, one.text_tokens) == (wanted.prompt_tokens, wanted.text_tokens)
            assert one.text_loglik == pytest.approx(wanted.text_loglik, rel=1e-4)
            assert one.prompt_loglik == pytest.approx(wanted.prompt_loglik, rel=1e-4)


def test_what_is_skipped_is_not_read_and_changes_nothing(reader: Read) -> None:
    passages = _passages()
    found = _likelihoods(reader(4), passages)
    skip = tuple(p.id for n, p in enumerate(passages) if n % 3 == 0 or n < 7)
    rest = _likelihoods(reader(4), passages, skip)
    assert rest == {id: one for id, one in found.items() if id not in skip}


def test_a_prompt_is_as_probable_whatever_follows(reader: Read) -> None:
    prompt = LAYOUTS["question"].prompt("Describe a sheep")
    one, other = (
        _likelihoods(reader(4), [Passage("p", prompt, text)])["p"] for text in (" white", " cold 1")
    )
    assert one.prompt_tokens == other.prompt_tokens
    assert one.prompt_loglik == pytest.approx(other.prompt_loglik, rel=1e-4)
    assert one.text_loglik != pytest.approx(other.text_loglik, rel=1e-4)


def test_the_edges_of_reading(opener: Opener, reader: Read) -> None:
    long = "a b c " * opener(4).context
    passages = [Passage("one", "x", "y"), Passage("empty", "x", ""), Passage("long", "x", long)]
    found = _likelihoods(reader(4), passages)
    assert found["one"].text_tokens == 1
    assert math.isfinite(found["one"].text_loglik)
    assert found["one"].text_loglik < 0
    for id in ("empty", "long"):
        assert found[id] == Likelihood(id, 0.0, 0, 0.0, 0)


def test_the_edges_of_vectors(opener: Opener, embedder: Embed) -> None:
    long = "a b c " * opener(4).context
    passages = [Passage("one", "x", "y"), Passage("empty", "x", ""), Passage("long", "x", long)]
    vectors = _vectors(embedder(4), passages, "last")
    assert {id: bool(values.any()) for id, values in vectors.items()} == {
        "one": True,
        "empty": False,
        "long": False,
    }
    assert len({values.shape for values in vectors.values()}) == 1


def test_skipped_vectors_change_nothing(embedder: Embed) -> None:
    passages = _passages()
    vectors = _vectors(embedder(4), passages, "mean")
    skip = tuple(p.id for n, p in enumerate(passages) if n % 3 == 0 or n < 7)
    seen = _vectors(embedder(4), passages, "mean", skip)
    assert set(seen) == set(vectors) - set(skip)
    assert all(np.array_equal(values, vectors[id]) for id, values in seen.items())


def test_vectors(embedder: Embed) -> None:
    passages = _passages()
    poolings: tuple[Literal["mean", "last"], ...] = ("mean", "last")
    by_pooling = {pooling: _vectors(embedder(4), passages, pooling) for pooling in poolings}
    for pooling, vectors in by_pooling.items():
        assert set(vectors) == {p.id for p in passages}
        again = _vectors(embedder(7), passages[::-1], pooling)
        for id, values in vectors.items():
            assert values.dtype == np.float32
            assert np.linalg.norm(values) == pytest.approx(1, abs=1e-5)
            assert again[id] == pytest.approx(values, abs=1e-4)
    assert not np.allclose(by_pooling["mean"]["r00"], by_pooling["last"]["r00"], atol=1e-3)
    assert not np.allclose(by_pooling["mean"]["r00"], by_pooling["mean"]["r04"], atol=1e-3)


def test_its_size_is_known(opener: Opener) -> None:
    assert opener(4).parameters == opener(7).parameters
    if opener.made.kind != "openai":  # who knows what is behind a server
        assert (opener(4).parameters or 0) > 0


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
