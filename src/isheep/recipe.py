"""A recipe: what to do, as plain data, checked before any work starts.

YAML (or a mapping) -> frozen Recipe, or a RecipeError that lists every mistake with its path, what was expected and the
nearest valid name. Gathers the settings of the stages; adds no logic of its own. Imports no torch.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from isheep import recipe_text
from isheep.backends import ENGINES, TRAINERS
from isheep.errors import RecipeError
from isheep.files import PACKAGE, is_folder, locate, shipped
from isheep.stages.assessment import AssessmentSettings
from isheep.stages.evaluate import EvaluateSettings
from isheep.stages.filter import FilterSettings
from isheep.stages.instructions import InstructionsSettings
from isheep.stages.responses import ResponsesSettings
from isheep.stages.seeds import SeedsSettings
from isheep.stages.stage import OutsideFile, Settings, known_names, outside_files
from isheep.stages.train import TrainSettings

#: For editors; a recipe names it in its second line.
SCHEMA_FILE = PACKAGE / "recipes" / "recipe.schema.json"
#: A shipped test set is a file of this name in a folder of the package: "lamb" is lamb/held_out.jsonl.
TEST_FILE = OutsideFile(".", "/held_out.jsonl", is_data=True)


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
    seed: int = Field(0, ge=0, lt=2**63)
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

    @model_validator(mode="after")
    def _possible(self) -> Recipe:
        chosen, count = self.filter, self.instructions.count
        share = chosen.keep_fraction
        if self.assessment.level == "none" and share is not None and chosen.by == "score":
            raise ValueError(
                "filter.by: there is no score to keep the best by, as assessment.level is 'none'; set it to 'random'"
            )
        most = count if share is None else round(share * count)
        if self.iterations and most < chosen.min_kept:
            kept = f"{most} of {count}" if share is None else f"{share:g} of {count}, which is {most},"
            raise ValueError(
                f"filter.min_kept: {chosen.min_kept} pairs can never be kept, as at most {kept} are; "
                "raise instructions.count or lower filter.min_kept"
            )
        return self


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
    if not isinstance(source, Mapping):
        path = recipe_path(source)
        beside, source = path.parent, recipe_text.read(path)
    data, folders = recipe_text.extended(source, beside)
    texts = [overrides] if isinstance(overrides, str) else overrides
    mistakes = [mistake for text in texts for mistake in recipe_text.override(data, text)]
    data.update((key, value) for key, value in changes.items() if value is not None)
    files, missing = _files(data, folders)
    try:
        # Strict: true is not 1, "3" is not 3. Lists stand for tuples, which YAML does not have.
        recipe = Recipe.model_validate(_tupled(data), strict=True)
    except RecursionError:
        raise RecipeError(
            "the recipe contains itself", "remove the YAML alias (*name) that does it"
        ) from None
    except ValidationError as error:
        mistakes += [_mistake(e) for e in error.errors()]
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


def copy_recipe(name: str, dest: Path) -> Path:
    """Copy a recipe to start one's own from; its first lines then speak of the copy. Never overwrites."""
    path = recipe_path(name)
    dest = dest / path.name if dest.is_dir() else dest
    if dest.exists():
        raise RecipeError(f"{dest} exists", "choose another name")
    text = path.read_text(encoding="utf-8")
    text = text.replace(f"# isheep run {path.stem}", f"# isheep run {shlex.quote(str(dest))}", 1)
    text = text.replace(f"$schema={SCHEMA_FILE.name}", f"$schema={SCHEMA_FILE}", 1)
    try:
        dest.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"cannot write {dest}: {error.strerror}", "choose another place") from None
    return dest


def schema() -> dict[str, Any]:
    """JSON schema of a recipe, for editors."""
    made = Recipe.model_json_schema()
    made["properties"]["extends"] = {
        "type": "string",
        "description": "A recipe to start from: shipped name or path.",
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _tupled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _tupled(inner) for key, inner in value.items()}
    return tuple(map(_tupled, value)) if isinstance(value, list | tuple) else value


def _files(data: Mapping[str, Any], folders: Sequence[Path]) -> tuple[dict[str, Path], list[str]]:
    """Find every outside file the recipe names; sentences for those that are missing or useless."""
    files: dict[str, Path] = {}
    missing: list[str] = []
    wanted: list[tuple[str, Any, OutsideFile]] = []
    for section, info in Recipe.model_fields.items():
        settings, given = info.annotation, data.get(section, {})
        if isinstance(settings, type) and issubclass(settings, Settings) and isinstance(given, Mapping):
            for name, mark in outside_files(settings):
                default = settings.model_fields[name].default
                wanted.append((f"{section}.{name}", given.get(name, default), mark))
    model, evaluate = data.get("model"), data.get("evaluate")
    base = model.get("base") if isinstance(model, Mapping) else None
    if isinstance(base, str) and base.startswith((".", "/", "~")) and not is_folder(base):
        missing.append(f"model.base: no folder {base!r}")
    tasks = evaluate.get("tasks") if isinstance(evaluate, Mapping) else None
    for i, name in enumerate(tasks if isinstance(tasks, list | tuple) else ()):
        wanted.append((f"evaluate.tasks.{i}", name, TEST_FILE))
    for key, name, mark in wanted:
        if not isinstance(name, str):
            continue  # a mistake of its own
        found = locate(name, mark.folder, mark.suffix, folders)
        if isinstance(found, str):
            missing.append(f"{key}: {found}")
        elif problem := mark.problem(found):
            missing.append(f"{key}: {found} {problem}")
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


#: What was expected, by pydantic's kind of error.
_EXPECTED = {
    "model_type": "expected a group of settings",
    "tuple_type": "expected a list",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "finite_number": "expected a finite number",
    "greater_than": "expected a number above {gt:g}",
    "greater_than_equal": "expected {ge:g} or more",
    "less_than": "expected a number below {lt:g}",
    "less_than_equal": "expected {le:g} or less",
    "literal_error": "expected {expected}",
    "string_pattern_mismatch": "expected letters, digits, '.', '_' and '-', at most 64",
}


def _mistake(error: Any) -> str:
    """One of pydantic's errors in one line: path, what was found, what was expected, the nearest valid name."""
    # pydantic also puts the members of a union into the path
    path = ".".join(str(part) for part in error["loc"] if part != "str" and "[" not in str(part))
    if error["type"] == "extra_forbidden":
        names = _valid_names(error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), names, 1)
        offer = f"did you mean {near[0]!r}?" if near else f"valid here: {', '.join(sorted(names))}"
        return f"{path}: unknown setting; {offer}"
    if error["type"] == "value_error":  # our own: it says what it found
        return f"{path}: {error['ctx']['error']}" if path else str(error["ctx"]["error"])
    message = _EXPECTED.get(error["type"], error["msg"]).format_map(error.get("ctx", {}))
    if error["type"] == "string_type" and isinstance(error["input"], bool | int | float):
        message += "; put it in quotes"
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        options = [o.strip(" '") for o in error["ctx"]["expected"].replace(" or ", ",").split(",")]
        near = difflib.get_close_matches(error["input"], options, 1)
        message += f"; did you mean {near[0]!r}?" if near else ""
    return f"{path}: {message} (found {error['input']!r:.60})"


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
