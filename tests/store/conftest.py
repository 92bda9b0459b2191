"""What the store's tests share: a store, and pictures of folders to compare."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isheep.store import Store, mirror, remote

sys.path.insert(0, str(Path(__file__).parent))
from broken import Broken

Machine = Callable[..., Store]

#: Long enough to look like a key; short enough to read.
KEY = "0123456789abcdef" * 4


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(params=["flock", "lease"])
def locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either kind of lock, for this process and those it starts. A lease is longer than any pause of a busy machine."""
    monkeypatch.setenv("ISHEEP_LOCKS", request.param)
    monkeypatch.setenv("ISHEEP_LEASE_SECONDS", "30")
    kind: str = request.param
    return kind


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's cache."""
    monkeypatch.setenv("ISHEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
def picture() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder with its bytes, the manifest left out (it holds times)."""

    def take(folder: Path) -> dict[str, bytes]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "manifest.json"
        }

    return take


# ---------------------------------------------------------------- remote stores


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No pauses between tries, and nothing is taken as it was a moment ago."""
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(mirror, "ABSENT_SECONDS", 0.0)
    monkeypatch.setattr(mirror, "PAPERS_SECONDS", 0.0)
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # no power is cut here
    Broken.reset()
    yield
    Broken.reset()


@pytest.fixture(params=["renaming", "whole"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place that is written by renaming, as on a disk, or one that takes each file whole, as an object store."""
    if request.param == "whole":
        monkeypatch.setattr(remote, "_WHOLE", {*remote._WHOLE, "broken"})
    return f"broken://{tmp_path}/remote"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> Machine:
    """The store as another machine sees it: each has a cache of its own. Number: which of several remote places."""

    def made(name: str, number: int = 0) -> Store:
        monkeypatch.setenv("ISHEEP_CACHE", str(tmp_path / f"{name}{number}"))
        return Store(f"{address}{number}")

    return made
