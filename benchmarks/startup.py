"""Start-up: how long the light commands take, next to a bare Python.

    python benchmarks/startup.py
    python benchmarks/startup.py --runs 30

Every command is run in turn, several times over, each in a process of its own and in an empty folder; printed are the
median and the least wall time, and the least CPU time, in milliseconds. The first round is not counted: it fills the
disk's cache and writes byte code.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time

#: Name, arguments of Python, the goal in milliseconds.
COMMANDS: tuple[tuple[str, tuple[str, ...], int | None], ...] = (
    ("python -c pass", ("-c", "pass"), None),
    ('python -c "import typer"', ("-c", "import typer"), None),
    ("isheep --help", ("-m", "isheep", "--help"), 150),
    ("isheep recipes", ("-m", "isheep", "recipes"), None),
    ("isheep plan lamb", ("-m", "isheep", "plan", "lamb"), None),
    ("isheep plan lamb, 10 iterations", ("-m", "isheep", "plan", "lamb", "--set", "iterations=10"), 1000),
)


def once(arguments: tuple[str, ...], folder: str) -> tuple[float, float]:
    """Wall and CPU seconds of one command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for run in range(arguments.runs + 1):
            for name, command, _ in COMMANDS:
                found = once(command, folder)
                if run:
                    taken[name].append(found)
    print(f"{'command':<34}{'median':>8}{'least':>8}{'CPU':>8}{'goal':>8}  ms")
    for name, _, goal in COMMANDS:
        walls, cpus = zip(*taken[name], strict=True)
        figures = (statistics.median(walls), min(walls), min(cpus))
        print(f"{name:<34}" + "".join(f"{1000 * s:>8.0f}" for s in figures) + f"{goal or '':>8}")


if __name__ == "__main__":
    main()
