"""Shared by all tests. Its place puts tests/ on the path, so that every test can import `toy` and `tiny_models`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# No test may look for the network; without this, each missing model costs 20 seconds of retries.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session", autouse=True)
def _drawn() -> Iterator[Callable[[str], str]]:
    """Pages made in tests hold empty images: drawing costs a tenth of a second each. `real_images` draws them."""
    from isheep.report import drawing

    blank = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>'
    with pytest.MonkeyPatch.context() as patch:
        real = drawing._converted
        patch.setattr(drawing, "_converted", lambda plain: blank)
        yield real


@pytest.fixture(scope="module")
def real_images(_drawn: Callable[[str], str]) -> Iterator[None]:
    """Plots are drawn as for a user, in this module."""
    from isheep.report import drawing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "_converted", _drawn)
        yield


#: The files that take longest, longest first. A file is done by one process, with its fixtures made once (`make test`);
#: one that began last would leave the other core idle.
LONGEST = (
    "test_loop", "test_examiner", "test_readme", "test_ray_run", "test_trl_prefer", "test_interruption", "test_ray",
    "test_rigor", "test_cli_eval", "test_build", "test_sweep_processes", "test_other_evaluations",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(Path(item.path).stem, len(order)))  # else in the order they came
