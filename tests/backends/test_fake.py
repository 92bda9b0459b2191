"""The fake engine behaves like a model: lists, answers, ratings, and the defects the rules are there for."""

from __future__ import annotations

from isheep.backends.base import ModelSpec, Request, Runtime, Sampling
from isheep.backends.fake import FakeEngine
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
