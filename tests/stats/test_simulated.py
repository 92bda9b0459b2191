"""Coverage and false positives in worlds whose truth is known: benchmarks/coverage.py with fewer of them.

Each range is where a sound statistic lies in 300 worlds (75 for what is resampled), and the plain way beside it must
show what was wrong with it: else the world would not tell a right formula from a wrong one.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

COVERAGE = Path(__file__).parents[2] / "benchmarks" / "coverage.py"
RUNS = 300


@pytest.fixture(scope="module")
def worlds() -> Any:
    name = "isheep_coverage_benchmark"
    spec = importlib.util.spec_from_file_location(name, COVERAGE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a dataclass looks there for its module
    spec.loader.exec_module(module)
    return module


def test_intervals_cover(worlds: Any) -> None:
    rows = {row.world: row for row in worlds.intervals(RUNS, draws=300)}
    clustered = [row for row in rows.values() if row.plain == "items as if alone"]
    assert len(clustered) >= 8
    for row in rows.values():
        resampled = row.ours in ("bca", "auroc_interval", "spearman_interval")
        rare = row.world.startswith("1 %")  # five changes in all: 92 % is what can be had
        low, high = (0.84, 1.0) if resampled else (0.88 if rare else 0.91, 0.985)
        assert low <= row.rate <= high, row
    for row in clustered:
        assert row.plain_rate < 0.91, row
        assert row.plain_rate < row.rate - 0.03, row
    # Small counts break Wald's intervals; a resampled AUROC needs its clusters as much as a mean does.
    assert rows["share 0.05 of 40 items"].plain_rate < 0.91
    assert rows["60 pairs, 7 % change"].plain_rate < 0.91
    assert rows["AUROC, 60 clusters of 4"].plain_rate < rows["AUROC, 60 clusters of 4"].rate - 0.05
    assert rows["variance, 60 skewed values"].plain_rate < rows["variance, 60 skewed values"].rate - 0.1


def test_tests_do_not_cry_wolf(worlds: Any) -> None:
    rows = worlds.tests(RUNS)
    assert len(rows) == 9
    for row in rows:
        assert 0.005 <= row.rate <= 0.08, row
        if row.ours == "mcnemar":
            assert row.rate <= row.plain_rate, row
        else:
            assert row.plain_rate > 0.085, row
            assert row.plain_rate > row.rate + 0.03, row
