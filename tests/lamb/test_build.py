"""Pre-training in miniature: killed and resumed equals unbroken; the shipped folder loads with plain transformers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

pytest.importorskip("torch")

from isheep.lamb import build as lamb_build
from isheep.lamb.build import build
from isheep.lamb.packing import Progress, encoded
from isheep.lamb.tokenizer import PAD
from isheep.text.prompts import LAYOUTS

SIZE = 16_000
MODEL = Path(lamb_build.__file__).parent / "model"


class StopError(RuntimeError):
    """Stands for Ctrl-C."""


def _weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_an_interrupted_build_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lamb_build, "_TOKENIZER_DOCUMENTS", 600)
    monkeypatch.setattr(lamb_build, "BATCH", 4)
    monkeypatch.setattr(lamb_build, "TELL_EVERY", 1)
    seen: list[Progress] = []
    build(tmp_path / "whole", tokens=SIZE, progress=seen.append, checkpoint_every=4)
    assert seen[-1].phase == "training"
    assert seen[-1].done == seen[-1].total
    assert seen[-1].seconds_left == 0

    def stop(p: Progress) -> None:
        if p.phase == "training" and p.done > p.total / 2:
            raise StopError

    with pytest.raises(StopError):
        build(tmp_path / "broken", tokens=SIZE, progress=stop, checkpoint_every=4)
    assert not (tmp_path / "broken" / "model.safetensors").exists()
    resumed: list[Progress] = []
    build(tmp_path / "broken", tokens=SIZE, progress=resumed.append, checkpoint_every=4)
    assert len(resumed) < len(seen)
    assert _weights(tmp_path / "broken") == _weights(tmp_path / "whole")
    assert not (tmp_path / "broken" / ".build").exists()
    build(tmp_path / "other", seed=1, tokens=SIZE, checkpoint_every=4)
    assert _weights(tmp_path / "other") != _weights(tmp_path / "whole")


def test_the_corpus_does_not_depend_on_the_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lamb_build, "_TOKENIZER_DOCUMENTS", 600)
    lamb_build._tokenizer(tmp_path, 0)
    path = lamb_build._tokenizer_file(tmp_path, 0)
    one, two = encoded(path, 0, 1), encoded(path, 0, 2)
    for _ in range(2):
        assert next(one) == next(two)
    two.close()


@pytest.fixture(scope="module")
def shipped() -> tuple[object, object]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(MODEL), AutoTokenizer.from_pretrained(MODEL)


def test_the_shipped_model_is_small_and_has_an_end_of_its_own(shipped) -> None:  # type: ignore[no-untyped-def]
    model, tokenizer = shipped
    assert 0.9e6 < sum(p.numel() for p in model.parameters()) < 1.1e6
    assert sum(f.stat().st_size for f in MODEL.iterdir()) < 5e6
    assert tokenizer.eos_token_id == model.config.eos_token_id == model.generation_config.eos_token_id
    assert tokenizer.pad_token == PAD
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_prompt_and_completion_meet_at_a_token_border(shipped) -> None:  # type: ignore[no-untyped-def]
    _, tokenizer = shipped
    for name in ("plain", "question", "qa", "user"):
        layout = LAYOUTS[name]
        prompt, completion = layout.prompt("Which is bigger?", "cat or dog"), layout.completion("dog")
        apart = tokenizer(prompt)["input_ids"] + tokenizer(completion)["input_ids"]
        assert tokenizer(prompt + completion)["input_ids"] == apart
        assert tokenizer.decode(apart) == prompt + completion


def test_scores_are_one_token_and_ten_is_two(shipped) -> None:  # type: ignore[no-untyped-def]
    _, tokenizer = shipped
    assert all(len(tokenizer(f" {n}")["input_ids"]) == 1 for n in range(1, 10))
    assert tokenizer(" 10")["input_ids"][0] == tokenizer(" 1")["input_ids"][0]
    assert len(tokenizer(" 371")["input_ids"]) == 3


def test_the_shipped_model_answers_and_stops(shipped) -> None:  # type: ignore[no-untyped-def]
    model, tokenizer = shipped
    ids = tokenizer(LAYOUTS["question"].prompt("What comes after Monday?"), return_tensors="pt")
    out = model.generate(**ids, max_new_tokens=8, do_sample=False)[0][ids["input_ids"].shape[1] :]
    assert tokenizer.decode(out).lstrip().startswith("Tuesday")


def test_the_card_is_a_model_card() -> None:
    card = (MODEL / "README.md").read_text("utf-8")
    assert card.startswith("---\n")
    assert "license: apache-2.0" in card
