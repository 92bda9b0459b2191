"""Scores from one forward pass against the product of full-sequence probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from isheep.backends.base import ModelSpec, Query, Runtime
from isheep.backends.hf import HFEngine
from isheep.backends.hf_choices import _chains
from isheep.errors import BackendError
from tiny_models import make_model

SCORES = tuple(str(n) for n in range(1, 11))
PROMPTS = (
    "The score (1 to 10):",
    "Rate it.\nScore:",
    "x",
    "The sheep is white. The score (1 to 10):",
    "Score:\n",
)


def _engine(folder: Path, arch: str, **options: Any) -> HFEngine:
    base = make_model(folder, arch, **options)
    return HFEngine(ModelSpec(str(base)), Runtime(batch_size=3, device="cpu", threads=1))


def _probability(engine: HFEngine, prompt: str, continuation: str) -> float:
    """P(continuation | prompt), all of it in one plain pass without padding or cache."""
    tokenizer = engine.tokenizer
    before, whole = tokenizer(prompt)["input_ids"], tokenizer(prompt + continuation)["input_ids"]
    assert whole[: len(before)] == before
    with torch.no_grad():
        logs = engine.model(torch.tensor([whole])).logits[0].float().log_softmax(-1)
    return float(torch.stack([logs[at - 1, whole[at]] for at in range(len(before), len(whole))]).sum().exp())


CASES = [
    ("llama", {"digits": "single"}),
    ("llama", {"digits": "whole", "bos": True}),
    ("llama", {"digits": "merged"}),
    ("qwen2", {"digits": "single", "pad": None}),
]


@pytest.mark.parametrize(("arch", "options"), CASES)
def test_equals_the_probability_of_the_whole_text(tmp_path: Path, arch: str, options: dict[str, Any]) -> None:
    engine = _engine(tmp_path, arch, scale=0.2, **options)
    single = options["digits"] == "single"
    queries = [Query(str(n), prompt, SCORES) for n, prompt in enumerate(PROMPTS)]
    for choice in engine.score(queries):
        prompt = PROMPTS[int(choice.id)]
        space = "" if prompt.endswith("\n") else " "
        raw = {score: _probability(engine, prompt, space + score) for score in SCORES}
        if single:
            assert raw["10"] < raw["1"]
            raw["1"] -= raw["10"]
        total = sum(raw.values())
        assert choice.mass == pytest.approx(total, rel=1e-3)
        assert choice.probabilities == pytest.approx([raw[score] / total for score in SCORES], rel=1e-3)
        assert choice.prompt_tokens == len(engine.tokenizer(prompt)["input_ids"])


def test_choices_that_branch_widely_and_nest(tmp_path: Path) -> None:
    engine = _engine(tmp_path, "llama", scale=0.2)
    choices = ("1", "10", "100", "2", "21")
    (choice,) = engine.score([Query("q", "The score:", choices)])
    raw = {c: _probability(engine, "The score:", f" {c}") for c in choices}
    raw["1"] -= raw["10"]
    raw["10"] -= raw["100"]
    raw["2"] -= raw["21"]
    assert choice.probabilities == pytest.approx([raw[c] / sum(raw.values()) for c in choices], rel=1e-3)


def test_one_chain_is_enough_for_the_ten_scores() -> None:
    assert _chains([(5, 1), (5, 2), (5, 1, 0)]) == ((5, 1),)
    assert _chains([(5, 1, 0), (5, 2, 0)]) == ((5, 1), (5, 2))
    assert _chains([(1,), (2,)]) == ((),)


def test_choices_must_differ(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="same tokens"):
        list(_engine(tmp_path, "llama").score([Query("q", "Score:", ("1", "1"))]))
