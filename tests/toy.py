"""A run small enough to be done hundreds of times: no model, a dozen tasks, two iterations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isheep.recipe import Loaded, load_recipe

SEEDS = [
    {"id": "s1", "instruction": "Name three fruits that are red.", "output": "apple, cherry, strawberry"},
    {"id": "s2", "instruction": "Turn this sentence into a question.", "input": "It rains.", "output": "Does it?"},
    {"id": "s3", "instruction": "Explain why the sky is blue to a child.", "output": "Light scatters."},
    {"id": "s4", "instruction": "Write a haiku about a lazy cat.", "output": "Cat on a warm stone"},
    {"id": "s5", "instruction": "Give the plural of the word.", "input": "sheep", "output": "sheep"},
    {"id": "s6", "instruction": "Suggest a name for a small bakery.", "output": "Crumbs"},
]
TESTS = [
    {"id": "t1", "instruction": "What is the opposite of hot?", "answers": ["cold"], "category": "opposite"},
    {"id": "t2", "instruction": "Which animal says moo?", "answers": ["cow", "a cow"], "category": "sound"},
    {"id": "t3", "instruction": "Add the numbers.", "input": "2 and 3", "answers": ["5"], "category": "sum"},
]


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def toy_recipe(folder: Path) -> dict[str, Any]:
    """The recipe as a mapping; its seeds and tests are written into `folder`."""
    return {
        "name": "toy",
        "iterations": 2,
        "model": {"base": "toy-base", "layout": "question"},
        "backend": {"engine": "fake", "trainer": "fake"},
        "seeds": {"file": str(write_lines(folder / "toy_seeds.jsonl", SEEDS))},
        "instructions": {"count": 12, "shots": 3, "list_length": 9, "lists_per_round": 2},
        "responses": {"max_tokens": 200},
        "filter": {"threshold": None, "keep_fraction": 0.5, "min_kept": 1},
        "train": {"batch_size": 2, "accumulation": 1},
        "evaluate": {
            "tasks": [str(write_lines(folder / "toy_tests.jsonl", TESTS))],
            "base_layouts": ["plain"],
        },
        "runtime": {"isolation": "none"},
    }


def toy(folder: Path, *overrides: str, **changes: Any) -> Loaded:
    """The toy recipe, checked. `overrides` as for `--set`."""
    return load_recipe(toy_recipe(folder), overrides, **changes)
