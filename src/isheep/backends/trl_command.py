"""What `runtime.launch` says: a shipped configuration of accelerate by name, or the words of a command.

Knows: how torchrun and accelerate are told the number of processes. Starts nothing, imports nothing heavy.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from isheep.backends.names import unknown
from isheep.errors import RecipeError
from isheep.launch import CONFIGS, launch_config

#: How the weights lie: whole in every process, or shared out among them.
Sharing = Literal["", "FSDP", "DEEPSPEED"]


@dataclass(frozen=True, slots=True)
class Command:
    """What stands before `-m MODULE`. Numbers are None where they cannot be read from it."""

    words: tuple[str, ...]
    #: Processes in all, and on each machine.
    processes: int | None
    each: int | None
    sharing: Sharing = ""

    @property
    def starts_here(self) -> bool:
        """The processes are started on this machine, not handed to a scheduler."""
        return Path(self.words[0]).name in ("torchrun", "accelerate", "python", "python3")


def read(launch: str) -> Command:
    """The command behind a `runtime.launch`; `$NAME` in it is taken from the environment. Raises RecipeError."""
    if launch in CONFIGS:
        return _accelerate(("accelerate", "launch", "--config_file", str(launch_config(launch))))
    try:
        words = tuple(shlex.split(os.path.expandvars(launch)))
    except ValueError as error:
        raise RecipeError(f"runtime.launch cannot be read: {error}", "close the quotation mark") from error
    if len(words) < 2:  # no launcher does anything useful without an option
        raise unknown("runtime.launch", launch, CONFIGS)
    names = {Path(word).name for word in words}
    if "accelerate" in names:
        return _accelerate(words)
    return _torchrun(words) if names & {"torchrun", "torch.distributed.run"} else Command(words, None, None)


def _torchrun(words: tuple[str, ...]) -> Command:
    each = _number(_option(words, "nproc_per_node", "1"))
    machines = _number(_option(words, "nnodes", "1"))
    return Command(words, _times(each, machines), each)


def _accelerate(words: tuple[str, ...]) -> Command:
    """Its options come before its file."""
    settings = _settings(_option(words, "config_file", ""))
    plain = "--cpu" in words or settings.get("use_cpu") is True
    machines = _number(_option(words, "num_machines", str(settings.get("num_machines", 1))))
    total = _number(_option(words, "num_processes", str(settings.get("num_processes", ""))))
    sharing: Sharing = ""
    kind = str(settings.get("distributed_type", ""))
    if "--use_fsdp" in words or kind == "FSDP":
        sharing = "FSDP"
    elif "--use_deepspeed" in words or kind == "DEEPSPEED":
        sharing = "DEEPSPEED"
    each = total // machines if total and machines else None
    return Command(words, total, None if plain else each, sharing)


def _settings(file: str) -> Mapping[str, Any]:
    """What a configuration file of accelerate says; nothing where there is none to be read."""
    try:
        found = yaml.safe_load(Path(file).read_text(encoding="utf-8")) if file else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _option(words: Sequence[str], name: str, default: str) -> str:
    """The value of --NAME, as the next word or behind "="; hyphens and underscores are one, the last one counts."""
    found = default
    for word, following in zip(words, [*words[1:], ""], strict=True):
        key, equals, value = word.partition("=")
        if key.startswith("--") and key[2:].replace("-", "_") == name:
            found = value if equals else following
    return found


def _number(text: str) -> int | None:
    """A whole number; None for what torchrun finds out by itself ("gpu", "1:4")."""
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _times(one: int | None, other: int | None) -> int | None:
    return one * other if one and other else None
