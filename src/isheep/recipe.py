"""A recipe: what to do, as plain data, checked before any work starts.

YAML (or a mapping) -> frozen Recipe, or a RecipeError that lists every mistake with its path, what was expected and the
nearest valid name. Gathers the settings of the stages; adds no logic of its own. Imports no torch.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator

from isheep.backends import ENGINES, TRAINERS
from isheep.errors import RecipeError
from isheep.files import locate, shipped
from isheep.stages.assessment import AssessmentSettings
from isheep.stages.evaluate import EvaluateSettings
from isheep.stages.filter import FilterSettings
from isheep.stages.instructions import InstructionsSettings
from isheep.stages.responses import ResponsesSettings
from isheep.stages.seeds import SeedsSettings
from isheep.stages.stage import Settings, known_names, outside_files
from isheep.stages.train import TrainSettings

#: A shipped test set is a file of this name in a folder of the package: "lamb" is lamb/held_out.jsonl.
TEST_SUFFIX = "/held_out.jsonl"


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


class Recipe(Settings):
    """Everything that defines a run."""

    name: str = Field("run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Names the run's folder in the store."""
    description: str = ""
    """One line for `isheep recipes`."""
    seed: int = Field(0, ge=0)
    """The seed of every random draw; part of every key."""
    iterations: int = Field(3, ge=0)
    """T of Algorithm 1 (paper: gains last 2 iterations at 1.8B to 14B, 3 at 32B, 5 at 72B); 0 only tests the base."""
    model: ModelSettings = ModelSettings()
    """The base model and its layout."""
    backend: BackendSettings = BackendSettings()
    """Which libraries do the heavy work."""
    seeds: SeedsSettings = SeedsSettings()
    """The seed tasks."""
    instructions: InstructionsSettings = InstructionsSettings()
    """How the model writes tasks."""
    responses: ResponsesSettings = ResponsesSettings()
    """How it answers them."""
    assessment: AssessmentSettings = AssessmentSettings()
    """How it judges its answers."""
    filter: FilterSettings = FilterSettings()
    """Which pairs are kept."""
    train: TrainSettings = TrainSettings()
    """How the model is fine-tuned on them."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """How every model is tested."""
    report: ReportSettings = ReportSettings()
    """What the report shows."""
    runtime: RuntimeSettings = RuntimeSettings()
    """How to run; never part of a key."""


@dataclass(frozen=True)
class Loaded:
    """A checked recipe with the outside files it names ("seeds.file" -> path)."""

    recipe: Recipe
    files: Mapping[str, Path] = field(default_factory=dict)


def load_recipe(
    source: str | Path | Mapping[str, Any] = "lamb", overrides: Sequence[str] = (), **changes: Any
) -> Loaded:
    """Read and check a recipe.

    `source`: a shipped name, a path to YAML, or a mapping. `overrides`: "key.path=value" texts, values in YAML.
    `changes`: top-level fields (seed=3, name="x"); None means unchanged. Raises RecipeError with all mistakes at once.
    """
    beside: Path | None = None
    mistakes: list[str] = []
    if isinstance(source, Mapping):
        data = dict(source)
    else:
        path = recipe_path(source)
        beside = path.parent
        data = _read(path)
    data = _extended(data, beside)
    for text in overrides:
        mistakes += _override(data, text)
    for key, value in changes.items():
        if value is not None:
            data[key] = value
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise _refusal([*mistakes, *(_mistake(e) for e in error.errors())]) from None
    files, missing = _files(recipe, beside)
    if mistakes or missing:
        raise _refusal([*mistakes, *missing])
    return Loaded(recipe, files)


def recipe_path(source: str | Path) -> Path:
    """The file a recipe's name or path stands for. Raises RecipeError."""
    found = locate(str(source), "recipes", ".yaml")
    if isinstance(found, str):
        raise RecipeError(f"recipe: {found}", "`isheep recipes` lists the shipped ones")
    if found.is_dir():
        raise RecipeError(f"recipe: {source} is a folder", "give a YAML file")
    return found


def recipe_names() -> dict[str, Path]:
    """The shipped recipes by name."""
    return shipped("recipes", ".yaml")


def schema() -> dict[str, Any]:
    """JSON schema of a recipe, for editors."""
    made = Recipe.model_json_schema()
    made["properties"]["extends"] = {
        "type": "string",
        "description": "A recipe to start from: shipped name or path.",
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{path}: not YAML: {error}", "check indentation and quotes near that line"
        ) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise RecipeError(
            f"{path}: expected a mapping of settings, found {type(data).__name__}", "see `isheep recipes`"
        )
    return data


def _extended(data: dict[str, Any], beside: Path | None, depth: int = 0) -> dict[str, Any]:
    """Resolve `extends: NAME`: the named recipe, changed by this one."""
    parent = data.get("extends")
    if parent is None:
        return data
    if depth > 8:
        raise RecipeError("extends: recipes extend one another in a circle", "remove one `extends`")
    found = locate(str(parent), "recipes", ".yaml", beside)
    if isinstance(found, str):
        raise RecipeError(f"extends: {found}", "`isheep recipes` lists the shipped ones")
    base = _extended(_read(found), found.parent, depth + 1)
    return _merged(base, {k: v for k, v in data.items() if k != "extends"})


def _merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in change.items():
        old = out.get(key)
        out[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return out


def _override(data: dict[str, Any], text: str) -> list[str]:
    """Apply one "a.b=value"; a list of mistakes (empty when fine)."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        return [f"--set {text}: expected key.path=value"]
    try:
        parsed = yaml.safe_load(value) if value.strip() else None
    except yaml.YAMLError:
        return [f"--set {text}: the value is not YAML"]
    *parents, last = key.strip().split(".")
    here: Any = data
    for name in parents:
        if not isinstance(here.setdefault(name, {}), dict):
            return [f"--set {text}: {name} is a value, not a group of settings"]
        here[name] = dict(here[name])
        here = here[name]
    here[last] = parsed
    return []


def _files(recipe: Recipe, beside: Path | None) -> tuple[dict[str, Path], list[str]]:
    """Find every outside file the recipe names; sentences for those that are missing."""
    wanted: list[tuple[str, str, str, str]] = []
    for section in type(recipe).model_fields:
        settings = getattr(recipe, section)
        if isinstance(settings, BaseModel):
            for name, mark in outside_files(type(settings)):
                wanted.append((f"{section}.{name}", getattr(settings, name), mark.folder, mark.suffix))
    wanted += [
        (f"evaluate.tasks.{i}", name, ".", TEST_SUFFIX) for i, name in enumerate(recipe.evaluate.tasks)
    ]
    files: dict[str, Path] = {}
    missing: list[str] = []
    for key, name, folder, suffix in wanted:
        found = locate(name, folder, suffix, beside)
        if isinstance(found, str):
            missing.append(f"{key}: {found}")
        else:
            files[key] = found
    return files, missing


def _refusal(mistakes: Sequence[str]) -> RecipeError:
    lines = list(dict.fromkeys(mistakes))
    head = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    return RecipeError(
        f"the recipe has {head}:\n  " + "\n  ".join(lines),
        "`isheep recipes --copy lamb my.yaml` gives a recipe to start from",
    )


def _mistake(error: Any) -> str:
    """One of pydantic's errors in one line: path, what was found, what was expected, the nearest valid name."""
    path = ".".join(str(part) for part in error["loc"] if not str(part).startswith(("function-", "tuple[")))
    if error["type"] == "extra_forbidden":
        names = _valid_names(error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), names, 1)
        offer = f"did you mean {near[0]!r}?" if near else f"valid here: {', '.join(sorted(names))}"
        return f"{path}: unknown setting; {offer}"
    found = "" if error["type"] == "missing" else f" (found {error['input']!r:.60})"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        options = [o.strip(" '") for o in error["ctx"]["expected"].replace(" or ", ",").split(",")]
        near = difflib.get_close_matches(error["input"], options, 1)
        message += f"; did you mean {near[0]!r}?" if near else ""
    return f"{path}: {message}{found}"


def _valid_names(loc: Sequence[Any]) -> list[str]:
    """Names of the settings at a place in the recipe."""
    here: Any = Recipe
    for part in loc:
        info = getattr(here, "model_fields", {}).get(part)
        if info is None:
            return []
        here = info.annotation
    names = list(getattr(here, "model_fields", {}))
    return [*names, "extends"] if here is Recipe else names
