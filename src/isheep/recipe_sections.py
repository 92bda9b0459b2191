"""The sections of a recipe that belong to no stage: the model, the libraries, the report, how to run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from isheep.backends import ENGINES, TRAINERS
from isheep.stages.stage import Settings, known_names


class ModelSettings(Settings):
    base: str = "lamb"
    """The base model: `lamb` (embedded), a folder, or a Hugging Face hub id of a causal language model."""
    revision: str | None = None
    """Commit, tag or branch of a hub model. Name a commit if the run is to be repeatable."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the weights; `auto`: bfloat16 on a GPU that has it, float32 on a CPU."""
    layout: Literal["auto", "chat", "chatml", "plain", "question", "qa", "user"] = "auto"
    """How a request and its answer are written down, in every stage. `chat`: the tokenizer's own template. `chatml`:
    the paper's. `auto`: `chat` where the tokenizer has a template whose tokens the model knows, else `question`."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model. Off: code from a model repository is never run."""


class BackendSettings(Settings):
    engine: str = "hf"
    """Who writes and scores: `hf` (transformers), `fake` (no model; to try a recipe's shape)."""
    trainer: str = "trl"
    """Who trains: `trl` (TRL and PEFT), `fake`."""

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str) -> str:
        return known_names((name,), ENGINES)[0]

    @field_validator("trainer")
    @classmethod
    def _known_trainer(cls, name: str) -> str:
        return known_names((name,), TRAINERS)[0]


class ReportSettings(Settings):
    samples: int = Field(10, ge=0)
    """Random kept and dropped records shown per iteration."""
    truth: Literal["none", "lamb"] = "none"
    """Who knows the right answers of generated tasks: `lamb` (the embedded model's world), or nobody."""


class RuntimeSettings(Settings):
    """How to run. Nothing here enters a key: it may change speed, never the result."""

    batch_size: int = Field(64, ge=1)
    """Prompts per forward pass; halved by itself when memory runs out."""
    device: str = "auto"
    """`auto` (cuda, then mps, then cpu) or a torch device."""
    threads: int | None = Field(None, ge=1)
    """CPU threads; null leaves it to torch."""
    isolation: Literal["auto", "process", "none"] = "auto"
    """Run each step that loads a model in its own process, so its memory is truly free afterwards. `auto`: on a GPU."""
