"""Shared by all tests. Its place puts tests/ on the path, so that every test can import `toy` and `tiny_models`."""

import os
from pathlib import Path

import pytest

# No test may look for the network; without this, each missing model costs 20 seconds of retries.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

#: The files that take longest, longest first. A file is done by one process, with its fixtures made once (`make test`);
#: one that began last would leave the other core idle.
LONGEST = (
    "test_loop", "test_examiner", "test_readme", "test_ray_run", "test_trl_prefer", "test_interruption", "test_ray",
    "test_rigor", "test_cli_eval", "test_build", "test_sweep_processes", "test_other_evaluations",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(Path(item.path).stem, len(order)))  # else in the order they came
