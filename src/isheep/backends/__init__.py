"""The door to everything heavy: a kind's name -> the adapter, imported only when asked for.

Knows: which module holds which backend, and which extra installs what it needs. Imports no heavy library.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from isheep.backends.base import Engine, ModelSpec, Runtime, Trainer
from isheep.backends.names import unknown
from isheep.backends.outside import Examiner, Judge, JudgeSpec
from isheep.backends.streaming import Streamer
from isheep.errors import MissingExtraError
from isheep.text.prompts import Layout

if TYPE_CHECKING:
    from isheep.backends.merging import Merged

__all__ = [
    "ENGINES",
    "EXAMINERS",
    "JUDGES",
    "STREAMERS",
    "TRAINERS",
    "Entry",
    "obstacles",
    "open_engine",
    "open_examiner",
    "open_judge",
    "open_streamer",
    "open_trainer",
    "save_merged",
    "save_tokenizer",
]


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a backend lives: `factory` in `module` takes (ModelSpec, Runtime); `extra` installs its needs."""

    module: str
    factory: str
    #: Empty when the package's own dependencies are enough.
    extra: str = ""
    #: What only some engines can: "hidden" (show hidden states), "adapters" (swap adapters without loading anew).
    can: frozenset[str] = frozenset()
    #: A function of the module that tells, before a run, what of it will fail: see `obstacles`.
    check: str = ""


#: Backends that write and score.
ENGINES: Mapping[str, Entry] = {
    "hf": Entry("isheep.backends.hf", "HFEngine", can=frozenset({"hidden"})),
    "vllm": Entry("isheep.backends.vllm", "VllmEngine", "vllm", frozenset({"adapters"}), "obstacles"),
    "openai": Entry("isheep.backends.openai", "OpenAIEngine", can=frozenset({"adapters"}), check="obstacles"),
    "fake": Entry("isheep.backends.fake", "FakeEngine", can=frozenset({"hidden", "adapters"})),
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


#: Who answers piece by piece, for people to talk to.
STREAMERS: Mapping[str, Entry] = {
    "hf": Entry("isheep.backends.hf_streaming", "HFStreamer"),
    "fake": Entry("isheep.backends.fake_streaming", "FakeStreamer"),
}


#: Engines of one kind side by side, and a trainer in processes of its own: they stand before the kinds above.
_WORKERS = Entry("isheep.backends.ray", "RayEngine", "ray", check="obstacles")
_LAUNCHED = Entry("isheep.backends.trl_launch", "LaunchedTrainer", check="obstacles")

#: Writes tuned models for use elsewhere.
_MERGING = Entry("isheep.backends.merging", "save_merged")

#: Those that load a base in fewer bits by bitsandbytes.
_QUANTISING = ("hf", "trl", "lm_eval")


def open_engine(kind: str, model: ModelSpec, runtime: Runtime | None = None) -> Engine:
    """A generator and scorer in one loaded model, or in several side by side where `runtime.workers` says so."""
    if kind in ENGINES and kind != "openai" and runtime and runtime.workers > 1:
        return cast(Engine, _open("engine", {kind: _WORKERS}, kind, model, runtime, engine=kind))
    return cast(Engine, _open("engine", ENGINES, kind, model, runtime))


def open_trainer(kind: str, model: ModelSpec, runtime: Runtime | None = None) -> Trainer:
    """A trainer that starts from `model` (its adapter too, when it names one)."""
    if kind == "trl" and runtime and runtime.launch:
        return cast(Trainer, _open("trainer", {kind: _LAUNCHED}, kind, model, runtime))
    return cast(Trainer, _open("trainer", TRAINERS, kind, model, runtime))


def obstacles(what: str, kind: str, model: ModelSpec, runtime: Runtime, needs: Collection[str]) -> list[str]:
    """What stands in the way of a run, in sentences, as far as it can be known before any work.

    `what`: "engine", "trainer" or "examiner". `needs`: what its steps will ask for: "generate", "score", "likelihood",
    "hidden", "adapter" (a model with an adapter), "train" and "accumulation N" (a training's). Imports the
    kind's module; loads no model.
    """
    entries = {"engine": ENGINES, "trainer": TRAINERS, "examiner": EXAMINERS}[what]
    chosen = [entries[kind]]
    if what == "engine" and runtime.workers > 1 and kind != "openai":
        chosen.append(_WORKERS)
    if what == "trainer" and runtime.launch and kind == "trl":
        chosen = [_LAUNCHED]
    found: list[str] = []
    if model.load_in and kind in _QUANTISING and importlib.util.find_spec("bitsandbytes") is None:
        found.append("model.load_in needs the package 'bitsandbytes': pip install 'isheep[quant]'")
    for entry in chosen:
        if not (entry.check or entry.extra):
            continue  # nothing can be missing, and importing it is not for free
        try:
            module = _module(what, kind, entry)
        except MissingExtraError as error:
            found.append(f"{error.message}: {error.hint}")
            continue
        if entry.check:
            found += getattr(module, entry.check)(model, runtime, frozenset(needs))
    return found


def open_judge(kind: str, spec: JudgeSpec, runtime: Runtime | None = None, engine: str = "hf") -> Judge:
    """A judge. `engine` is the kind of engine that the judge "engine" loads its model with."""
    more = {"engine": engine} if kind == "engine" else {}
    return cast(Judge, _open("judge", JUDGES, kind, spec, runtime, **more))


def open_streamer(
    kind: str, model: ModelSpec, adapters: Sequence[str], layout: str, system: str, runtime: Runtime
) -> Streamer:
    """The base model of `model`, loaded once, with these adapters' folders beside it, asked in the layout of this name.
    `system` is what the model is told before the first request; empty: what the layout says by itself."""
    more = {"adapters": tuple(adapters), "layout": layout, "system": system}
    return cast(Streamer, _open("streamer", STREAMERS, kind, model, runtime, **more))


def open_examiner(kind: str, model: ModelSpec, runtime: Runtime | None = None) -> Examiner:
    """Who asks a model the fixed benchmarks; the model is loaded by the examination, in a process of its own."""
    return cast(Examiner, _open("examiner", EXAMINERS, kind, model, runtime))


def save_tokenizer(model: ModelSpec, layout: str, folder: Path) -> Layout:
    """Write the base's tokenizer with a chat template that lays out as the model was trained: see merging.py."""
    return cast(Layout, _module("writer", "peft", _MERGING).save_tokenizer(model, layout, folder))


def save_merged(
    model: ModelSpec,
    prompts: Sequence[tuple[str, str]],
    dtype: str,
    folder: Path,
    tell: Callable[[str], None] = lambda text: None,
) -> Merged:
    """Write base and adapter in one, compared with the two on `prompts`: see merging.py."""
    made = _module("writer", "peft", _MERGING).save_merged(model, prompts, dtype, folder, tell)
    return cast("Merged", made)


def _open(
    what: str,
    entries: Mapping[str, Entry],
    kind: str,
    model: ModelSpec | JudgeSpec,
    runtime: Runtime | None,
    **more: object,
) -> object:
    if kind not in entries:
        raise unknown(what, kind, entries)
    entry = entries[kind]
    return getattr(_module(what, kind, entry), entry.factory)(model, runtime or Runtime(), **more)


def _module(what: str, kind: str, entry: Entry) -> ModuleType:
    # Some of the libraries behind this door report their use to their makers. Ours is nobody's business by default.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        return importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("isheep"):
            raise
        target = f"isheep[{entry.extra}]" if entry.extra else "isheep"
        raise MissingExtraError(
            f"the {what} {kind!r} needs the package {error.name!r}, which is not installed",
            f"pip install '{target}'",
        ) from error
