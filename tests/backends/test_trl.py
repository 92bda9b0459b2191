"""What TRL is given, and that an interruption leaves no trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from isheep.backends.base import Example, ModelSpec, Request, Runtime, Sampling, Trained, TrainSpec
from isheep.backends.hf import HFEngine
from isheep.backends.trl import TRLTrainer
from isheep.backends.trl_rows import tokenise
from isheep.errors import BackendError
from isheep.text.prompts import LAYOUTS, Layout
from tiny_models import make_model, make_tokenizer, untrain

WORDS = ["red", "blue", "green", "white", "black", "small", "tall", "cold", "warm", "sheep"]
RUNTIME = Runtime(device="cpu", threads=1)
SPEC = TrainSpec(16, 64, 0.1, "all-linear", 1e-2, "cosine", 2, 4, 2, 2, 128, 0.0, 1.0, 3, False, 5)


def _examples(layout: Layout) -> list[Example]:
    return [Example(w, layout.prompt(f"Say {w}"), layout.completion("to cold sheep")) for w in WORDS]


def _train(
    base: Path, spec: TrainSpec, layout: str, folder: Path, progress: Any = None, **model: Any
) -> Trained:
    trainer = TRLTrainer(ModelSpec(str(base), **model), RUNTIME)
    found = trainer.layout(layout)
    return trainer.train(_examples(found), spec, found, folder, progress or (lambda done, total: None))


def _weights(folder: Path) -> bytes:
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("base"), scale=0.1, template=True)


@pytest.mark.parametrize("name", ["question", "chatml"])
def test_labels_are_the_answer_and_its_end(name: str) -> None:
    """Through TRL's own preparation and collator, with pad == eos, the trap in which models forget to stop."""
    from datasets import Dataset
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    tokenizer, layout = make_tokenizer(template=True, pad="<|end|>"), LAYOUTS[name]
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    examples = [*_examples(layout), Example("long", layout.prompt("Say"), layout.completion("warm " * 9))]
    rows, truncated = tokenise(tokenizer, examples, layout, 128)
    assert truncated == 0
    data = Dataset.from_list(rows)
    data = data.map(
        lambda row: {
            "labels": [
                i if m else -100 for i, m in zip(row["input_ids"], row["completion_mask"], strict=True)
            ]
        }
    )
    batch = DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id)(list(data))
    end = tokenizer(layout.end or "<|end|>")["input_ids"]
    for example, labels, ids in zip(examples, batch["labels"], batch["input_ids"], strict=True):
        learned = labels[labels != -100].tolist()
        assert learned[-len(end) :] == end
        assert tokenizer.decode(learned[: -len(end)]) == example.completion
        start = int((labels != -100).nonzero()[0])
        assert ids[:start].tolist() == tokenizer(example.prompt)["input_ids"]
        assert labels[start : start + len(learned)].tolist() == learned


def test_the_trainer_computes_the_loss_of_exactly_those_labels(base: Path, tmp_path: Path) -> None:
    trained = _train(
        base, replace(SPEC, dropout=0.0, batch_size=10, accumulation=1, warmup_steps=0), "question", tmp_path
    )
    engine = HFEngine(ModelSpec(str(base)), RUNTIME)
    layout = engine.layout("question")
    total = count = 0.0
    for row in tokenise(engine.tokenizer, _examples(layout), layout, 128)[0]:
        ids = torch.tensor([row["input_ids"]])
        with torch.no_grad():
            logs = engine.model(ids).logits[0].log_softmax(-1)
        picked = [-logs[at - 1, ids[0, at]] for at, learn in enumerate(row["completion_mask"]) if learn]
        total, count = total + float(sum(picked)), count + len(picked)
    assert trained.losses[0] == (1, pytest.approx(total / count, rel=1e-4))


def test_truncation_is_counted() -> None:
    tokenizer, layout = make_tokenizer(), LAYOUTS["question"]
    examples = _examples(layout)
    full = [len(row["input_ids"]) for row in tokenise(tokenizer, examples, layout, 999)[0]]
    cutoff = sorted(full)[4]
    rows, truncated = tokenise(tokenizer, examples, layout, cutoff)
    assert truncated == sum(n > cutoff for n in full) > 0
    assert [len(row["input_ids"]) for row in rows] == [min(n, cutoff) for n in full]
    with pytest.raises(BackendError, match="longer than the cutoff"):
        tokenise(tokenizer, examples, layout, 4)


class InterruptionError(Exception):
    pass


@pytest.mark.parametrize("stop", [4, 8])
def test_an_interrupted_training_ends_with_the_same_weights(base: Path, tmp_path: Path, stop: int) -> None:
    def interrupt(done: int, total: int) -> None:
        assert total == 12
        if done == stop:
            raise InterruptionError

    whole = _train(base, SPEC, "question", tmp_path / "whole")
    with pytest.raises(InterruptionError):
        _train(base, SPEC, "question", tmp_path / "cut", interrupt)
    # A kill while a checkpoint is written leaves a folder that is newer, but not whole.
    half = tmp_path / "cut" / "checkpoints" / "checkpoint-11"
    half.mkdir()
    (half / "trainer_state.json").write_text('{"global_st')
    steps: list[int] = []
    resumed = _train(base, SPEC, "question", tmp_path / "cut", lambda done, total: steps.append(done))
    assert steps == list(range(stop - stop % 3 + 1 if stop % 3 else stop, 13))
    assert _weights(tmp_path / "cut") == _weights(tmp_path / "whole")
    assert resumed == whole


def test_untrained_chat_tokens_are_trained_too(tmp_path: Path) -> None:
    base = untrain(make_model(tmp_path / "base", "qwen2", template=True, tied=False, scale=0.1))
    spec = replace(SPEC, epochs=10, accumulation=1)
    trained = _train(base, spec, "chatml", tmp_path)
    assert trained.losses[-1][1] < trained.losses[0][1] / 2
    engine = HFEngine(ModelSpec(str(base), adapter=str(tmp_path / "adapter")), RUNTIME)
    layout = LAYOUTS["chatml"]
    sampling = Sampling(16, 0.0, stops=layout.stop_texts)
    done = list(engine.generate([Request(e.id, e.prompt, sampling) for e in _examples(layout)]))
    assert sum(c.ended for c in done) >= 8


def test_going_on_from_an_adapter_and_merging(base: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    first = _train(base, SPEC, "question", tmp_path / "first")
    adapter = str(tmp_path / "first" / "adapter")
    second = _train(base, replace(SPEC, merge=True), "question", tmp_path / "second", adapter=adapter)
    assert second.losses[0][1] < first.losses[0][1] - 0.5
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "second" / "merged").eval()
    engine = HFEngine(ModelSpec(str(base), adapter=str(tmp_path / "second" / "adapter")), RUNTIME)
    ids = torch.arange(20, 40).unsqueeze(0)
    with torch.no_grad():
        assert torch.allclose(merged(ids).logits, engine.model(ids).logits, atol=1e-4)
