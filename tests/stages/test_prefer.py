"""prefer, and what it shares with train: what reaches the trainer, and what is made of its report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.backends.base import ModelSpec, Preferred, Trained
from isheep.errors import YieldError
from isheep.records import ModelRef, Preference, Record
from isheep.stages.prefer import PreferSettings, run
from isheep.stages.stage import Context
from isheep.stages.train import TrainSettings
from isheep.stages.tuning import LoraSettings, OptimiserSettings, finish, spec
from isheep.text.prompts import LAYOUTS
from toy import Recorder, context

FOUND = [
    Preference("0.a", "Name a colour.", "", "Red.", "Seven.", 9.0, 2.0),
    Preference("0.b", "Give the plural.", "cow", "cows", "cow", 8.0, 5.0),
]


def ctx_for(
    folder: Path,
    trainer: Any,
    journal: Sequence[Record] = (),
    settings: PreferSettings | None = None,
    **rest: Any,
) -> Context[Any]:
    given = {"preferences": FOUND}
    opened = {"open_trainer": lambda: trainer} if trainer else {}
    return context(settings or PreferSettings(), folder, given, journal, **opened, **rest)


def test_both_answers_stand_behind_the_request_as_it_was_asked(tmp_path: Path) -> None:
    trainer = Recorder()
    list(run(ctx_for(tmp_path, trainer)))
    assert trainer.preferred == [
        Preferred("0.a", "Question: Name a colour.\nAnswer:", " Red.", " Seven."),
        Preferred("0.b", "Question: Give the plural.\ncow\nAnswer:", " cows", " cow"),
    ]
    assert trainer.examples == []


def test_the_layout_is_the_runs(tmp_path: Path) -> None:
    trainer = Recorder()
    (model,) = run(ctx_for(tmp_path, trainer, layout="chatml"))
    assert trainer.preferred[1].prompt == LAYOUTS["chatml"].prompt("Give the plural.", "cow")
    assert trainer.preferred[1].chosen == "cows"
    assert isinstance(model, ModelRef)
    assert model.layout == "chatml"


def test_every_setting_reaches_the_trainer(tmp_path: Path) -> None:
    settings = PreferSettings(
        beta=0.3, learning_rate=1e-6, scheduler="linear", warmup_steps=4, epochs=1.5, batch_size=6,
        accumulation=7, cutoff=88, weight_decay=0.1, max_grad_norm=2.0, save_steps=9,
    )  # fmt: skip
    trainer = Recorder()
    list(run(ctx_for(tmp_path, trainer, settings=settings)))
    assert trainer.beta == 0.3
    assert trainer.spec is not None
    for name, value in settings.model_dump(exclude={"beta"}).items():
        assert getattr(trainer.spec, name) == value, name
    assert (trainer.spec.rank, trainer.spec.alpha, trainer.spec.merge) == (8, 16, False)


def test_it_learns_more_gently_than_train() -> None:
    assert PreferSettings().learning_rate < TrainSettings().learning_rate
    assert PreferSettings().epochs < TrainSettings().epochs


def test_what_is_kept_of_it(tmp_path: Path) -> None:
    (model,) = run(ctx_for(tmp_path, Recorder([0.7, 0.4]), iteration=2))
    assert model == ModelRef("model.3", "adapter", "question", 2, 99, 2, 0.7, 0.4)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    done = list(run(ctx_for(tmp_path, Recorder())))
    other = Recorder()
    assert list(run(ctx_for(tmp_path, other, journal=done))) == []
    assert other.preferred == []


def test_a_preference_training_that_diverged_names_its_own_setting(tmp_path: Path) -> None:
    with pytest.raises(YieldError) as caught:
        list(run(ctx_for(tmp_path, Recorder([0.7, float("nan")]))))
    assert caught.value.hint == "lower prefer.learning_rate or prefer.max_grad_norm"


def test_the_fake_trainer_takes_them(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    (model,) = run(ctx_for(tmp_path, None, report=lambda *now: told.append(now)))
    assert isinstance(model, ModelRef)
    assert model.pairs == 2
    assert (tmp_path / model.adapter / "adapter_config.json").is_file()
    assert told[-1] == (model.steps, model.steps, "steps")


# what every fine-tuning shares


def trained(*losses: float, truncated: int = 0) -> Trained:
    return Trained(tuple(enumerate(losses, 1)), len(losses), 70, truncated)


def finished(folder: Path, report: Trained, notes: list[str] | None = None) -> ModelRef:
    ctx = context(TrainSettings(), folder, note=[].append if notes is None else notes.append)
    return finish(ctx, report, LAYOUTS["qa"], 5, 77, "train")


def test_the_losses_are_written_step_by_step(tmp_path: Path) -> None:
    assert finished(tmp_path, trained(3.0, 2.0, 1.5)) == ModelRef(
        "model.1", "adapter", "qa", 5, 70, 3, 3.0, 1.5
    )
    lines = (tmp_path / "losses.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 3, "loss": 1.5},
    ]  # fmt: skip


def test_a_training_without_losses_has_none(tmp_path: Path) -> None:
    model = finished(tmp_path, trained())
    assert (model.first_loss, model.last_loss) == (None, None)
    assert (tmp_path / "losses.jsonl").read_text(encoding="utf-8").split() == []


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_no_number_leaves_no_model(tmp_path: Path, loss: float) -> None:
    notes: list[str] = []
    with pytest.raises(YieldError, match="training diverged: the loss is not a number"):
        finished(tmp_path, trained(3.0, loss, 2.0, truncated=1), notes)
    assert notes == ["1 of 5 training texts were longer than 77 tokens"]
    assert not (tmp_path / "losses.jsonl").exists()


def test_the_spec_has_the_models_own_number_type_and_the_steps_seed(tmp_path: Path) -> None:
    made = [
        spec(
            context(TrainSettings(), tmp_path, key=key * 64, model=ModelSpec("x", dtype="bfloat16")),
            OptimiserSettings(), LoraSettings(rank=2), merge=True,
        )
        for key in "aab"
    ]  # fmt: skip
    assert made[0] == made[1]
    assert made[0].seed != made[2].seed
    assert (made[0].dtype, made[0].rank, made[0].merge) == ("bfloat16", 2, True)
