"""Other runs of the same store that belong to a run: the same recipe with other seeds or another base, arms of a sweep.

Reads run.json, sweep.json, compare.json and summary.json as they lie there; what cannot be read is left out, since a
report must not fail over a neighbour. Knows: where they are. Does not know: what is made of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isheep.errors import StoreError
from isheep.runs import Run, open_run

#: What two runs of one arm may differ in (as `isheep compare` puts runs into arms).
_FREE = ("seed", "name", "description", "runtime", "trackers")
Plain = Mapping[str, Any]


@dataclass(frozen=True)
class Sibling:
    """A run with the same recipe but for its seed, or but for its base model."""

    name: str
    seed: int
    base: str
    complete: bool
    folder: Path

    def scores(self) -> list[dict[str, Any]]:
        """What its models scored, by its own report as it was last written: iteration, task, metric, layout, value."""
        try:
            return [
                {
                    "iteration": entry["iteration"],
                    **{k: row[k] for k in ("task", "metric", "layout", "value")},
                }
                for entry in _read(self.folder / "summary.json")["iterations"]
                for row in entry["scores"]
            ]
        except (KeyError, TypeError):
            return []

    def gain(self, task: str, metric: str, t: int) -> float | None:
        """What its M_t changed over the base, by its own report as it was last written; None where that tells none."""
        try:
            entries = _read(self.folder / "summary.json")["iterations"]
            rows = [row for entry in entries if entry["iteration"] == t for row in entry["gain"]]
            found = [row["value"] for row in rows if (row["task"], row["metric"]) == (task, metric)]
        except (KeyError, TypeError):
            return None
        return float(found[0]) if found and isinstance(found[0], int | float) else None


@dataclass(frozen=True)
class Sweep:
    """A sweep with this run in it. `arms`: every arm with the recipe of one of its runs; `rows`: those of its
    compare.json, none before it was compared."""

    name: str
    arm: str
    reference: str
    arms: Mapping[str, Plain]
    rows: tuple[Plain, ...]


def siblings(run: Run) -> list[Sibling]:
    """This run and its siblings, by name."""
    ours = run.recipe.model_dump(mode="json")
    wanted = {_alike(ours), _alike(ours, "model")}
    found = [Sibling(run.name, run.recipe.seed, run.recipe.model.base, run.complete, run.folder)]
    for path in sorted(run.store.runs_folder.glob("*/run.json")):
        recipe = _recipe(path)
        if path.parent.name == run.name or not recipe:
            continue
        other = recipe["model"]["base"] != run.recipe.model.base
        if _alike(recipe, *(["model"] if other else [])) in wanted:
            found.append(
                Sibling(
                    path.parent.name,
                    recipe["seed"],
                    recipe["model"]["base"],
                    _complete(path.parent.name, run),
                    path.parent,
                )
            )
    return sorted(found, key=lambda s: (s.seed, s.name))


def sweeps_of(run: Run) -> list[Sweep]:
    """The sweeps of the store that list this run."""
    return [
        sweep
        for path in sorted((run.store.runs_folder.parent / "sweeps").glob("*/sweep.json"))
        for sweep in _sweep(path, run)
    ]


def _sweep(path: Path, run: Run) -> Iterator[Sweep]:
    data = _read(path)
    try:
        arm_of = {entry["run"]: entry["arm"] for entry in data["runs"]}
        reference = data["definition"]["reference"]
    except (KeyError, TypeError):
        return
    if run.name not in arm_of:
        return
    arms = {arm: _recipe(run.store.runs_folder / name / "run.json") for name, arm in arm_of.items()}
    rows = _read(path.with_name("compare.json")).get("rows") or ()
    yield Sweep(
        path.parent.name, arm_of[run.name], reference, {a: r for a, r in arms.items() if r}, tuple(rows)
    )


def _complete(name: str, run: Run) -> bool:
    try:
        return open_run(name, run.store).complete
    except StoreError:
        return False


def _recipe(path: Path) -> Plain:
    """The recipe of a run.json that has what is asked of one; empty for any other."""
    try:
        recipe: Plain = _read(path)["recipe"]
        return recipe if recipe["model"]["base"] and recipe["seed"] >= 0 else {}
    except (KeyError, TypeError):
        return {}


def _alike(recipe: Plain, *free: str) -> str:
    return json.dumps({k: v for k, v in recipe.items() if k not in (*_FREE, *free)}, sort_keys=True)


def _read(path: Path) -> Plain:
    """A JSON object; empty for what is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
