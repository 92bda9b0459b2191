"""Provenance: recorded, never failing, and without importing what it names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from isheep.store import provenance


@pytest.fixture(autouse=True)
def forget() -> None:
    provenance.git_revision.cache_clear()


def test_it_is_json_and_names_what_is_installed() -> None:
    found = provenance.collect()
    assert json.loads(json.dumps(found)) == found
    assert found["packages"]["torch"]
    assert found["cpus"] >= 1
    assert found["host"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", provenance.now())


def test_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; import isheep.store; from isheep.store import provenance; provenance.collect();"
        "print([name for name in ('torch', 'transformers', 'sklearn', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_git_there_is_no_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert provenance.git_revision() is None
    assert provenance.collect()["git"] is None


def test_somebody_elses_repository_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package in a virtual environment that lies inside a project's checkout."""
    package = tmp_path / ".venv" / "lib" / "isheep" / "store" / "provenance.py"
    ours = tmp_path / "src" / "isheep" / "store" / "provenance.py"
    for path in (package, ours):
        path.parent.mkdir(parents=True)
        path.write_text("x")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "src"], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    monkeypatch.setattr(provenance, "__file__", str(package))
    assert provenance.git_revision() is None
    provenance.git_revision.cache_clear()
    monkeypatch.setattr(provenance, "__file__", str(ours))
    revision = provenance.git_revision()
    assert revision is not None
    assert re.fullmatch(r"[0-9a-f]{40}", revision)
    provenance.git_revision.cache_clear()
    ours.write_text("edited")
    assert provenance.git_revision() == f"{revision}+changes"
