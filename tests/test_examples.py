"""The examples for clusters: shells read them, and every setting they name is one."""

from __future__ import annotations

import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from isheep.capacity.gpus import find_gpu
from isheep.launch import CONFIGS
from isheep.recipe import load_recipe

EXAMPLES = Path(__file__).parents[1] / "examples"
FILES = sorted(EXAMPLES.iterdir())
BATCH = [path for path in FILES if path.suffix == ".sbatch"]


def scripts(path: Path) -> list[str]:
    """The shell scripts in a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".sbatch":
        return [text]
    task = yaml.safe_load(text)
    return [task["setup"], task["run"]]


def commands(text: str) -> list[list[str]]:
    """Every `isheep` command of a script, in comments too, as words; a sum stands for 4 and a variable for "it"."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line.strip(" #") for line in joined.splitlines()]
    plain = [re.sub(r"\$\(\([^)]*\)\)", "4", line) for line in lines if line.startswith("isheep ")]
    return [shlex.split(re.sub(r"\$\w+", "it", line)) for line in plain]


def test_there_are_three() -> None:
    assert {path.name for path in FILES} == {"slurm_one_node.sbatch", "slurm_nodes.sbatch", "skypilot.yaml"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_shell_reads_them(path: Path) -> None:
    for script in scripts(path):
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_first_comment_says_how_to_use_it(path: Path) -> None:
    first = next(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#!"))
    assert f"examples/{path.name}" in first


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_their_settings_exist(path: Path) -> None:
    found = [words for script in scripts(path) for words in commands(script)]
    runs = [words for words in found if words[1] == "run"]
    assert len(runs) == 1
    for words in found:
        overrides = [after for word, after in pairwise(words) if word == "--set"]
        assert len(overrides) > 1
        recipe = load_recipe(words[2], overrides).recipe
        launch = recipe.runtime.launch
        assert launch in ("", "it", *CONFIGS)
        if words[1] == "plan":
            find_gpu(words[words.index("--gpu") + 1])


def test_a_wrong_setting_would_be_seen() -> None:
    (words,) = commands("isheep run qwen \\\n    --set runtime.wrokers=$((8 / 4))\n")
    assert words == ["isheep", "run", "qwen", "--set", "runtime.wrokers=4"]


@pytest.mark.parametrize("path", BATCH, ids=lambda path: path.name)
def test_slurm_reads_its_lines_before_any_command(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash"
    told = [i for i, line in enumerate(lines) if line.startswith("#SBATCH ")]
    first = next(i for i, line in enumerate(lines) if line and not line.startswith("#"))
    assert max(told) < first
