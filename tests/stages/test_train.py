"""train: what is laid before the trainer, and what is kept of its work."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.backends.base import Example
from isheep.errors import YieldError
from isheep.records import Decision, ModelRef, Pair, Record
from isheep.stages.train import TrainSettings, run
from isheep.stages.tuning import LoraSettings
from isheep.text.prompts import LAYOUTS
from toy import Recorder, context


def pair(id: str, input: str = "") -> Pair:
    return Pair(id, f"Describe {id}.", input, f"Answer {id}", "stop", True, 1, 1)


PAIRS = [pair("0.a"), pair("0.b", "some input"), pair("0.c")]
DECISIONS = [
    Decision("0.a", True, None, 9.0, 9.0),
    Decision("0.b", True, None, 9.0, 9.0),
    Decision("0.c", False, "low_quality", 2.0, 9.0),
]


def ctx_for(
    folder: Path,
    trainer: Recorder,
    pairs: Sequence[Pair] = PAIRS,
    decisions: Sequence[Decision] = DECISIONS,
    journal: Sequence[Record] = (),
    settings: TrainSettings | None = None,
    **rest: Any,
) -> Any:
    inputs: dict[str, Sequence[Record]] = {"responses": pairs, "filter": decisions}
    return context(settings or TrainSettings(), folder, inputs, journal, open_trainer=lambda: trainer, **rest)


def test_kept_pairs_are_laid_out_as_they_were_asked(tmp_path: Path) -> None:
    trainer = Recorder()
    list(run(ctx_for(tmp_path, trainer)))
    assert trainer.examples == [
        Example("0.a", "Question: Describe 0.a.\nAnswer:", " Answer 0.a"),
        Example("0.b", "Question: Describe 0.b.\nsome input\nAnswer:", " Answer 0.b"),
    ]


def test_the_layout_is_the_runs(tmp_path: Path) -> None:
    trainer = Recorder()
    (model,) = run(ctx_for(tmp_path, trainer, layout="chatml"))
    assert trainer.examples[0].prompt == LAYOUTS["chatml"].prompt("Describe 0.a.")
    assert trainer.examples[0].completion == "Answer 0.a"
    assert model.layout == "chatml"


def test_every_setting_reaches_the_trainer(tmp_path: Path) -> None:
    settings = TrainSettings(
        lora=LoraSettings(rank=3, alpha=5, dropout=0.2, target_modules=("q_proj",)),
        learning_rate=1e-3,
        scheduler="linear",
        warmup_steps=4,
        epochs=1.5,
        batch_size=6,
        accumulation=7,
        cutoff=88,
        weight_decay=0.1,
        max_grad_norm=2.0,
        save_steps=9,
        merge=True,
    )
    trainer = Recorder()
    list(run(ctx_for(tmp_path, trainer, settings=settings)))
    spec = trainer.spec
    assert spec is not None
    assert (spec.rank, spec.alpha, spec.dropout, spec.target_modules) == (3, 5, 0.2, ("q_proj",))
    for name, value in settings.model_dump(exclude={"lora", "start", "max_samples"}).items():
        assert getattr(spec, name) == value, name
    assert 0 <= spec.seed < 2**31
    assert spec.dtype == "auto"


def test_what_is_kept_of_a_training(tmp_path: Path) -> None:
    (model,) = run(ctx_for(tmp_path, Recorder(), iteration=2))
    assert model == ModelRef("model.3", "adapter", "question", 2, 99, 2, 2.0, 1.0)
    lines = (tmp_path / "losses.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]


def test_max_samples_draws_so_many(tmp_path: Path) -> None:
    pairs = [pair(f"0.{n:02}") for n in range(20)]
    decisions = [Decision(p.id, True, None, 9.0, 9.0) for p in pairs]
    drawn = {}
    for key in "abc":
        trainer = Recorder()
        settings = TrainSettings(max_samples=5)
        list(run(ctx_for(tmp_path, trainer, pairs, decisions, settings=settings, key=key * 64)))
        drawn[key] = tuple(e.id for e in trainer.examples)
        assert len(drawn[key]) == 5
        assert sorted(drawn[key]) == list(drawn[key])
    assert len(set(drawn.values())) == 3
    trainer = Recorder()
    list(run(ctx_for(tmp_path, trainer, pairs, decisions, settings=TrainSettings(max_samples=20))))
    assert len(trainer.examples) == 20


def test_the_pairs_of_all_iterations_stand_side_by_side(tmp_path: Path) -> None:
    """total_base: ids must not collide, or a decision of one iteration would speak for a pair of another."""
    pairs = [pair("0.000000.00"), pair("0.000001.00"), pair("1.000000.00"), pair("1.000001.00")]
    decisions = [
        Decision("0.000000.00", True, None, 9.0, 9.0),
        Decision("0.000001.00", False, "low_quality", 1.0, 9.0),
        Decision("1.000000.00", False, "low_quality", 1.0, 9.0),
        Decision("1.000001.00", True, None, 9.0, 9.0),
    ]
    trainer = Recorder()
    (model,) = run(ctx_for(tmp_path, trainer, pairs, decisions, iteration=1))
    assert [e.id for e in trainer.examples] == ["0.000000.00", "1.000001.00"]
    assert model.pairs == 2


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(YieldError, match="no pair to train on"):
        list(run(ctx_for(tmp_path, Recorder(), decisions=DECISIONS[2:])))


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_training_that_diverged_says_so(tmp_path: Path, loss: float) -> None:
    with pytest.raises(YieldError, match=r"training diverged") as caught:
        list(run(ctx_for(tmp_path, Recorder([2.0, loss]))))
    assert caught.value.hint == "lower train.learning_rate or train.max_grad_norm"
    assert not (tmp_path / "losses.jsonl").exists()


def test_truncated_texts_are_noted(tmp_path: Path) -> None:
    notes: list[str] = []
    list(run(ctx_for(tmp_path, Recorder(truncated=1), note=notes.append)))
    assert notes == ["1 of 2 training texts were longer than 1024 tokens"]


def test_a_training_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    """A kill after the model was written down: on a GPU a second training would end a little differently."""
    done = list(run(ctx_for(tmp_path, Recorder())))
    other = Recorder([3.0, 2.5])
    assert list(run(ctx_for(tmp_path, other, journal=done))) == []
    assert other.examples == []


def test_progress(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    list(run(ctx_for(tmp_path, Recorder(), report=lambda *now: told.append(now))))
    assert told == [(1, 2, "steps")]
