"""The door to everything heavy: a kind's name -> the adapter, imported only when asked for.

Knows: which module holds which backend, and which extra installs what it needs. Imports no heavy library.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from isheep.backends.base import Engine, ModelSpec, Runtime, Trainer
from isheep.backends.names import unknown
from isheep.backends.outside import Examiner, Judge, JudgeSpec
from isheep.errors import MissingExtraError

__all__ = [
    "ENGINES",
    "EXAMINERS",
    "JUDGES",
    "TRAINERS",
    "Entry",
    "open_engine",
    "open_examiner",
    "open_judge",
    "open_trainer",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a backend lives: `factory` in `module` takes (ModelSpec, Runtime); `extra` installs its needs."""

    module: str
    factory: str
    #: Empty when the package's own dependencies are enough.
    extra: str = ""
    #: What an engine can do besides writing: "score" (probabilities), "read" (likelihoods and vectors). What a recipe
    #: asks beyond that is refused before the run.
    can: frozenset[str] = frozenset({"score", "read"})


#: Backends that write and score.
ENGINES: Mapping[str, Entry] = {
    "hf": Entry("isheep.backends.hf", "HFEngine"),
    "fake": Entry("isheep.backends.fake", "FakeEngine"),
}

#: Backends that fine-tune.
TRAINERS: Mapping[str, Entry] = {
    "trl": Entry("isheep.backends.trl", "TRLTrainer"),
    "fake": Entry("isheep.backends.fake_trainer", "FakeTrainer"),
}

#: Backends that put a model through fixed benchmarks.
EXAMINERS: Mapping[str, Entry] = {
    "lm_eval": Entry("isheep.backends.lm_eval", "LmEvalExaminer", "eval"),
    "lm_eval_vllm": Entry("isheep.backends.lm_eval", "VllmExaminer", "eval"),
    "fake": Entry("isheep.backends.fake_examiner", "FakeExaminer"),
}


#: Who answers chat messages, to give verdicts. Their factories take (JudgeSpec, Runtime).
JUDGES: Mapping[str, Entry] = {
    "openai": Entry("isheep.backends.judge_openai", "OpenAIJudge"),
    "engine": Entry("isheep.backends.judge_engine", "EngineJudge"),
    "scripted": Entry("isheep.backends.judge_scripted", "ScriptedJudge"),
}


def open_engine(kind: str, model: ModelSpec, runtime: Runtime | None = None) -> Engine:
    """A generator and scorer in one loaded model."""
    return cast(Engine, _open("engine", ENGINES, kind, model, runtime))


def open_trainer(kind: str, model: ModelSpec, runtime: Runtime | None = None) -> Trainer:
    """A trainer that starts from `model` (its adapter too, when it names one)."""
    return cast(Trainer, _open("trainer", TRAINERS, kind, model, runtime))


def open_judge(kind: str, spec: JudgeSpec, runtime: Runtime | None = None, engine: str = "hf") -> Judge:
    """A judge. `engine` is the kind of engine that the judge "engine" loads its model with."""
    more = {"engine": engine} if kind == "engine" else {}
    return cast(Judge, _open("judge", JUDGES, kind, spec, runtime, **more))


def open_examiner(kind: str, model: ModelSpec, runtime: Runtime | None = None) -> Examiner:
    """Who asks a model the fixed benchmarks; the model is loaded by the examination, in a process of its own."""
    return cast(Examiner, _open("examiner", EXAMINERS, kind, model, runtime))


def _open(
    what: str,
    entries: Mapping[str, Entry],
    kind: str,
    model: ModelSpec | JudgeSpec,
    runtime: Runtime | None,
    **more: str,
) -> object:
    if kind not in entries:
        raise unknown(what, kind, entries)
    entry = entries[kind]
    # Some of the libraries behind this door report their use to their makers. Ours is nobody's business by default.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        module = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("isheep"):
            raise
        target = f"isheep[{entry.extra}]" if entry.extra else "isheep"
        raise MissingExtraError(
            f"the {what} {kind!r} needs the package {error.name!r}, which is not installed",
            f"pip install '{target}'",
        ) from error
    return getattr(module, entry.factory)(model, runtime or Runtime(), **more)
