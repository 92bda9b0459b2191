"""What every trainer promises. A new trainer adds one line to TRAINERS_AT_HAND."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from isheep.backends import open_engine, open_trainer
from isheep.backends.base import Example, ModelSpec, Request, Runtime, Sampling, Trained, TrainSpec
from isheep.records import Completion
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model

#: trainer -> (the engine that runs its adapters, what to build for it)
TRAINERS_AT_HAND = {
    "fake": ("fake", None),
    "trl": ("hf", {"arch": "llama", "scale": 0.1, "pad": "<|end|>"}),
}
LAYOUT = LAYOUTS["question"]
EXAMPLES = [
    Example(f"e{n:02}", LAYOUT.prompt(f"Say {n * 37} sheep"), LAYOUT.completion("to cold sheep"))
    for n in range(20)
]
SPEC = TrainSpec(
    rank=16,
    alpha=64,
    dropout=0.05,
    target_modules="all-linear",
    learning_rate=1e-2,
    scheduler="cosine",
    warmup_steps=2,
    epochs=10,
    batch_size=4,
    accumulation=1,
    cutoff=64,
    weight_decay=0.0,
    max_grad_norm=1.0,
    save_steps=20,
    merge=False,
    seed=5,
)


@dataclass(frozen=True)
class Case:
    kind: str
    model: ModelSpec
    folder: Path
    trained: Trained
    progress: list[tuple[int, int]]

    def train(self, folder: Path, spec: TrainSpec = SPEC, examples: list[Example] = EXAMPLES) -> Path:
        trainer = open_trainer(self.kind, self.model, Runtime(device="cpu", threads=1))
        trainer.train(examples, spec, LAYOUT, folder, lambda done, total: None)
        return folder / "adapter"

    def write(self, adapter: Path | None) -> list[Completion]:
        model = replace(self.model, adapter=str(adapter) if adapter else None)
        engine = open_engine(TRAINERS_AT_HAND[self.kind][0], model, Runtime(device="cpu", threads=1))
        sampling = Sampling(99, temperature=0.0, stops=LAYOUT.stop_texts)
        done = engine.generate([Request(e.id, e.prompt, sampling) for e in EXAMPLES])
        return sorted(done, key=lambda c: c.id)


@pytest.fixture(scope="module", params=list(TRAINERS_AT_HAND))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    _, options = TRAINERS_AT_HAND[request.param]
    base = "any" if options is None else str(make_model(tmp_path_factory.mktemp("model"), **options))
    model, folder = ModelSpec(base, name="lamb"), tmp_path_factory.mktemp("trained")
    trainer, progress = open_trainer(request.param, model, Runtime(device="cpu", threads=1)), []
    trained = trainer.train(
        EXAMPLES, SPEC, LAYOUT, folder, lambda done, total: progress.append((done, total))
    )
    trainer.close()
    return Case(request.param, model, folder, trained, progress)


def test_the_report(case: Case) -> None:
    assert case.trained.steps == 50
    assert [step for step, _ in case.trained.losses] == sorted({step for step, _ in case.trained.losses})
    assert case.trained.losses[-1][0] == case.trained.steps
    assert case.trained.losses[-1][1] < case.trained.losses[0][1] / 2
    assert case.trained.tokens > 0
    assert case.trained.truncated == 0
    assert case.progress[-1] == (50, 50)


def test_only_the_adapter_is_left(case: Case) -> None:
    assert [path.name for path in case.folder.iterdir()] == ["adapter"]
    assert not list((case.folder / "adapter").glob("*.md"))


def test_the_adapter_names_its_base_without_a_path(case: Case) -> None:
    text = (case.folder / "adapter" / "adapter_config.json").read_text()
    assert json.loads(text)["base_model_name_or_path"] == "lamb"
    assert str(case.folder.parent) not in text


def test_the_adapter_changes_the_model(case: Case) -> None:
    before, after = case.write(None), case.write(case.folder / "adapter")
    assert [c.text for c in before] != [c.text for c in after]


def test_the_trained_model_stops_by_itself(case: Case) -> None:
    ended = [c.ended for c in case.write(case.folder / "adapter")]
    assert sum(ended) >= 0.8 * len(ended)


def test_same_training_same_bytes(case: Case, tmp_path: Path) -> None:
    short = replace(SPEC, epochs=2)
    one, two = case.train(tmp_path / "one", short), case.train(tmp_path / "two", short)
    other = case.train(tmp_path / "other", replace(short, seed=6))

    def files(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    assert files(one) == files(two)
    assert files(one) != files(other)


def test_nothing_to_train_on_is_said(case: Case, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nothing to train on"):
        case.train(tmp_path, examples=[])
