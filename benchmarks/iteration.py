"""A whole iteration on the embedded model: isheep against the same algorithm written plainly (plain_loop.py).

    python benchmarks/iteration.py                # 2,000 tasks, both ways: about ten minutes on two cores
    python benchmarks/iteration.py --tasks 400

Both write the tasks, answer them, judge both scales, keep the best half, train, and test the new model on the held-out
questions, each in a process of its own that starts cold. isheep's share has, beside that, the contamination check, the
probes of the judge and a store that survives a kill at any moment; both are timed on the wall, on the same machine,
one after the other. Accuracies are told so that nobody has to believe that both ways do the work.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from isheep import load_recipe, make_plan
from isheep.records import Score
from isheep.step import fetch
from isheep.store import Store
from isheep.walk import Hands, runtime_of

HERE = Path(__file__).parent
GOAL = 10.0
#: Stages of both ways, in order.
STAGES = ("instructions", "responses", "assessment", "filter", "train", "evaluate")


def ours(tasks: int, folder: Path) -> None:
    """One iteration by isheep: all steps of the plan but the base model's test and the judge's exam."""
    recipe = load_recipe(
        "lamb", [f"instructions.count={tasks}", "iterations=1", "exam.questions=0", "exam.constraints=0"]
    )
    store = Store(folder)
    spent: dict[str, float] = {}
    reached = {}
    with Hands(
        recipe.recipe.runtime, store, runtime_of(recipe.recipe.runtime, store), lambda e: None
    ) as hands:
        for step in make_plan(recipe).steps:
            if step.name == "evaluate.0":
                continue
            start = time.perf_counter()
            hands.do(step)
            name = step.stage if step.stage in STAGES else "else"
            spent[name] = spent.get(name, 0) + time.perf_counter() - start
            if step.stage == "evaluate":
                scores = fetch(store, step.ref).read(Score)
                reached = {s.decoding: s.value for s in scores if s.metric == "accuracy"}
    print(json.dumps({"seconds": spent, "accuracy": reached}))


def timed(command: list[str]) -> tuple[float, dict[str, dict[str, float]]]:
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return time.perf_counter() - start, json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        ours(arguments.tasks, Path(arguments.child))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        me, count = [sys.executable, str(HERE / "iteration.py")], str(arguments.tasks)
        ourselves, one = timed([*me, "--tasks", count, "--child", f"{folder}/store"])
        plain, other = timed([sys.executable, str(HERE / "plain_loop.py"), count, f"{folder}/plain"])
    print(f"{'stage':<14}{'plain, s':>10}{'isheep, s':>11}{'ratio':>8}")
    for stage in STAGES:
        a, b = other["seconds"].get(stage, 0), one["seconds"].get(stage, 0)
        print(f"{stage:<14}{a:>10.1f}{b:>11.1f}{a / b:>8.1f}")
    print(f"{'whole process':<14}{plain:>10.1f}{ourselves:>11.1f}{plain / ourselves:>8.1f} (goal {GOAL:g})")
    for name, found in (("plain", other["accuracy"]), ("isheep", one["accuracy"])):
        print(f"{name}: " + ", ".join(f"{decoding} {value:.1%}" for decoding, value in sorted(found.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
