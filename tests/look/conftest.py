"""A run whose texts are hostile in every field that a model writes or a person gives, and one that is plain."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from isheep import load_recipe, run
from isheep.records import Completion, Instruction, Pair, Record, Task, Verdict, from_json, kind, to_json
from isheep.runs import Run, open_run
from isheep.store import Store

#: Script, markup that breaks out of an attribute, a template, direction marks, controls, FTS5's own signs.
HOSTILE = (
    '<script>window.hurt=1</script><img src=x onerror="window.hurt=1">" onmouseover="window.hurt=1" '
    "{{7*7}}{% raw %} \u202etxt.exe\u2066 \x00\x1b[31m '; DROP TABLE record; -- \"OR* NEAR( http://evil.example/ "
)
SMALL = ["instructions.count=30", "instructions.lists_per_round=8", "filter.min_kept=1"]


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of two iterations without a model."""
    return run(load_recipe("fake", [*SMALL, "evaluate.tasks=[]"]), tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def hostile_run(plain_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same with hostile text in every text of every record."""
    root = tmp_path_factory.mktemp("hostile") / "store"
    shutil.copytree(plain_run.store.root, root)
    poisoned = open_run(plain_run.name, Store(root))
    for step in poisoned.steps:
        artifact = poisoned.artifact(step)
        if artifact is not None and step.stage in ("seeds", "instructions", "responses", "assessment"):
            for cls in (Task, Completion, Instruction, Pair, Verdict):
                if artifact.has(cls):
                    _poison(artifact.path(f"{kind(cls)}.jsonl"), cls)
    return poisoned


def _poison(path: Path, cls: type[Record]) -> None:
    texts = {"instruction", "input", "output", "response", "text", "finish"}
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = from_json(cls, line)
        own = texts & {f.name for f in dataclasses.fields(record)}
        changed = {name: f"{getattr(record, name)} {HOSTILE}" for name in own}
        lines.append(to_json(dataclasses.replace(record, **changed)))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def lines_of(path: Path) -> list[dict[str, object]]:
    """A JSONL file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
