"""The README is true: its commands run, its Python runs, its tree and its links exist."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from benchmark_rows import write_all
from chat_server import ChatServer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: The address of the judge's server in the README.
JUDGE = "http://localhost:8000/v1"
#: What makes a run of the embedded model short; the commands themselves are the README's.
QUICK = [
    "--set", "iterations=1", "--set", "instructions.count=24", "--set", "filter.min_kept=3",
    "--set", "instructions.lists_per_round=8", "--set", "evaluate.tasks=[]",
]  # fmt: skip


def blocks(language: str) -> list[str]:
    """The code blocks of one language ("" for none)."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def commands() -> list[list[str]]:
    lines = [line for block in blocks("bash") for line in block.splitlines() if line.strip()]
    return [shlex.split(line, comments=True) for line in lines]


ENV = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


def isheep(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "isheep", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env=ENV,
        input="Name a fruit.\n",  # what is said to `chat`
        check=False,
    )


def opens(words: list[str], folder: Path) -> None:
    """A command that serves until Ctrl-C answers at the address it prints, and ends well."""
    more = ["--no-open"] if words[0] == "browse" else ["--port", str(free_port())]
    said = ""
    with subprocess.Popen(
        [sys.executable, "-m", "isheep", *words, *more],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env=ENV,
    ) as server:
        try:
            assert server.stdout is not None
            for line in server.stdout:
                said += line
                found = re.search(r"http://127\.0\.0\.1:\d+\S*", line)
                if found:
                    break
            assert found, said
            if words[0] == "browse":
                assert requests.get(found[0], timeout=30).status_code == 200
        finally:
            server.terminate()  # Ctrl-C is not heard by what was started in the background
            server.wait(timeout=60)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_every_command_is_make_or_isheep() -> None:
    assert {words[0] for words in commands()} == {"make", "isheep"}


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [words[1] for words in commands() if words[0] == "make"]
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert "isheep run lamb\n" in makefile.split("demo:")[1].split("\n\n")[0] + "\n"


def test_isheep_commands_run_in_order(tmp_path: Path) -> None:
    # Something for `show last` to show, as the README's reader has after `make demo`.
    first = isheep(["run", "lamb", *QUICK], tmp_path)
    assert first.returncode == 0, first.stderr
    assert Path(first.stdout.split("report ")[-1].strip()).is_file()
    benchmark_data(tmp_path / "data")
    with ChatServer(
        answer=lambda payload: "Both have their merits. [[A]] [[7]]", models=("my-judge",)
    ) as judge:
        for words in commands():
            if words[0] != "isheep":
                continue
            words = [judge.url if word == JUDGE else word for word in words[1:]]
            if words[0] == "run":
                # Hub models cannot be fetched here: such a run is planned, which checks all its settings.
                words = ["plan", *words[1:]] if "one_gpu" in words else [*words, *QUICK]
            if words[0] in ("browse", "serve"):
                opens(words, tmp_path)
                continue
            done = isheep(words, tmp_path)
            assert done.returncode == 0, f"{words}: {done.stderr}"
            assert done.stdout.strip()
        assert judge.asked


def benchmark_data(folder: Path) -> None:
    """What a reader has in `data`: two fixed benchmarks and the three chat benchmarks, with rows of our own."""
    write_all(folder)
    kinds = {
        "punctuation:no_comma": {},
        "length_constraints:number_words": {"relation": "less than", "num_words": 9},
    }
    prompt = {"key": 7, "prompt": "Name two colours. Use no comma and fewer than nine words."}
    graded = {**prompt, "instruction_id_list": list(kinds), "kwargs": list(kinds.values())}
    (folder / "ifeval_input_data.jsonl").write_text(json.dumps(graded) + "\n", encoding="utf-8")
    turns = {
        "question_id": 81,
        "category": "writing",
        "turns": ["Write a line about rain.", "Make it shorter."],
    }
    (folder / "question.jsonl").write_text(json.dumps(turns) + "\n", encoding="utf-8")
    asked = {"instruction": "Name a colour.", "output": "Green.", "generator": "ours", "dataset": "ours"}
    (folder / "alpaca_eval.json").write_text(json.dumps([asked]), encoding="utf-8")


def test_python_runs(tmp_path: Path) -> None:
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\d+ .*report\.html$", done.stdout, re.MULTILINE)


def test_the_tree_exists() -> None:
    (tree,) = (b for b in blocks("") if b.startswith("src/isheep/\n"))
    for line in tree.splitlines():
        name = line.split()[0]
        folder = ROOT / "src" / "isheep" / name if line.startswith("  ") else ROOT / name
        assert folder.is_dir(), line


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert link.startswith("https://") or (ROOT / link).exists(), link
