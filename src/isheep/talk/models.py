"""Which models of a run there are to talk to, and how they are opened.

Knows: a run's steps and recipe. Does not know: what is said to the models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isheep.backends import open_streamer
from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.streaming import Streamer
from isheep.errors import RecipeError, StoreError
from isheep.evaluation import models_of
from isheep.files import is_folder, model_path
from isheep.runs import Run
from isheep.step import adapter_folder


@dataclass(frozen=True, slots=True)
class TalkModel:
    """One model of a run: M0 is the base, M1 what iteration 0 trained, and so on."""

    iteration: int
    #: Folder of its adapter; None: the bare base.
    adapter: str | None

    @property
    def name(self) -> str:
        return f"M{self.iteration} (base)" if self.adapter is None else f"M{self.iteration}"


def parse_iterations(text: str) -> tuple[int, ...]:
    """ "0,1,3" -> (0, 1, 3). Raises RecipeError when that is no list of numbers, each named once."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise RecipeError(
            f"--iterations {text!r} is no list of numbers", "write for example --iterations 0,1,3"
        )
    numbers = tuple(int(word) for word in words)
    if len(set(numbers)) < len(numbers):
        raise RecipeError(f"--iterations {text!r} names a model twice", "name each model once")
    return numbers


def models(run: Run, iterations: Sequence[int] | None = None) -> tuple[TalkModel, ...]:
    """The models of these numbers; by default the base and the last one. 0 is the base model."""
    there = dict(models_of(run))
    chosen = tuple(dict.fromkeys((0, max(there)))) if iterations is None else tuple(iterations)
    missing = [t for t in chosen if t not in there]
    if missing:
        raise StoreError(
            f"{run.name} has no model {', '.join(map(str, missing))}",
            f"models here: {', '.join(map(str, there))} (0 is the base; n is what n iterations made)",
        )
    made = ((t, there[t]) for t in chosen)
    return tuple(TalkModel(t, str(adapter_folder(run.store, m.ref)) if m else None) for t, m in made)


def base_of(run: Run) -> ModelSpec:
    """The base model of a run, as its steps loaded it."""
    model = run.recipe.model
    path = model_path(model.base)
    return ModelSpec(
        str(Path(path).expanduser()) if is_folder(path) else path,
        model.revision,
        dtype=model.dtype,
        trust_remote_code=model.trust_remote_code,
        name=model.base,
        load_in=model.load_in or "",
        context=model.context,
    )


def open_models(run: Run, chosen: Sequence[TalkModel], system: str = "") -> Streamer:
    """Load the base once and put the adapters of these models beside it. Asked in the layout the run used.

    A run made without a model (`backend.engine: fake`) is talked to without one; any other with transformers,
    whichever engine wrote its texts.
    """
    settings = run.recipe.runtime
    runtime = Runtime(device=settings.device, threads=settings.threads, device_map=settings.device_map)
    kind = "fake" if run.recipe.backend.engine == "fake" else "hf"
    adapters = [model.adapter for model in chosen if model.adapter is not None]
    return open_streamer(kind, base_of(run), adapters, run.recipe.model.layout, system, runtime)
