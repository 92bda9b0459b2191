"""The fake engine behaves like a model: lists, answers, ratings, and the defects the rules are there for."""

from __future__ import annotations

import math
import re
import subprocess
import sys

import numpy as np

from isheep.backends.base import ModelSpec, Passage, Request, Runtime, Sampling
from isheep.backends.fake import PARAMETERS, WIDTH, FakeEngine
from isheep.records import Completion
from isheep.text.prompts import LAYOUTS, task_list


def _write(prompt: str, count: int = 300, max_tokens: int = 300) -> list[Completion]:
    sampling = Sampling(max_tokens)
    return list(
        FakeEngine(ModelSpec("x"), Runtime()).generate(
            [Request(str(n), prompt, sampling, n) for n in range(count)]
        )
    )


def test_an_open_list_is_continued() -> None:
    prompt = task_list("Come up with tasks.", [("Count to ten.", ""), ("Add the numbers.", "1 2")])
    done = _write(prompt)
    assert all("\n4. Task:" in c.text for c in done)
    assert sum("Count to ten." in c.text for c in done) > 3, "copies of what was shown"
    items = {line for c in done for line in c.text.split("\n") if line[:1].isdigit()}
    assert len(items) > 1000


def test_answers_have_defects_at_fixed_rates() -> None:
    done = _write(LAYOUTS["question"].prompt("Describe a sheep."), count=1000)
    assert 10 < sum(not c.text.strip() for c in done) < 80
    assert 10 < sum(c.finish == "length" for c in done) < 80
    assert sum(c.ended for c in done) > 800
    assert len({c.text for c in done}) > 900


def test_asked_for_a_score_it_gives_one() -> None:
    for completion in _write("Answer: x\nScore from 1 to 10:", count=20):
        score, _, reason = completion.text.partition("||")
        assert 1 <= int(score) <= 10
        assert reason


def _answers(count: int = 300) -> list[Passage]:
    """Prompts about five topics, each with an answer of the engine's own."""
    topics = ("sheep", "rivers", "winter", "trains", "bread")
    engine = FakeEngine(ModelSpec("x"), Runtime())
    prompts = [LAYOUTS["question"].prompt(f"Describe {topics[n % 5]} to me.") for n in range(count)]
    requests = [Request(str(n), prompt, Sampling(60), n) for n, prompt in enumerate(prompts)]
    return [Passage(c.id, prompts[int(c.id)], c.text or " none") for c in engine.generate(requests)]


def test_perplexities_are_plausible() -> None:
    found = list(FakeEngine(ModelSpec("x"), Runtime()).likelihood(_answers()))
    assert all(one.text_tokens > 0 for one in found)
    perplexities = [math.exp(-one.text_loglik / one.text_tokens) for one in found]
    assert sum(5 < p < 100 for p in perplexities) > 0.8 * len(found)
    assert min(perplexities) < 10
    assert max(perplexities) > 50, "a filter at 50 must have something to drop"


def test_likelihoods_and_vectors_depend_on_the_model() -> None:
    passages = _answers(5)
    one, other = (FakeEngine(ModelSpec(name), Runtime()) for name in "xy")
    assert {a.text_loglik for a in one.likelihood(passages)}.isdisjoint(
        b.text_loglik for b in other.likelihood(passages)
    )
    for a, b in zip(one.embed(passages, "mean"), other.embed(passages, "mean"), strict=True):
        assert not np.array_equal(a.values, b.values)


def test_vectors_cluster_by_topic() -> None:
    passages = {p.id: p for p in _answers()}
    vectors = {
        e.id: e.values for e in FakeEngine(ModelSpec("x"), Runtime()).embed([*passages.values()], "mean")
    }
    assert {v.shape for v in vectors.values()} == {(WIDTH,)}
    topic = np.array([int(id) % 5 for id in vectors])
    matrix = np.stack(list(vectors.values()))
    likeness = matrix @ matrix.T
    same = topic[:, None] == topic[None, :]
    assert likeness[same].mean() > 0.8
    assert likeness[~same].mean() < 0.5


def test_a_rating_ends_when_it_is_complete() -> None:
    sampling = Sampling(60, until=r"\d+(?=\D)")
    requests = [Request(str(n), "Answer: x\nScore from 1 to 10:", sampling, n) for n in range(20)]
    for done in FakeEngine(ModelSpec("x"), Runtime()).generate(requests):
        assert re.fullmatch(r" \d+", done.text)
        assert (done.finish, done.ended, done.tokens) == ("stop", False, 1)


def test_its_size_is_the_documented_one() -> None:
    assert FakeEngine(ModelSpec("x"), Runtime()).parameters == PARAMETERS == 1000


def test_it_needs_no_torch() -> None:
    code = (
        "import sys; from isheep.backends.base import *; from isheep.backends.fake import FakeEngine; "
        "e = FakeEngine(ModelSpec('x'), Runtime()); p = [Passage('a', 'b', 'c')]; "
        "list(e.likelihood(p)); list(e.embed(p, 'last')); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
