"""Help, what it imports, and wrong use."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from said import Isheep

VERBS: Sequence[Sequence[str]] = (
    ("run",), ("plan",), ("show",), ("report",), ("recipes",), ("sweep",), ("compare",), ("doctor",), ("lamb",),
    ("lamb", "build"),
)  # fmt: skip


@pytest.mark.parametrize("verb", [(), *VERBS], ids=" ".join)
def test_every_verb_has_help(isheep: Isheep, verb: Sequence[str]) -> None:
    said = isheep(*verb, "--help")
    assert said.code == 0
    assert said.out.startswith("Usage: ")
    assert len(said.out.splitlines()) > 4
    assert said.err == ""


def test_help_names_every_verb(isheep: Isheep) -> None:
    listed = isheep("--help").out
    for verb in VERBS:
        assert re.search(rf"^  {verb[0]} +\w", listed, re.MULTILINE)


def test_without_a_verb_there_is_help(isheep: Isheep) -> None:
    said = isheep()
    assert "Usage: " in said.out + said.err
    assert said.code == 2


def test_version(isheep: Isheep) -> None:
    assert isheep("--version").out == "0.1.0\n"


HELP = ("--help", "run --help", "sweep --help", "compare --help", "eval --help", "power --help")


def imported(folder: Path, words: str) -> set[str]:
    """Every module a call of the command line brings in."""
    code = (
        "import sys\n"
        f"sys.argv = ['isheep', *{shlex.split(words)!r}]\n"
        "from isheep.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('IMPORTED', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("IMPORTED")[2].split())


@pytest.mark.parametrize("words", [*HELP, "--version", "recipes --schema", "sweep --list", "show last"])
def test_light_verbs_import_nothing_heavy(tmp_path: Path, words: str) -> None:
    """`isheep --help` answers at once: neither torch nor its kin, nor even numpy, is read."""
    found = imported(tmp_path, words)
    assert "isheep.cli" in found
    assert not found & {"torch", "transformers", "peft", "trl", "datasets", "sklearn", "accelerate", "pandas"}
    if words in HELP:
        ours = {name for name in found if name.startswith("isheep.")}
        assert ours == {
            "isheep.cli",
            "isheep.cli_eval",
            "isheep.cli_plan",
            "isheep.cli_store",
            "isheep.cli_export",
            "isheep.cli_look",
            "isheep.cli_talk",
            "isheep.cli_sweep",
            "isheep.errors",
        }
        assert not found & {"numpy", "yaml", "scipy", "rich"}


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("run", "--nope"),
        ("run", "toy.yaml", "--seed", "x"),
        ("run", "toy.yaml", "--seed", "-1"),
        ("run", "toy.yaml", "another"),
        ("show", "--samples", "-1"),
        ("recipes", "--copy", "fake"),
        ("sweep", "halves.yaml", "--workers", "0"),
        ("sweep", "halves.yaml", "--seed", "x"),
        ("compare",),
    ],
    ids=" ".join,
)
def test_wrong_use_prints_the_usage(isheep: Isheep, words: Sequence[str]) -> None:
    said = isheep(*words)
    assert said.code == 2
    assert "Error: " in said.err
