"""Two processes learn what one does: the same batches, the same losses, the same adapter. On a CPU, over gloo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from forked_training import Ended, fork
from isheep.backends.base import Example, ModelSpec, Preferred, Runtime, Trained, TrainSpec
from isheep.backends.trl import TRLTrainer
from isheep.backends.trl_child import Job
from isheep.backends.trl_files import write_adapter
from isheep.backends.trl_share import Dealt, blanks, trained_weights
from isheep.text.prompts import LAYOUTS
from tiny_models import make_model, untrain

WORDS = ["red", "blue", "green", "white", "black", "small", "tall", "cold", "warm", "sheep"]
RUNTIME = Runtime(device="cpu", threads=1)
LAYOUT = LAYOUTS["question"]
#: Without dropout, which draws other numbers in another process. 5 batches of 2 an epoch, 2 a step: the third step of
#: each epoch has one batch for two processes.
SPEC = TrainSpec(4, 8, 0.0, "all-linear", 1e-2, "cosine", 2, 2, 2, 2, 128, 0.0, 1.0, 2, False, 5)
EXAMPLES = [
    Example(w, LAYOUT.prompt(f"Say {w}"), LAYOUT.completion("to cold sheep " * (n % 3 + 1)))
    for n, w in enumerate(WORDS)
]
PREFERRED = [
    Preferred(w, LAYOUT.prompt(f"Say {w}"), LAYOUT.completion(w), LAYOUT.completion("to cold " + w * n))
    for n, w in enumerate(WORDS, 1)
]
#: What `accelerate launch --config_file fsdp2_4.yaml` tells its processes.
FSDP2 = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_OFFLOAD_PARAMS": "false",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_ACTIVATION_CHECKPOINTING": "false",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("base"), scale=0.1)


def _alone(model: ModelSpec, folder: Path, examples: Sequence[Any], spec: TrainSpec) -> Trained:
    trainer = TRLTrainer(model, RUNTIME)
    if isinstance(examples[0], Preferred):
        return trainer.prefer(examples, spec, 0.3, LAYOUT, folder, lambda done, total: None)
    return trainer.train(examples, spec, LAYOUT, folder, lambda done, total: None)


def _job(
    model: ModelSpec, folder: Path, examples: Sequence[Any], spec: TrainSpec = SPEC, **changes: Any
) -> Job:
    beta = 0.3 if isinstance(examples[0], Preferred) else None
    return replace(Job(model, RUNTIME, 2, examples, beta, spec, LAYOUT, folder, ()), **changes)


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / "adapter" / "adapter_model.safetensors")
    return found


def _same(ended: Ended, folder: Path, alone: Trained, other: Path) -> None:
    assert ended.codes == [0, 0], ended.log
    *steps, report = ended.events
    assert [event["progress"] for event in steps][-1] == [alone.steps, alone.steps]
    assert report["device"] == "2 x cpu: 1 threads"
    trained = report["trained"]
    assert (trained["steps"], trained["tokens"]) == (alone.steps, alone.tokens)
    assert [step for step, _ in trained["losses"]] == [step for step, _ in alone.losses]
    assert [x for _, x in trained["losses"]] == pytest.approx([x for _, x in alone.losses], abs=1e-4)
    one, two = _weights(other), _weights(folder)
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name], two[name], atol=1e-3) for name in one)
    assert [path.name for path in folder.iterdir()] == ["adapter"]


@pytest.mark.parametrize("examples", [EXAMPLES, PREFERRED], ids=["train", "prefer"])
def test_two_processes_are_one_with_double_accumulation(
    base: Path, tmp_path: Path, examples: Sequence[Any]
) -> None:
    model = ModelSpec(str(base))
    alone = _alone(model, tmp_path / "one", examples, SPEC)
    assert alone.steps == 6
    ended = fork(_job(model, tmp_path / "two", examples), tmp_path / "scratch")
    _same(ended, tmp_path / "two", alone, tmp_path / "one")


def _pretend_the_cpus_are_gpus(rank: int) -> None:
    """accelerate shares weights out among GPUs only; PyTorch does it among CPUs as well."""
    from accelerate.state import AcceleratorState, PartialState
    from accelerate.utils import DistributedType

    make = AcceleratorState.__init__

    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        if kwargs.get("fsdp_plugin") is not None:
            self.distributed_type = PartialState._shared_state["distributed_type"] = DistributedType.FSDP
            self.fsdp_plugin = kwargs["fsdp_plugin"]

    AcceleratorState.__init__ = made


@pytest.mark.parametrize("examples", [EXAMPLES, PREFERRED], ids=["train", "prefer"])
def test_weights_shared_out_by_fsdp2_learn_the_same(
    base: Path, tmp_path: Path, examples: Sequence[Any]
) -> None:
    """Checkpoints and the adapter are gathered from both. Preferring goes on from an adapter."""
    model = ModelSpec(str(base))
    if isinstance(examples[0], Preferred):
        _alone(model, tmp_path / "before", EXAMPLES, replace(SPEC, epochs=1))
        model = replace(model, adapter=str(tmp_path / "before" / "adapter"))
    alone = _alone(model, tmp_path / "one", examples, SPEC)

    ended = fork(
        _job(model, tmp_path / "two", examples), tmp_path / "scratch", 2, FSDP2, _pretend_the_cpus_are_gpus
    )
    _same(ended, tmp_path / "two", alone, tmp_path / "one")


def test_what_is_refused(base: Path, tmp_path: Path) -> None:
    """Every process says so; none waits for another."""
    plain = ModelSpec(str(base))
    rows = untrain(make_model(tmp_path / "rows", "qwen2", template=True, tied=False, scale=0.1))
    cases: list[tuple[Job, dict[str, str], str]] = [
        (_job(plain, tmp_path / "a", EXAMPLES, processes=3), {}, "asked for 3 processes, but started 2"),
        (
            _job(plain, tmp_path / "b", EXAMPLES, processes=None),
            {"WORLD_SIZE": ""},
            "asked for several processes, but started 1",
        ),
        (
            _job(plain, tmp_path / "c", EXAMPLES, replace(SPEC, accumulation=3)),
            {},
            r"accumulation 3 cannot be divided among 2",
        ),
        (_job(plain, tmp_path / "d", EXAMPLES), {"ACCELERATE_USE_FSDP": "true"}, "FSDP version 1"),
        (
            _job(replace(plain, load_in="4bit"), tmp_path / "e", EXAMPLES),
            FSDP2,
            "fewer bits cannot be shared out",
        ),
        (
            _job(ModelSpec(str(rows)), tmp_path / "f", EXAMPLES, untrained=(2, 3)),
            FSDP2,
            "layout's tokens were never trained",
        ),
    ]
    for number, (job, environment, words) in enumerate(cases):
        ended = fork(job, tmp_path / f"scratch{number}", 2, environment)
        assert all(ended.codes), words
        assert ended.failures
        for crashed, error in ended.failures:
            assert not crashed, ended.log
            assert words in str(error)
            assert getattr(error, "hint", "")


def test_a_crash_leaves_its_last_lines(base: Path, tmp_path: Path) -> None:
    def before(rank: int) -> None:
        if rank == 1:
            TRLTrainer.train = lambda *args, **kwargs: 1 / 0  # type: ignore[assignment,method-assign]

    ended = fork(_job(ModelSpec(str(base)), tmp_path / "out", EXAMPLES), tmp_path / "scratch", 2, {}, before)
    assert 1 in ended.codes
    assert any(crashed and "ZeroDivisionError" in str(error) for crashed, error in ended.failures)
    assert "process 1 of the training failed" in str(ended.failures[-1][1])


@given(st.integers(1, 200), st.integers(1, 9), st.integers(1, 9))
def test_blank_rows_make_it_come_out_even(rows: int, batch: int, processes: int) -> None:
    blank = blanks(rows, batch, processes)
    assert 0 <= blank < batch * processes
    assert blank == 0 if processes == 1 else (rows + blank) % (batch * processes) == 0


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 9), st.integers(0, 2**31 - 1), st.integers(0, 5))
def test_the_order_is_that_of_one_process(rows: int, blank: int, seed: int, epoch: int) -> None:
    from accelerate.data_loader import SeedableRandomSampler

    alone = SeedableRandomSampler(range(rows), data_seed=seed)
    alone.set_epoch(epoch)
    dealt = Dealt(rows, blank, seed, lambda: epoch)
    assert len(dealt) == rows + blank
    assert list(dealt) == [*alone, *range(rows, rows + blank)]


@pytest.mark.parametrize("tied", [True, False])
def test_gathered_weights_are_written_as_the_models_own(tmp_path: Path, tied: bool) -> None:
    """Also the rows of tokens that are trained beside the layers."""
    base = untrain(make_model(tmp_path / "base", "qwen2", template=True, tied=tied, scale=0.1))
    trainer = TRLTrainer(ModelSpec(str(base)), RUNTIME)
    layout = LAYOUTS["chatml"]
    args = trainer._arguments(_config(), SPEC, tmp_path)
    model = trainer._adapted(trainer._take(SPEC, args), SPEC, layout, args)
    write_adapter(model, tmp_path / "own", "base")
    gathered = trained_weights(model)
    for weight in model.parameters():
        weight.data = torch.zeros_like(weight)
    write_adapter(model, tmp_path / "gathered", "base", gathered)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (tmp_path / "own" / name).read_bytes() == (tmp_path / "gathered" / name).read_bytes()


def _config() -> Any:
    from trl import SFTConfig

    return SFTConfig
