"""Where a run comes from: its recipe as YAML, and what the manifests of its steps recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from isheep.report.numbers import NONE, duration
from isheep.report.tables import Table
from isheep.runs import Run

#: The name of the recipe's file beside the report, and the command that does the run again from it.
RECIPE_FILE = "recipe.yaml"
REPRODUCE = f"isheep run {RECIPE_FILE}"


def recipe_yaml(run: Run) -> str:
    """The whole recipe, every default written out, in a form that `isheep run` reads."""
    plain = run.recipe.model_dump(mode="json")
    return f"# {REPRODUCE}\n" + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def manifests(run: Run) -> list[tuple[str, str, Mapping[str, Any] | None]]:
    """(step, key, manifest or None) in the order of the run."""
    found = [(step, run.artifact(step)) for step in run.steps]
    return [(step.name, step.key, artifact.manifest if artifact else None) for step, artifact in found]


def step_table(run: Run) -> Table:
    """Every step with the key of its result in the store."""
    rows = []
    for name, key, manifest in manifests(run):
        made = manifest or {}
        resumed = "yes" if made.get("resumed") else ""
        seconds = duration(made["seconds"]) if "seconds" in made else NONE
        device = str(made.get("device") or "")
        state = str(made.get("started", "done")) if manifest else "not done"
        rows.append((name, key[:16], state, seconds, device, resumed))
    columns = ("step", "key", "started", "time", "device", "resumed")
    return Table("Steps and their keys in the store", columns, tuple(rows), numeric=False)


def provenance_table(run: Run) -> Table:
    """Versions, host and device; several values where the steps were made in several places."""
    found: dict[str, dict[str, None]] = {}

    def note(name: str, value: object) -> None:
        if value not in (None, ""):
            found.setdefault(name, {})[str(value)] = None

    for _, _, manifest in manifests(run):
        made = manifest or {}
        origin = made.get("provenance") or {}
        for name in ("isheep", "git", "python", "platform", "host", "cpus"):
            note(name, origin.get(name))
        for package, version in (origin.get("packages") or {}).items():
            note(package, version)
        note("device", made.get("device"))
        model = made.get("model") or {}
        for name in ("backend", "dtype", "layout", "revision"):
            note(f"model {name}", model.get(name))
    rows = tuple((name, ", ".join(values)) for name, values in found.items())
    return Table("What it was made with", ("what", "value"), rows, numeric=False)


def finished(run: Run) -> str:
    """The day and time the newest step was started, or an empty text."""
    return max((str((m or {}).get("started", "")) for _, _, m in manifests(run)), default="")
