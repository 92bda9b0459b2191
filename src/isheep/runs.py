"""A named run: the list of keys that a recipe came to, kept under STORE/runs/<name>/.

Knows: the folder of a run and the store beside it. Does not know: how a step is done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isheep.errors import StoreError
from isheep.plan import Plan, StepRef
from isheep.recipe import Recipe
from isheep.records import Outcome
from isheep.store import Artifact, Store
from isheep.store.disk import in_words, replace_text
from isheep.store.key import digest

#: Beside run.json: steps that were added by `isheep eval`.
LATER_FILE = "evaluations.json"
#: Where runs are kept unless told otherwise: in the working directory, so that a project keeps its own.
DEFAULT_STORE = "isheep-store"


@dataclass(frozen=True)
class RunStep:
    """One line of a run: which step, and the key its result has in the store."""

    name: str
    stage: str
    iteration: int
    key: str

    @property
    def ref(self) -> StepRef:
        return StepRef(self.stage, self.key)


@dataclass(frozen=True)
class Later:
    """A step that was added to a run after it was planned (`isheep eval`): it stands behind the step `after`."""

    step: RunStep
    #: Key of the run's own step it rests on; while the run has no such step, it is no part of it.
    after: str


@dataclass(frozen=True)
class Run:
    """A named run and the store that holds what it made. Made by `run` or `open_run`."""

    name: str
    store: Store
    recipe: Recipe
    steps: tuple[RunStep, ...]

    @property
    def folder(self) -> Path:
        """Where the report of this run is."""
        return self.store.runs_folder / self.name

    @property
    def due(self) -> tuple[RunStep, ...]:
        """The steps this run comes to: all, or those up to the review that stopped it."""
        for n, step in enumerate(self.steps, 1):
            if step.stage == "review":
                found = self.artifact(step)
                if found is not None and stops(found):
                    return self.steps[:n]
        return self.steps

    @property
    def complete(self) -> bool:
        """Whether every step that is due is done."""
        return all(self.store.find(step.stage, step.key) for step in self.due)

    def artifact(self, step: RunStep) -> Artifact | None:
        """What a step made, or None while it has not."""
        return self.store.find(step.stage, step.key)

    def artifacts(self, stage: str) -> dict[int, Artifact]:
        """Finished artifacts of one stage, by iteration. Steps of that stage with another name ("tests.x",
        "probe_scores.0", "turn2.responses.0") are not among them; `named` finds those."""
        return self.named(stage)

    def named(self, name: str) -> dict[int, Artifact]:
        """Finished artifacts of the steps of one name ("probe_scores", "candidates"), by iteration."""
        steps = [step for step in self.due if step.name in (name, f"{name}.{step.iteration}")]
        found = {step.iteration: self.store.find(step.stage, step.key) for step in steps}
        return {iteration: artifact for iteration, artifact in found.items() if artifact is not None}


def stops(review: Artifact) -> bool:
    """Whether a review said that the run ends here."""
    return any(outcome.stop for outcome in review.read(Outcome))


def default_name(plan: Plan) -> str:
    """The recipe's name, seed, and six digits that stand for all its keys."""
    return f"{plan.recipe.name}-seed{plan.recipe.seed}-{plan_digest(plan)[:6]}"


def plan_digest(plan: Plan) -> str:
    """One digest for all keys of a plan."""
    return digest([step.key for step in plan.steps])


def register(plan: Plan, store: Store, name: str | None = None) -> Run:
    """Write down which keys belong to a run. A name used before for other settings keeps its old list beside it."""
    steps = tuple(RunStep(s.name, s.stage, s.iteration, s.key) for s in plan.steps)
    named = default_name(plan) if name is None else _checked(name)
    store.bring_papers()
    made = Run(named, store, plan.recipe, _with_later(steps, store.runs_folder / named))
    path = made.folder / "run.json"
    text = json.dumps(
        {
            "name": made.name,
            "plan": plan_digest(plan),
            "recipe": plan.recipe.model_dump(mode="json"),
            "steps": [asdict(step) for step in steps],
        },
        indent=1,
    )
    with in_words(f"cannot write to {made.folder}"):
        made.folder.mkdir(parents=True, exist_ok=True)
        old = _plan_at(path)
        if old is not None and old != plan_digest(plan):
            path.rename(made.folder / f"run-{old[:12]}.json")
            store.send_papers(made.folder / f"run-{old[:12]}.json")
        replace_text(path, text + "\n")
    store.send_papers(path)
    return made


def add_later(run: Run, added: Sequence[Later]) -> Run:
    """Write down steps that belong to a run besides its plan, the newest last; the run with them. Those that are in its
    plan stay where they are."""
    _, own = _plan_in(run.folder)
    planned = {step.key for step in own}
    known = {later.step.key: later for later in _later(run.folder)}
    for later in added:
        known.pop(later.step.key, None)
        if later.step.key not in planned:
            known[later.step.key] = later
    text = json.dumps([asdict(later) for later in known.values()], indent=1)
    with in_words(f"cannot write to {run.folder}"):
        replace_text(run.folder / LATER_FILE, text + "\n")
    run.store.send_papers(run.folder / LATER_FILE)
    return Run(run.name, run.store, run.recipe, _with_later(own, run.folder))


def named_keys(store: Store) -> set[str]:
    """The keys of all steps that any run of the store names: planned now, planned once under its name, or added later.
    Raises StoreError when one of these lists cannot be read."""
    keys: set[str] = set()
    for path in store.runs_folder.glob("*/run*.json"):
        try:
            keys.update(step["key"] for step in json.loads(path.read_bytes())["steps"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{path} cannot be read: {error}", "run its recipe again, or remove that run's folder"
            ) from error
        keys.update(later.step.key for later in _later(path.parent))
    return keys


def _later(folder: Path) -> list[Later]:
    path = folder / LATER_FILE
    if not path.exists():
        return []
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        return [Later(RunStep(**entry["step"]), entry["after"]) for entry in plain]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} cannot be read: {error}", "remove it and run `isheep eval` again"
        ) from error


def _with_later(steps: tuple[RunStep, ...], folder: Path) -> tuple[RunStep, ...]:
    """The planned steps and, behind what they rest on, those that were added; of one name, the newest stands last.

    What rests on no step of this plan is no part of it, and what is planned by now is not added twice.
    """
    keys = {step.key for step in steps}
    of_name = {step.name: step.key for step in steps}
    behind: dict[str, list[RunStep]] = {}
    for later in _later(folder):
        if later.step.key not in keys and later.after in keys:
            behind.setdefault(of_name.get(later.step.name, later.after), []).append(later.step)
    return tuple(one for step in steps for one in (step, *behind.get(step.key, ())))


def _plan_at(path: Path) -> str | None:
    """The digest of the plan written down there; None when there is none, or a damaged one, which is of no use."""
    try:
        return str(json.loads(path.read_bytes())["plan"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def open_run(name: str, store: Store | Path | str = DEFAULT_STORE) -> Run:
    """A run by its name, or by an unambiguous beginning of it (the newest of several); "last" is the newest of all."""
    store = store if isinstance(store, Store) else Store(store)
    store.bring_papers()
    known = {path.parent.name: path for path in store.runs_folder.glob("*/run.json")}
    begun = [run for run in known if name == "last" or (name and run.startswith(name))]
    found = [name] if name in known else begun
    if not found:
        raise StoreError(
            f"no run {name!r} in {store.address}",
            f"runs here: {', '.join(sorted(known)) or 'none'}; --store names another store",
        )
    folder = known[max(found, key=lambda run: known[run].stat().st_mtime)].parent
    recipe, planned = _plan_in(folder)
    return Run(folder.name, store, recipe, _with_later(planned, folder))


def _plan_in(folder: Path) -> tuple[Recipe, tuple[RunStep, ...]]:
    """The recipe and the planned steps of the run in this folder."""
    try:
        data: Mapping[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        steps: Sequence[Mapping[str, Any]] = data["steps"]
        return Recipe.model_validate(data["recipe"]), tuple(RunStep(**step) for step in steps)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{folder / 'run.json'} cannot be read: {error}", "run the recipe again; finished steps are kept"
        ) from error


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", name) or name == "last":
        raise StoreError(f"{name!r} cannot name a run", "use letters, digits, '.', '_' and '-'")
    return name
