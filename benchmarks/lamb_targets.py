"""What lamb reaches, over several seeds: the table of docs/lamb.md.

    python benchmarks/lamb_targets.py --store lamb-targets --seeds 5 > table.md

Runs the shipped recipe, and beside it the unfiltered arm: the same count of pairs, drawn at random, no self-assessment.
Both arms share a store, so the base model's part runs once per seed. Resumable. Intervals are Student's t over seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

from isheep import load_recipe, run, summarize

ARMS = {
    "isheep": [],
    "unfiltered": ["assessment.level=none", "filter.by=random"],
}
STEPS = ("instructions", "responses", "assessment", "filter", "train")


def interval(values: Sequence[float]) -> str:
    """Mean with its 95 % t interval over seeds."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    half = student.ppf(0.975, len(values) - 1) * stdev(values) / len(values) ** 0.5
    return f"{mean(values):.3f} ({mean(values) - half:.3f} to {mean(values) + half:.3f})"


def accuracy(summary: dict[str, Any], iteration: int, metric: str) -> float:
    """One model's accuracy; the base model in its best layout."""
    scores = summary["iterations"][iteration]["scores"]
    return float(next(s["value"] for s in scores if s["metric"] == metric))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, default=Path("lamb-targets"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--first-seed", type=int, default=10, help="10: seeds below were used to tune the recipe"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as for isheep run")
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for arm, change in ARMS.items():
            recipe = load_recipe("lamb", [*options.set, *change], seed=seed)
            found[arm].append(summarize(run(recipe, options.store, f"{arm}-seed{seed}")))
    print_table(found)


def print_table(found: dict[str, list[dict[str, Any]]]) -> None:
    """Markdown: accuracies per model and arm, gains, the judge, seconds."""
    last = len(found["isheep"][0]["iterations"]) - 1
    for metric in ("accuracy_greedy", "accuracy_sampled"):
        print(f"\n{metric}, mean over {len(found['isheep'])} seeds (95 % t interval)\n")
        print("| model | isheep | unfiltered | isheep, each seed |\n|---|---|---|---|")
        for t in range(last + 1):
            cells = [[accuracy(s, t, metric) for s in found[arm]] for arm in ARMS]
            name = "base (best layout)" if t == 0 else f"M{t}"
            each = " ".join(f"{v:.3f}" for v in cells[0])
            print(f"| {name} | {interval(cells[0])} | {interval(cells[1])} | {each} |")
        ours = found["isheep"]
        gains = [accuracy(s, last, metric) - accuracy(s, 0, metric) for s in ours]
        print(f"\nM{last} minus base: {interval(gains)}")
        for t in range(1, last + 1):
            steps = [accuracy(s, t, metric) - accuracy(s, t - 1, metric) for s in ours]
            print(f"\nM{t} minus M{t - 1}: {interval(steps)}")
        pairs = zip(ours, found["unfiltered"], strict=True)
        over = [accuracy(a, last, metric) - accuracy(b, last, metric) for a, b in pairs]
        print(f"\nM{last} minus unfiltered M{last}: {interval(over)}")
    print(
        "\n| iteration | AUROC | right of all | right of kept | new tasks | kept | seconds (no evaluation) |"
    )
    print("|---|---|---|---|---|---|---|")
    for t in range(last):
        entries = [s["iterations"][t] for s in found["isheep"]]
        judged = [e["assessment"] for e in entries]
        seconds = [
            sum(e["seconds"][s] for s in STEPS if s != "train")
            + summary["iterations"][t + 1]["seconds"]["train"]
            for e, summary in zip(entries, found["isheep"], strict=True)
        ]
        print(
            f"| {t} | {interval([j['auroc'] for j in judged])} "
            f"| {interval([j['right']['value'] for j in judged])} "
            f"| {interval([j['right_kept']['value'] for j in judged])} "
            f"| {mean(e['instructions'] for e in entries):.0f} "
            f"| {mean(e['kept'] for e in entries):.0f} | {mean(seconds):.1f} |"
        )


if __name__ == "__main__":
    main()
