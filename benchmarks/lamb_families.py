"""Where a run of lamb gains and where its judge is blind, family by family.

    python benchmarks/lamb_families.py RUN --store DIR

Greedy accuracy of every model on the held-out questions of each family, and, per iteration, how well the judge
tells right from wrong answers within one family (AUROC of the mean score, weighted by answers; only families with at
least three of each).
"""

from __future__ import annotations

import argparse
from collections import defaultdict

from isheep import Run, open_run
from isheep.lamb.families import FAMILIES
from isheep.lamb.world import check, family
from isheep.records import Answer, Pair, Verdict
from isheep.stats import auroc
from isheep.text.verdicts import mean_scores


def accuracies(run: Run, iteration: int) -> dict[str, float]:
    """Family -> greedy accuracy in the run's layout."""
    cells: dict[str, list[bool]] = defaultdict(list)
    for answer in run.artifacts("evaluate")[iteration].read(Answer):
        if answer.decoding == "greedy" and answer.layout == run.recipe.model.layout:
            cells[answer.group].append(answer.correct)
    return {name: sum(cell) / len(cell) for name, cell in cells.items()}


def within(run: Run, iteration: int) -> float | None:
    """Mean AUROC of the judge within families."""
    scores = mean_scores(run.artifacts("assessment")[iteration].read(Verdict))
    cells: dict[str | None, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for pair in run.artifacts("responses")[iteration].read(Pair):
        right = check(pair.instruction, pair.input, pair.response)
        if right is not None and pair.id in scores:
            cells[family(pair.instruction, pair.input)][0 if right else 1].append(scores[pair.id])
    found = [(len(r) + len(w), auroc(r, w)) for r, w in cells.values() if min(len(r), len(w)) >= 3]
    total = sum(n for n, _ in found)
    return sum(n * (value or 0) for n, value in found) / total if total else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", nargs="?", default="last")
    parser.add_argument("--store", default="isheep-store")
    options = parser.parse_args()
    run = open_run(options.run, options.store)
    models = range(run.recipe.iterations + 1)
    by_model = [accuracies(run, t) for t in models]
    print(
        "| family | level | "
        + " | ".join(f"M{t}" for t in models)
        + " |\n|---|---"
        + "|---" * len(models)
        + "|"
    )
    for f in sorted(FAMILIES, key=lambda f: f.level):
        if f.name in by_model[0]:
            print(f"| {f.name} | {f.level} | " + " | ".join(f"{m[f.name]:.2f}" for m in by_model) + " |")
    for t in range(run.recipe.iterations):
        value = within(run, t)
        print(f"\nAUROC within families, iteration {t}: {'unknown' if value is None else f'{value:.2f}'}")


if __name__ == "__main__":
    main()
