"""A recipe: what to do, as plain data, checked before any work starts.

YAML (or a mapping) -> frozen Recipe, or a RecipeError that lists every mistake with its path, what was expected and the
nearest valid name. Gathers the settings of the stages; adds no logic of its own. Imports no torch.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from isheep import recipe_text
from isheep.errors import RecipeError
from isheep.files import PACKAGE, is_folder, locate, shipped
from isheep.recipe_checks import impossible
from isheep.recipe_mistakes import mistake
from isheep.recipe_sections import (
    BackendSettings,
    ChatSection,
    JudgeSection,
    ModelSettings,
    ReportSettings,
    RuntimeSettings,
    ServerSection,
    TrackersSettings,
)
from isheep.stages.assessment import AssessmentSettings
from isheep.stages.benchmarks import BenchmarksSettings
from isheep.stages.chat import QuestionFile
from isheep.stages.contamination import ContaminationSettings
from isheep.stages.described import described
from isheep.stages.evaluate import EvaluateSettings
from isheep.stages.exam import ExamSettings
from isheep.stages.followups import FollowupsSettings
from isheep.stages.ifeval import IfevalSettings
from isheep.stages.instructions import InstructionsSettings
from isheep.stages.prefer import PreferSettings
from isheep.stages.preferences import PreferencesSettings
from isheep.stages.probes import ProbesSettings
from isheep.stages.responses import ResponsesSettings
from isheep.stages.review import ReviewSettings
from isheep.stages.seeds import SeedsSettings
from isheep.stages.sieves import FilterSettings
from isheep.stages.stage import OutsideFile, Settings, outside_files
from isheep.stages.train import TrainSettings

#: For editors; a recipe names it in its second line.
SCHEMA_FILE = PACKAGE / "recipes" / "recipe.schema.json"
#: A shipped test set is a file of this name in a folder of the package: "lamb" is lamb/held_out.jsonl.
TEST_FILE = OutsideFile(".", "/held_out.jsonl", is_data=True)
CHAT_FILE = QuestionFile("questions", ".jsonl", is_data=True)
#: Settings that list outside files.
_LISTS = (
    ("evaluate", "tasks", TEST_FILE),
    ("evaluate", "also", TEST_FILE),
    ("chat", "pairwise", CHAT_FILE),
    ("chat", "graded", CHAT_FILE),
)


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
    server: ServerSection = ServerSection()
    """Where the model is served, for the engine `openai`."""
    seeds: SeedsSettings = SeedsSettings()
    """The seed tasks."""
    instructions: InstructionsSettings = InstructionsSettings()
    """How the model writes tasks."""
    responses: ResponsesSettings = ResponsesSettings()
    """How it answers them."""
    followups: FollowupsSettings = FollowupsSettings()
    """Whether exchanges go on for more turns."""
    assessment: AssessmentSettings = AssessmentSettings()
    """How it judges its answers."""
    probes: ProbesSettings = ProbesSettings()
    """Planted answers that test the judge."""
    filter: FilterSettings = FilterSettings()
    """Which pairs are kept."""
    train: TrainSettings = TrainSettings()
    """How the model is fine-tuned on them."""
    preferences: PreferencesSettings = PreferencesSettings()
    """Whether its best and worst answers are compared after that."""
    prefer: PreferSettings = PreferSettings()
    """How it is trained on these preferences."""
    evaluate: EvaluateSettings = EvaluateSettings()
    """How every model is tested."""
    benchmarks: BenchmarksSettings = BenchmarksSettings()
    """Fixed benchmarks every model is put through."""
    ifeval: IfevalSettings = IfevalSettings()
    """Instructions whose following a program can check."""
    chat: ChatSection = ChatSection()
    """Questions a judge compares or grades the answers to."""
    judge: JudgeSection = JudgeSection()
    """Who judges those."""
    contamination: ContaminationSettings = ContaminationSettings()
    """What counts as copied from a benchmark."""
    exam: ExamSettings = ExamSettings()
    """Questions with a known truth, to try the self-assessment on."""
    review: ReviewSettings = ReviewSettings()
    """What is watched after each iteration, when the run stops, and which model is its result."""
    report: ReportSettings = ReportSettings()
    """What the report shows."""
    runtime: RuntimeSettings = RuntimeSettings()
    """How to run; never part of a key."""
    trackers: TrackersSettings = TrackersSettings()
    """Where figures are logged meanwhile; never part of a key."""

    @property
    def tests_something(self) -> bool:
        """Whether any evaluation is asked for."""
        chat = self.chat.pairwise or self.chat.graded
        return bool(
            self.evaluate.tasks or self.evaluate.also or self.benchmarks.tasks or self.ifeval.file or chat
        )

    @model_validator(mode="after")
    def _possible(self) -> Recipe:
        found = impossible(self)
        if found:
            raise ValueError("\n  ".join(found))
        return self


@dataclass(frozen=True)
class Loaded:
    """A checked recipe with the outside files it names ("seeds.file" -> path)."""

    recipe: Recipe
    files: Mapping[str, Path] = field(default_factory=dict)


def load_recipe(
    source: str | Path | Mapping[str, Any] = "lamb",
    overrides: Sequence[str] = (),
    beside: Path | None = None,
    **changes: Any,
) -> Loaded:
    """Read and check a recipe.

    `source`: a shipped name, a path to YAML, or a mapping. `overrides`: "key.path=value" texts, values in YAML.
    `beside`: the folder where a mapping's files are looked for. `changes`: top-level fields (seed=3, name="x"); None
    means unchanged. Raises RecipeError with all mistakes at once.
    """
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
        mistakes += [mistake(e, Recipe) for e in error.errors()]
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
    made = described(Recipe).model_json_schema()
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
    model = data.get("model")
    base = model.get("base") if isinstance(model, Mapping) else None
    if isinstance(base, str) and base.startswith((".", "/", "~")) and not is_folder(base):
        missing.append(f"model.base: no folder {base!r}")
    for section, setting, mark in _LISTS:
        given = data.get(section)
        listed = given.get(setting) if isinstance(given, Mapping) else None
        for i, name in enumerate(listed if isinstance(listed, list | tuple) else ()):
            wanted.append((f"{section}.{setting}.{i}", name, mark))
    for key, name, mark in wanted:
        if not isinstance(name, str):
            continue  # not asked for, or a mistake of its own
        found = locate(name, mark.folder, mark.suffix, folders)
        if isinstance(found, str):
            missing.append(f"{key}: {found}")
            continue
        found = mark.place(found)
        if problem := mark.problem(found):
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
