"""What every trainer promises. A new trainer adds one line to TRAINERS_AT_HAND."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from isheep.backends import open_engine, open_trainer
from isheep.backends.base import (
    Example,
    ModelSpec,
    Preferred,
    Request,
    Runtime,
    Sampling,
    Trained,
    Trainer,
    TrainSpec,
)
from isheep.errors import BackendError
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
PREFERRED = [
    Preferred(e.id, e.prompt, LAYOUT.completion("warm tall sheep"), e.completion) for e in EXAMPLES[:10]
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
#: 3 steps an epoch, 12 in all.
PREFER_SPEC = replace(SPEC, epochs=4, learning_rate=1e-2)
RUNTIME = Runtime(device="cpu", threads=1)


@dataclass(frozen=True)
class Case:
    kind: str
    model: ModelSpec
    folder: Path
    trained: Trained
    progress: list[tuple[int, int]]

    def trainer(self, adapter: Path | None = None) -> Trainer:
        model = replace(self.model, adapter=str(adapter) if adapter else None)
        return open_trainer(self.kind, model, RUNTIME)

    def train(self, folder: Path, spec: TrainSpec = SPEC, examples: list[Example] = EXAMPLES) -> Path:
        self.trainer().train(examples, spec, LAYOUT, folder, lambda done, total: None)
        return folder / "adapter"

    def write(self, adapter: Path | None) -> list[Completion]:
        model = replace(self.model, adapter=str(adapter) if adapter else None)
        engine = open_engine(TRAINERS_AT_HAND[self.kind][0], model, RUNTIME)
        sampling = Sampling(99, temperature=0.0, stops=LAYOUT.stop_texts)
        done = engine.generate([Request(e.id, e.prompt, sampling) for e in EXAMPLES])
        return sorted(done, key=lambda c: c.id)


@pytest.fixture(scope="module", params=list(TRAINERS_AT_HAND))
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    _, options = TRAINERS_AT_HAND[request.param]
    base = "any" if options is None else str(make_model(tmp_path_factory.mktemp("model"), **options))
    model, folder = ModelSpec(base, name="lamb"), tmp_path_factory.mktemp("trained")
    trainer, progress = open_trainer(request.param, model, RUNTIME), []
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
    assert _files(one) == _files(two)
    assert _files(one) != _files(other)


def test_nothing_to_train_on_is_said(case: Case, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="nothing to train on"):
        case.train(tmp_path, examples=[])


@dataclass(frozen=True)
class Preferring:
    """A preference training that goes on from the case's adapter."""

    case: Case
    folder: Path
    trained: Trained
    progress: list[tuple[int, int]]

    def again(
        self,
        folder: Path,
        spec: TrainSpec = PREFER_SPEC,
        beta: float = 0.1,
        examples: list[Preferred] = PREFERRED,
        fresh: bool = False,
    ) -> dict[str, bytes]:
        trainer = self.case.trainer(None if fresh else self.case.folder / "adapter")
        trainer.prefer(examples, spec, beta, LAYOUT, folder, lambda done, total: None)
        return _files(folder / "adapter")


@pytest.fixture(scope="module")
def preferring(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Preferring:
    trainer, folder = case.trainer(case.folder / "adapter"), tmp_path_factory.mktemp("preferred")
    progress: list[tuple[int, int]] = []
    trained = trainer.prefer(
        PREFERRED, PREFER_SPEC, 0.1, LAYOUT, folder, lambda done, total: progress.append((done, total))
    )
    trainer.close()
    return Preferring(case, folder, trained, progress)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_report_of_preferring(preferring: Preferring) -> None:
    trained = preferring.trained
    assert trained.steps == 12
    assert [step for step, _ in trained.losses] == list(range(1, 13))
    assert trained.losses[0][1] == pytest.approx(math.log(2), abs=1e-6)
    assert trained.losses[-1][1] < trained.losses[0][1] / 2
    assert trained.truncated == 0
    assert preferring.progress == [(step, 12) for step in range(1, 13)]


def test_tokens_count_both_answers_behind_their_prompt(preferring: Preferring, tmp_path: Path) -> None:
    """Fine-tuning on either answer reads the same prompt and that answer: together as much as preferring."""
    either = [
        Example(f"{e.id}{n}", e.prompt, a) for e in PREFERRED for n, a in enumerate((e.chosen, e.rejected))
    ]
    spec = replace(PREFER_SPEC, epochs=1)
    trained = preferring.case.trainer().train(either, spec, LAYOUT, tmp_path, lambda done, total: None)
    assert preferring.trained.tokens == trained.tokens * PREFER_SPEC.epochs


def test_truncated_counts_examples(preferring: Preferring, tmp_path: Path) -> None:
    longer = [*PREFERRED, Preferred("long", LAYOUT.prompt("Say"), "a " * 200, "b " * 300)]
    trainer = preferring.case.trainer()
    spec = replace(PREFER_SPEC, epochs=1)
    trained = trainer.prefer(longer, spec, 0.1, LAYOUT, tmp_path, lambda done, total: None)
    assert trained.truncated == 1


def test_preferring_leaves_an_adapter_alone_and_the_given_one_as_it_was(preferring: Preferring) -> None:
    case = preferring.case
    assert [path.name for path in preferring.folder.iterdir()] == ["adapter"]
    given, made = _files(case.folder / "adapter"), _files(preferring.folder / "adapter")
    assert given.keys() == made.keys()
    assert given != made
    assert json.loads(made["adapter_config.json"])["base_model_name_or_path"] == "lamb"
    assert str(preferring.folder.parent).encode() not in made["adapter_config.json"]


def test_what_is_preferred_changes_what_is_written(preferring: Preferring) -> None:
    before = preferring.case.write(preferring.case.folder / "adapter")
    after = preferring.case.write(preferring.folder / "adapter")
    assert [c.text for c in before] != [c.text for c in after]


def test_same_preferences_same_bytes_and_all_that_is_given_counts(
    preferring: Preferring, tmp_path: Path
) -> None:
    assert preferring.again(tmp_path / "same") == _files(preferring.folder / "adapter")
    swapped = [replace(e, chosen=e.rejected, rejected=e.chosen) for e in PREFERRED]
    others = [
        preferring.again(tmp_path / "beta", beta=0.2),
        preferring.again(tmp_path / "seed", replace(PREFER_SPEC, seed=6)),
        preferring.again(tmp_path / "examples", examples=swapped),
        preferring.again(tmp_path / "fresh", fresh=True),
        _files(preferring.folder / "adapter"),
    ]
    assert len({tuple(sorted(files.items())) for files in others}) == len(others)


def test_nothing_to_prefer_is_said(preferring: Preferring, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="nothing to train on"):
        preferring.again(tmp_path, examples=[])


def test_the_size_is_known(preferring: Preferring) -> None:
    """With a given adapter from the start; it is what the ledger's FLOPs are reckoned with."""
    bare, given = (preferring.case.trainer(a).parameters for a in (None, preferring.case.folder / "adapter"))
    assert bare is not None
    assert given is not None
    assert given >= bare > 0
    if preferring.case.kind == "fake":
        assert given == 1000


def test_it_is_a_trainer(preferring: Preferring) -> None:
    assert isinstance(preferring.case.trainer(), Trainer)
