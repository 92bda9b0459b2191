"""A sweep file: read, checked as a whole, and unrolled into jobs. No work is done here.

Knows: arms, seeds, and which arm another one's counts are matched to. All mistakes of all arms are reported at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from isheep import recipe_text
from isheep.errors import RecipeError
from isheep.files import locate, shipped
from isheep.plan import Plan, make_plan
from isheep.recipe import Loaded, load_recipe
from isheep.recipe_mistakes import mistake
from isheep.stages.described import described
from isheep.stages.stage import Settings

FOLDER = "recipes/sweeps"
#: Arms and sweeps name runs and files.
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$"


class Sweep(Settings):
    """Everything that defines a sweep."""

    name: str = Field(pattern=NAME)
    """Names the sweep's runs, "<name>.<arm>.seed<seed>", and its folder in the store."""
    description: str = ""
    """One line for `isheep sweep --list`."""
    question: str = ""
    """What the comparison is to answer, and what the paper found."""
    recipe: str = "lamb"
    """The recipe every arm starts from: a shipped name or a path."""
    common: dict[str, Any] = Field(default_factory=dict)
    """Changes to the recipe for all arms, as in a recipe."""
    arms: dict[str, dict[str, Any]] = Field(min_length=1)
    """Arm -> its own changes. An arm that `extends` another recipe starts from that instead."""
    reference: str
    """The arm the others are compared with."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Each arm is run once per seed. Five seeds see a difference of 5 points two times in three, three one time in
    three."""
    iteration: int | Literal["last", "best"] = "last"
    """Which of a run's models is compared: the last, the one its review calls best, or M_n by number."""

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
            raise ValueError("expected one or more different seeds, 0 or above")
        return seeds

    @field_validator("iteration")
    @classmethod
    def _some_model(cls, iteration: int | str) -> int | str:
        if isinstance(iteration, int) and iteration < 0:
            raise ValueError(f"expected 'last', 'best' or the number of a model, found {iteration}")
        return iteration

    @model_validator(mode="after")
    def _possible(self) -> Sweep:
        wrong = [arm for arm in self.arms if not re.fullmatch(NAME, arm)]
        if wrong:
            raise ValueError(f"arms: {wrong[0]!r} cannot name an arm; use letters, digits, '_' and '-'")
        if self.reference not in self.arms:
            raise ValueError(f"reference: no arm {self.reference!r}; arms: {', '.join(self.arms)}")
        return self


@dataclass(frozen=True)
class Job:
    """One run of a sweep: an arm with a seed, its plan, and the plan of the arm it is matched to."""

    arm: str
    seed: int
    run: str
    loaded: Loaded
    plan: Plan
    match: Plan | None = None


@dataclass(frozen=True)
class LoadedSweep:
    """A checked sweep and its jobs: seed by seed, an arm after the one it is matched to."""

    sweep: Sweep
    jobs: tuple[Job, ...]


def sweep_names() -> dict[str, Path]:
    """The shipped sweeps by name."""
    return shipped(FOLDER, ".yaml")


def load_sweep(
    source: str | Path | Mapping[str, Any], overrides: Sequence[str] = (), seeds: Sequence[int] | None = None
) -> LoadedSweep:
    """Read and check a sweep, every arm of it. `overrides` ("key.path=value") change the recipe of every arm.

    Raises RecipeError with the mistakes of all arms at once.
    """
    folder: Path | None = None
    if not isinstance(source, Mapping):
        found = locate(str(source), FOLDER, ".yaml")
        if isinstance(found, str):
            raise RecipeError(f"sweep: {found}", "`isheep sweep --list` lists the shipped ones")
        folder, source = found.parent, recipe_text.read(found)
    try:
        data = dict(source)
        if seeds is not None:
            data["seeds"] = tuple(seeds)
        elif isinstance(data.get("seeds"), list):
            data["seeds"] = tuple(data["seeds"])
        if isinstance(data.get("arms"), Mapping):  # an arm without changes is written "name:"
            data["arms"] = {
                str(arm): {} if change is None else change for arm, change in data["arms"].items()
            }
        sweep = Sweep.model_validate(data, strict=True)
    except ValidationError as error:
        lines = [mistake(e, Sweep) for e in error.errors()]
        raise RecipeError(
            "the sweep has mistakes:\n  " + "\n  ".join(lines), "see `isheep sweep --help`"
        ) from None
    return LoadedSweep(sweep, _jobs(sweep, folder, overrides))


def schema() -> dict[str, Any]:
    """JSON schema of a sweep, for editors. What its arms may change is recipe.schema.json's to say, one folder up."""
    made = described(Sweep).model_json_schema()
    change = {"$ref": "../recipe.schema.json"}
    made["properties"]["common"] |= change
    made["properties"]["arms"]["additionalProperties"] = {"anyOf": [change, {"type": "null"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _jobs(sweep: Sweep, folder: Path | None, overrides: Sequence[str]) -> tuple[Job, ...]:
    arms: dict[str, Loaded] = {}
    mistakes: list[str] = []
    for arm, change in sweep.arms.items():
        try:
            whole = {"extends": sweep.recipe, **recipe_text.merged(sweep.common, change)}
            if "seed" in whole or any(text.partition("=")[0].strip() == "seed" for text in overrides):
                mistakes.append(f"arm {arm}: seed: every arm is run with the sweep's own `seeds` (--seed)")
            arms[arm] = load_recipe(whole, overrides, name=f"{sweep.name}.{arm}"[:64], beside=folder)
        except RecipeError as error:
            mistakes.append(f"arm {arm}: {error.message}")
    matched = {arm: loaded.recipe.filter.match for arm, loaded in arms.items()}
    names = {arm: name for arm, name in matched.items() if isinstance(name, str)}
    mistakes += [
        f"arm {arm}: filter.match: no arm {name!r}; arms: {', '.join(sweep.arms)}"
        for arm, name in names.items()
        if name not in sweep.arms
    ]
    if not mistakes:
        try:
            order = list(
                TopologicalSorter({arm: [names[arm]] if arm in names else [] for arm in arms}).static_order()
            )
        except CycleError as error:
            mistakes.append(f"filter.match: arms match one another in a circle: {' -> '.join(error.args[1])}")
    if mistakes:
        raise RecipeError("the sweep has mistakes:\n  " + "\n  ".join(mistakes), "nothing was run")
    return tuple(job for seed in sweep.seeds for job in _of_seed(sweep, seed, arms, order, names))


def _of_seed(
    sweep: Sweep, seed: int, arms: Mapping[str, Loaded], order: Sequence[str], names: Mapping[str, str]
) -> list[Job]:
    plans: dict[str, Plan] = {}
    jobs = []
    for arm in order:
        recipe = arms[arm].recipe.model_copy(update={"seed": seed})
        loaded = Loaded(recipe, arms[arm].files)
        match = plans[names[arm]] if arm in names else None
        plans[arm] = make_plan(loaded, match)
        jobs.append(Job(arm, seed, f"{sweep.name}.{arm}.seed{seed}", loaded, plans[arm], match))
    return jobs
