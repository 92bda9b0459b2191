"""A sweep over the toy recipe: the best half against as many at random."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isheep.sweep import LoadedSweep, load_sweep
from toy import toy_recipe


def sweep_file(folder: Path, **changes: Any) -> Path:
    """The sweep as a file (JSON is YAML), its recipe beside it. `changes` as in a sweep file; None takes one out."""
    recipe = {**toy_recipe(folder), "iterations": 1}
    (folder / "toy.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    whole = {
        "name": "halves",
        "recipe": str(folder / "toy.yaml"),
        "arms": {"best": None, "random": {"filter": {"by": "random", "match": "best"}}},
        "reference": "best",
        "seeds": [0, 1],
        **changes,
    }
    path = folder / "halves.yaml"
    text = json.dumps({name: value for name, value in whole.items() if value is not None})
    path.write_text(text, encoding="utf-8")
    return path


def toy_sweep(
    folder: Path, *overrides: str, only: Sequence[int] | None = None, **changes: Any
) -> LoadedSweep:
    """The sweep, checked. `overrides` as for `--set`, `only` as for `--seed`."""
    return load_sweep(sweep_file(folder, **changes), overrides, only)
