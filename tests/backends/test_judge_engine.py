"""The judge on this machine: how messages become a prompt, and what its answers are kept under."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from isheep.backends import open_judge
from isheep.backends.base import ModelSpec, Request, Runtime, Sampling
from isheep.backends.fake import CONTEXT, FakeEngine
from isheep.backends.judge_engine import EngineJudge, turns
from isheep.backends.outside import JudgeReply, JudgeRequest, JudgeSpec
from isheep.errors import BackendError
from isheep.records import Completion
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model

LONG = "word " * (CONTEXT + 1)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """What the fake engine was asked, with a context it keeps to."""
    seen: list[Request] = []
    real = FakeEngine.generate

    def generate(
        self: FakeEngine, requests: Sequence[Request], skip: Collection[str] = ()
    ) -> Iterator[Completion]:
        fitting = []
        for request in requests:
            if request.id not in skip:
                seen.append(request)
                [tokens] = self.count([request.prompt])
                if tokens >= self.context:
                    yield Completion(request.id, "", "too_long", tokens, 0)
                    continue
            fitting.append(request)
        yield from real(self, fitting, skip)

    monkeypatch.setattr(FakeEngine, "generate", generate)
    return seen


def fake(cache: Path | None = None, model: ModelSpec | None = None) -> EngineJudge:
    spec = JudgeSpec("base", spec=model or ModelSpec("any", name="sheepdog"))
    return EngineJudge(spec, Runtime(cache=cache), "fake")


def ask(*messages: tuple[str, str], id: str = "r") -> JudgeRequest:
    return JudgeRequest(id, messages, max_tokens=20, temperature=0.5, seed=3)


def test_messages_are_laid_out_as_the_model_has_it(seen: list[Request]) -> None:
    question = (
        ("system", "You judge."),
        ("user", "Is it so?"),
        ("assistant", "Perhaps."),
        ("user", "Yes or no?"),
    )
    list(fake().judge([ask(*question)]))
    layout = LAYOUTS["question"]
    assert seen == [
        Request(
            "r",
            "Question: You judge.\n\nIs it so?\nAnswer: Perhaps.\n\nQuestion: Yes or no?\nAnswer:",
            Sampling(20, 0.5, stops=layout.stop_texts),
            seed=3,
        )
    ]


def test_a_chat_template_is_used_where_there_is_one(tmp_path: Path) -> None:
    make_model(tmp_path, arch="llama", template=True)
    judge = open_judge("engine", JudgeSpec(str(tmp_path)), Runtime(device="cpu", threads=1))
    assert isinstance(judge, EngineJudge)
    assert judge._asked(ask(("system", "You judge."), ("user", "Yes?"))).prompt == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nYou judge.\n\nYes?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert judge.parameters
    judge.close()


def test_turns_take_sides_and_end_with_the_person() -> None:
    assert turns((("user", "a"), ("user", "b"), ("assistant", "c"), ("system", "d"))) == ["a\n\nb", "c", "d"]
    for wrong in ((), (("assistant", "a"),), (("user", "a"), ("assistant", "b"))):
        with pytest.raises(ValueError, match="begins and ends"):
            turns(wrong)
    with pytest.raises(ValueError, match="role 'tool'"):
        turns((("tool", "a"),))


def test_one_bad_request_is_answered_with_its_error(seen: list[Request]) -> None:
    requests = [ask(("tool", "x"), id="0"), ask(("user", LONG), id="1"), ask(("user", "x"), id="2")]
    replies = {reply.id: reply for reply in fake().judge(requests)}
    assert "role 'tool'" in replies["0"].error
    assert f"the model's context of {CONTEXT}" in replies["1"].error
    assert replies["2"].error == ""
    assert [reply.id for reply in fake().judge(requests, skip=("0", "2"))] == ["1"]


def test_when_all_are_too_long_that_is_said(seen: list[Request]) -> None:
    with pytest.raises(BackendError, match="every question is too long for the judge 'sheepdog'") as caught:
        list(fake().judge([ask(("user", LONG), id=str(n)) for n in range(2)]))
    assert "longer context" in caught.value.hint


def test_too_long_is_not_kept(seen: list[Request], tmp_path: Path) -> None:
    requests = [ask(("user", LONG), id="0"), ask(("user", "x"), id="1")]
    for cached in (False, True):
        replies: dict[str, JudgeReply] = {reply.id: reply for reply in fake(tmp_path).judge(requests)}
        assert replies["0"].error
        assert replies["1"].cached is cached


def test_answers_are_kept_per_model(seen: list[Request], tmp_path: Path) -> None:
    """Another revision, adapter or content of the folder is another model; its name is not."""
    cache, base, adapter = tmp_path / "cache", tmp_path / "base", tmp_path / "adapter"
    for folder in (base, adapter):
        folder.mkdir()
        (folder / "adapter_config.json").write_text(json.dumps({"digest": "1"}))

    def cached(model: ModelSpec) -> bool:
        [reply] = fake(cache, model).judge([ask(("user", "x"))])
        return reply.cached

    model = ModelSpec(str(base), name="one")
    others = [model, replace(model, revision="2"), replace(model, adapter=str(adapter))]
    assert [cached(other) for other in others] == [False] * 3
    assert [cached(replace(other, name="two")) for other in others] == [True] * 3
    (base / "model.safetensors").write_bytes(b"trained anew")
    assert [cached(other) for other in others] == [False] * 3
    (adapter / "adapter_config.json").write_text(json.dumps({"digest": "one more"}))
    assert [cached(other) for other in others] == [True, True, False]
    assert len(seen) == 7
