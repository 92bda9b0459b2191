"""What is written down of a sweep, under STORE/sweeps/<name>/: whose run is whose, and what failed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isheep.errors import StoreError
from isheep.runs import DEFAULT_STORE, Run, open_run
from isheep.store import Store
from isheep.store.disk import in_words, replace_text
from isheep.store.key import canonical


@dataclass(frozen=True)
class Entry:
    """One run of a sweep; `error` is why it did not complete, empty when it did."""

    arm: str
    seed: int
    run: str
    error: str = ""


@dataclass(frozen=True)
class SweepRecord:
    """A sweep as it was run."""

    name: str
    folder: Path
    definition: Mapping[str, Any]
    entries: tuple[Entry, ...]
    store: Store

    @property
    def arms(self) -> dict[str, list[Run]]:
        """Arm -> its runs, in the order of the seeds, failed ones too."""
        found: dict[str, list[Run]] = {arm: [] for arm in self.definition["arms"]}
        for entry in sorted(self.entries, key=lambda e: e.seed):
            found.setdefault(entry.arm, []).append(open_run(entry.run, self.store))
        return found


def arms_of(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs that differ in nothing but their seed are one arm, named after its first run."""
    found: dict[str, list[Run]] = {}
    names: dict[str, str] = {}
    for run in runs:
        alike = canonical(
            run.recipe.model_dump(mode="json", exclude={"seed", "name", "description", "runtime", "trackers"})
        )
        found.setdefault(names.setdefault(alike, run.name), []).append(run)
    return found


def sweep_folder(store: Store, name: str) -> Path:
    """Where a sweep's record and comparison lie."""
    return store.runs_folder.parent / "sweeps" / name


def write_sweep(store: Store, name: str, definition: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Replace the record at once: a reader sees the old one or the new."""
    folder = sweep_folder(store, name)
    text = json.dumps(
        {"name": name, "definition": definition, "runs": [asdict(e) for e in entries]}, indent=1
    )
    with in_words(f"cannot write to {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / "sweep.json", text + "\n")
    store.send_papers(folder / "sweep.json")


def open_sweep(name: str, store: Store | Path | str = DEFAULT_STORE) -> SweepRecord:
    """A sweep that was run, by name. Raises StoreError when there is none."""
    store = store if isinstance(store, Store) else Store(store)
    store.bring_papers()
    folder = sweep_folder(store, name)
    try:
        data = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
        entries = tuple(Entry(**entry) for entry in data["runs"])
        return SweepRecord(data["name"], folder, data["definition"], entries, store)
    except FileNotFoundError:
        known = sorted(p.parent.name for p in folder.parent.glob("*/sweep.json"))
        raise StoreError(
            f"no sweep {name!r} in {store.address}", f"sweeps here: {', '.join(known) or 'none'}"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{folder / 'sweep.json'} cannot be read: {error}", "run the sweep again; finished steps are kept"
        ) from error
