"""Configurations for `accelerate launch`, by name: how a training is spread over GPUs.

Each file beside this one says in its first line how it is used and what it is for. Knows: where they are.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
#: What `runtime.launch` may name: HOW_GPUS.
CONFIGS: tuple[str, ...] = tuple(sorted(path.stem for path in _HERE.glob("*.yaml")))


def launch_config(name: str) -> Path:
    """The file of a shipped configuration. Raises KeyError for another name."""
    if name not in CONFIGS:
        raise KeyError(name)
    return _HERE / f"{name}.yaml"
