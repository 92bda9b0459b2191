"""docs/findings.md shows what the comparisons beside it say, and nothing else."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from isheep.sweep import load_sweep

DOCS = Path(__file__).parents[1] / "docs"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("findings", DOCS / "findings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_comparisons() -> None:
    page = (DOCS / "findings.md").read_text(encoding="utf-8")
    assert script().rewritten(page) == page
    shown = set(re.findall(r"<!-- table (\w+) -->", page))
    assert shown == {path.stem for path in (DOCS / "findings").glob("*.csv")}


def test_every_table_has_the_arms_of_its_sweep() -> None:
    for path in (DOCS / "findings").glob("*.csv"):
        arms = {line.partition(",")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]}
        assert arms <= set(load_sweep(path.stem).sweep.arms)
