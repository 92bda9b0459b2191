"""Training in processes of its own: two on a CPU learn what one learns, and whatever fails in them is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from peft import load_peft_weights

from isheep.backends import obstacles, open_trainer
from isheep.backends.base import Example, ModelSpec, Runtime, Trained, TrainSpec
from isheep.errors import BackendError
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model

LAYOUT = LAYOUTS["question"]
EXAMPLES = [
    Example(f"e{n:02}", LAYOUT.prompt(f"Say {n * 37} sheep"), LAYOUT.completion("cold sheep " * (1 + n % 3)))
    for n in range(12)
]
SPEC = TrainSpec(
    rank=4, alpha=8, dropout=0.0, target_modules="all-linear", learning_rate=1e-2, scheduler="cosine", warmup_steps=1,
    epochs=2, batch_size=2, accumulation=2, cutoff=64, weight_decay=0.0, max_grad_norm=1.0, save_steps=50, merge=False,
    seed=5,
)  # fmt: skip
TWO = Runtime(device="cpu", threads=1, launch="torchrun --nproc-per-node 2")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    return ModelSpec(str(make_model(tmp_path_factory.mktemp("base"), arch="llama", scale=0.1, pad="<|end|>")))


def train(
    base: ModelSpec, runtime: Runtime, folder: Path, spec: TrainSpec = SPEC
) -> tuple[Trained, list[int]]:
    trainer = open_trainer("trl", base, runtime)
    told: list[int] = []
    folder.mkdir(exist_ok=True)
    try:
        return trainer.train(EXAMPLES, spec, LAYOUT, folder, lambda done, total: told.append(done)), told
    finally:
        trainer.close()


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(base: ModelSpec, tmp_path: Path) -> None:
    one, _ = train(base, Runtime(device="cpu", threads=1), tmp_path / "one")
    two, told = train(base, TWO, tmp_path / "two")
    # One process that took the work of two would need twice the steps, each with half the examples.
    assert (two.steps, two.tokens, two.truncated) == (one.steps, one.tokens, one.truncated)
    assert told[-1] == one.steps
    assert [step for step, _ in two.losses] == [step for step, _ in one.losses]
    assert [loss for _, loss in two.losses] == pytest.approx([loss for _, loss in one.losses], abs=2e-4)
    mine, other = (
        load_peft_weights(str(tmp_path / name / "adapter"), device="cpu") for name in ("one", "two")
    )
    assert mine.keys() == other.keys()
    for name, weights in mine.items():
        assert other[name].numpy() == pytest.approx(weights.numpy(), abs=2e-3)
    assert not list((tmp_path / "two").glob("checkpoints"))


@pytest.mark.slow
def test_an_error_in_the_processes_comes_back(base: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"accumulation"):
        train(base, TWO, tmp_path / "odd", replace(SPEC, accumulation=3))


def test_what_cannot_work_is_known_before_the_run(base: ModelSpec) -> None:
    def told(launch: str, *needs: str) -> list[str]:
        return obstacles("trainer", "trl", base, replace(TWO, launch=launch), {"train", *needs})

    assert told("torchrun --nproc-per-node 2", "accumulation 16") == []
    (sentence,) = told("torchrun --nproc-per-node 3", "accumulation 16")
    assert "accumulation" in sentence
    assert any("no program 'torchrunn'" in found for found in told("torchrunn --nproc-per-node 2"))
    assert any("fsdp2_9" in found for found in told("fsdp2_9"))
