"""DPO: which rows TRL is given, what the reference is, that an interruption leaves no trace, and that lamb prefers."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isheep.backends.base import Example, ModelSpec, Preferred, Runtime, Trained, TrainSpec
from isheep.backends.hf import HFEngine
from isheep.backends.trl import TRLTrainer
from isheep.backends.trl_prefer import PreferenceTrainer
from isheep.backends.trl_rows import tokenise, tokenise_preferred
from isheep.errors import BackendError
from isheep.lamb import authors, world
from isheep.text.prompts import LAYOUTS, Layout
from tiny_models import make_model, make_tokenizer, untrain

WORDS = ["red", "blue", "green", "white", "black", "small", "tall", "cold", "warm", "sheep"]
RUNTIME = Runtime(device="cpu", threads=1)
SPEC = TrainSpec(16, 64, 0.1, "all-linear", 1e-2, "cosine", 2, 4, 2, 2, 128, 0.0, 1.0, 3, False, 5)
BETA = 0.3


def _preferred(layout: Layout) -> list[Preferred]:
    """Answers of different lengths, so that every batch is padded."""
    return [
        Preferred(w, layout.prompt(f"Say {w}"), layout.completion(w), layout.completion("to cold " + w * n))
        for n, w in enumerate(WORDS, 1)
    ]


@dataclass(frozen=True)
class Given:
    """A model to start from: a base, an adapter that fine-tuning left on it, or none."""

    base: Path
    adapter: str | None
    layout: Layout

    def trainer(self) -> TRLTrainer:
        return TRLTrainer(ModelSpec(str(self.base), adapter=self.adapter), RUNTIME)

    def prefer(self, folder: Path, progress: Any = None, **changes: Any) -> Trained:
        spec = replace(SPEC, **changes)
        follow = progress or (lambda done, total: None)
        return self.trainer().prefer(_preferred(self.layout), spec, BETA, self.layout, folder, follow)

    def engine(self, adapter: str | None) -> HFEngine:
        return HFEngine(ModelSpec(str(self.base), adapter=adapter), RUNTIME)


def _given(folder: Path, kind: str) -> Given:
    if kind.startswith(
        "chatml"
    ):  # the layout's tokens were never trained: the adapter holds rows of their own
        base = untrain(make_model(folder / "base", "qwen2", True, tied="untied" not in kind, scale=0.1))
        layout = LAYOUTS["chatml"]
    else:
        base, layout = make_model(folder / "base", template=True, scale=0.1), LAYOUTS["question"]
    if kind == "fresh":
        return Given(base, None, layout)
    trainer = TRLTrainer(ModelSpec(str(base)), RUNTIME)
    examples = [Example(p.id, p.prompt, p.rejected) for p in _preferred(layout)]
    trainer.train(examples, SPEC, layout, folder, lambda done, total: None)
    return Given(base, str(folder / "adapter"), layout)


@pytest.fixture(scope="module", params=["adapter", "fresh", "chatml", "chatml untied"])
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Given:
    return _given(tmp_path_factory.mktemp("start"), request.param)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What the trainer works on and what it logs, in order."""
    kept: dict[str, list[Any]] = {"batches": [], "logs": []}
    compute, log = PreferenceTrainer.compute_loss, PreferenceTrainer.log

    def compute_loss(self: Any, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        kept["batches"].append(inputs)
        return compute(self, model, inputs, *args, **kwargs)

    def keep_log(self: Any, logs: dict[str, float], *args: Any) -> None:
        log(self, logs, *args)
        kept["logs"].append(logs)

    monkeypatch.setattr(PreferenceTrainer, "compute_loss", compute_loss)
    monkeypatch.setattr(PreferenceTrainer, "log", keep_log)
    return kept


_TOKENIZERS = [make_tokenizer(bos=True), make_tokenizer(template=True, digits="merged", pad="<|end|>")]
_TEXT = st.text(alphabet="ab 1:\n<é", max_size=8)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(_TOKENIZERS),
    st.sampled_from(["question", "chatml", "plain"]),
    st.lists(st.tuples(_TEXT, _TEXT, _TEXT), min_size=1, max_size=4),
    st.integers(3, 40),
)
def test_rows_are_those_of_fine_tuning(
    tokenizer: Any, name: str, texts: Sequence[tuple[str, str, str]], cutoff: int
) -> None:
    """Prompt and answer joined, the border between them, and what is cut or dropped: all as `train` has it."""
    # No layout's own spaces here: prompts end anywhere, so that the tokenizer may merge over the border.
    layout = LAYOUTS[name]
    examples = [Preferred(str(n), f"Q{p}", c, r) for n, (p, c, r) in enumerate(texts)]
    try:
        rows, truncated = tokenise_preferred(tokenizer, examples, layout, cutoff)
    except BackendError:
        rows, truncated = [], -1
    cut: set[str] = set()
    for answer, key in ((lambda e: e.chosen, "chosen_ids"), (lambda e: e.rejected, "rejected_ids")):
        try:
            expected, _ = tokenise(
                tokenizer, [Example(e.id, e.prompt, answer(e)) for e in examples], layout, cutoff
            )
        except BackendError:
            assert truncated == -1
            return
        for e in examples:
            ((whole,), _) = tokenise(tokenizer, [Example(e.id, e.prompt, answer(e))], layout, 999)
            cut |= {e.id} if len(whole["input_ids"]) > cutoff else set()
        found = [
            {
                "input_ids": row["prompt_ids"] + row[key],
                "completion_mask": [0] * len(row["prompt_ids"]) + [1] * len(row[key]),
            }
            for row in rows
        ]
        assert found == expected
    assert truncated == len(cut)


@pytest.mark.parametrize("name", ["question", "chatml"])
def test_the_labels_the_trainer_sees_are_those_of_fine_tuning(
    tmp_path: Path, seen: dict[str, list[Any]], name: str
) -> None:
    """With a begin token that must not be doubled, and pad == eos, the trap in which models forget to stop."""
    layout = LAYOUTS[name]
    base = make_model(tmp_path / "base", scale=0.1, bos=True, pad="<|end|>", chat_tokens=True)
    trainer = TRLTrainer(ModelSpec(str(base)), RUNTIME)
    examples = _preferred(layout)
    once = replace(SPEC, epochs=1, batch_size=3)
    trainer.prefer(examples, once, BETA, layout, tmp_path / "out", lambda done, total: None)
    tokenizer = make_tokenizer(bos=True, pad="<|end|>", chat_tokens=True)
    expected = []
    for answers in ([e.chosen for e in examples], [e.rejected for e in examples]):
        texts = [Example(e.id, e.prompt, a) for e, a in zip(examples, answers, strict=True)]
        rows = tokenise(tokenizer, texts, layout, 999)[0]
        expected.append([(row["input_ids"], row["completion_mask"]) for row in rows])
    found: list[list[Any]] = [[], []]
    for batch in seen["batches"]:
        half = len(batch["input_ids"]) // 2
        for n, (ids, mask, attended) in enumerate(
            zip(batch["input_ids"], batch["completion_mask"], batch["attention_mask"], strict=True)
        ):
            real = int(attended.sum())
            assert attended[:real].all()
            assert not mask[real:].any()
            found[n >= half].append((ids[:real].tolist(), mask[:real].tolist()))
    order = [expected[0].index(row) for row in found[0]]
    assert sorted(order) == list(range(len(examples)))
    assert found[1] == [expected[1][n] for n in order]
    assert all(ids.count(tokenizer.bos_token_id) == 1 for ids, _ in found[0] + found[1])


def test_before_the_first_step_policy_and_reference_are_one(
    start: Given, tmp_path: Path, seen: dict[str, list[Any]]
) -> None:
    """So the reference is the model as given, not the bare base: otherwise the first loss would not be log 2."""
    trained = start.prefer(tmp_path)
    assert trained.losses[0][1] == float(torch.tensor(math.log(2), dtype=torch.float32))
    assert seen["logs"][0]["rewards/chosen"] == seen["logs"][0]["rewards/rejected"] == 0.0
    assert trained.losses[-1][1] < 0.3
    assert seen["logs"][-2]["rewards/margins"] > 1
    steps = math.ceil(math.ceil(len(WORDS) / SPEC.batch_size) / SPEC.accumulation) * SPEC.epochs
    assert trained.steps == steps == trained.losses[-1][0]
    tokens = sum(int(b["attention_mask"].sum()) for b in seen["batches"])
    assert (trained.tokens, trained.truncated) == (tokens, 0)


class InterruptionError(Exception):
    pass


def _interrupted(start: Given, folder: Path, stop: int, **changes: Any) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == stop:
            raise InterruptionError

    with pytest.raises(InterruptionError):
        start.prefer(folder, interrupt, **changes)


def test_the_reference_stays_where_it_stood(start: Given, tmp_path: Path) -> None:
    """The second loss by hand: policy is the first checkpoint, reference the model as given."""
    changes: dict[str, Any] = {
        "batch_size": 10, "accumulation": 1, "epochs": 2, "save_steps": 1, "warmup_steps": 0,
    }  # fmt: skip
    _interrupted(start, tmp_path, 2, **changes)
    first = tmp_path / "first"
    shutil.copytree(tmp_path / "checkpoints" / "checkpoint-1", first)
    trained = start.prefer(tmp_path, **changes)
    moved, stood = start.engine(str(first)), start.engine(start.adapter)
    losses = [
        -math.log(
            1 / (1 + math.exp(-BETA * (_margin(moved, start.layout, e) - _margin(stood, start.layout, e))))
        )
        for e in _preferred(start.layout)
    ]
    assert trained.losses[1][1] == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    assert trained.losses[1][1] < trained.losses[0][1] - 0.05


def _margin(engine: HFEngine, layout: Layout, example: Preferred) -> float:
    """log p(chosen) - log p(rejected), ends included."""
    return _likelihood(engine, layout, example.prompt, example.chosen) - _likelihood(
        engine, layout, example.prompt, example.rejected
    )


def _likelihood(engine: HFEngine, layout: Layout, prompt: str, answer: str) -> float:
    (row,), _ = tokenise(engine.tokenizer, [Example("", prompt, answer)], layout, 999)
    ids = torch.tensor([row["input_ids"]])
    with torch.no_grad():
        logs = engine.model(ids).logits[0].double().log_softmax(-1)
    return float(sum(logs[at - 1, ids[0, at]] for at, learn in enumerate(row["completion_mask"]) if learn))


def test_an_interrupted_training_ends_with_the_same_weights(start: Given, tmp_path: Path) -> None:
    whole = start.prefer(tmp_path / "whole")
    _interrupted(start, tmp_path / "cut", 5)
    steps: list[int] = []
    resumed = start.prefer(tmp_path / "cut", lambda done, total: steps.append(done))
    assert steps == list(range(4, 13))
    assert resumed == whole
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["adapter"]
    names = sorted(path.name for path in (tmp_path / "whole" / "adapter").iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors"]
    for name in names:
        one, two = ((tmp_path / run / "adapter" / name).read_bytes() for run in ("whole", "cut"))
        assert one == two


def test_the_shape_is_the_given_adapters_and_merging_is_honoured(start: Given, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    start.prefer(tmp_path, merge=True, rank=4)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["r"] == (4 if start.adapter is None else SPEC.rank)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    engine = start.engine(str(tmp_path / "adapter"))
    ids = torch.arange(20, 40).unsqueeze(0)
    with torch.no_grad():
        assert torch.allclose(merged(ids).logits, engine.model(ids).logits, atol=1e-4)


def test_parameters_are_those_of_base_and_adapter(start: Given, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    base = sum(p.numel() for p in start.engine(None).model.parameters())
    trainer = start.trainer()
    before = trainer.parameters
    spec = replace(SPEC, epochs=1)
    trainer.prefer(_preferred(start.layout), spec, BETA, start.layout, tmp_path, lambda done, total: None)
    adapter = sum(t.numel() for t in load_file(tmp_path / "adapter" / "adapter_model.safetensors").values())
    assert trainer.parameters == base + adapter
    assert before == (base if start.adapter is None else base + adapter)


def test_what_the_base_is_called_is_not_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter names its base as others know it; that name may be anybody's on the hub."""
    monkeypatch.setattr(
        "peft.utils.save_and_load.check_file_exists_on_hf_hub", lambda *args: pytest.fail("looked up")
    )
    start = _given(tmp_path, "adapter")
    config = Path(str(start.adapter)) / "adapter_config.json"
    config.write_text(config.read_text().replace(str(start.base), "lamb"))
    _interrupted(start, tmp_path / "out", 5)
    start.prefer(tmp_path / "out")
    assert str(start.base) in (tmp_path / "out" / "adapter" / "adapter_config.json").read_text()


def _of_the_world(layout: Layout) -> list[Preferred]:
    """A right answer against the family's typical mistake, or the answer to another question."""
    rng, found = Random(3), []
    for n, question in enumerate(world.spread(40, 3, held_out=False)):
        wrong, sort = authors.slip(rng, question)
        if sort == authors.RIGHT:
            wrong = authors.stray(rng, question)
        prompt = layout.prompt(question.instruction, question.input)
        found.append(Preferred(f"p{n}", prompt, layout.completion(question.right), layout.completion(wrong)))
    return found


def test_lamb_comes_to_prefer_right_answers(tmp_path: Path) -> None:
    import isheep.lamb

    base = ModelSpec(str(Path(isheep.lamb.__file__).parent / "model"))
    trainer = TRLTrainer(base, RUNTIME)
    layout = trainer.layout("question")
    examples = _of_the_world(layout)
    spec = replace(SPEC, rank=8, alpha=16, learning_rate=2e-3, epochs=3, batch_size=8, accumulation=1)
    trainer.prefer(examples, spec, 0.1, layout, tmp_path, lambda done, total: None)
    engines = (HFEngine(model, RUNTIME) for model in (base, replace(base, adapter=str(tmp_path / "adapter"))))
    before, after = ([_margin(engine, layout, e) for e in examples] for engine in engines)
    assert sum(b < a for b, a in zip(before, after, strict=True)) >= 36
    assert sum(after) / len(after) > sum(before) / len(before) + 2
