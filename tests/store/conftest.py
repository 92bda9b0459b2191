"""What the store's tests share: a store, and pictures of folders to compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from isheep.store import Store

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
