"""How the cost of each stage grows with the work: at 1k, 10k and 100k records, with the fitted exponent.

    python benchmarks/growth.py                   # 1k and 10k: some minutes
    python benchmarks/growth.py --sizes 1000 10000 100000

The recipe `fake` runs once at each size: a model that costs next to nothing writes, so what is timed is isheep's own
work: prompts, parsing, rules, near-duplicates, journals, publishing. Seconds are CPU time of the step. An exponent of 1
is work in proportion to the records.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Sequence

from isheep import load_recipe, make_plan
from isheep.step import do_step
from isheep.store import Store
from isheep.walk import runtime_of


def costs(count: int) -> dict[str, float]:
    """Stage -> CPU seconds, for one iteration of `count` tasks."""
    # The fake has few words: a task is a near-duplicate only when it is hardly different.
    near = "instructions.overlap.threshold=0.95"
    recipe = load_recipe("fake", [f"instructions.count={count}", near, "iterations=1", "evaluate.tasks=[]"])
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        runtime = runtime_of(recipe.recipe.runtime, store)
        for step in make_plan(recipe).steps:
            start = time.process_time()
            do_step(step, store, runtime, lambda event: None)
            spent[step.stage] = spent.get(step.stage, 0) + time.process_time() - start
    return spent


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Slope of the last two sizes in logarithms: what more work will cost."""
    return math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000])
    sizes = parser.parse_args().sizes
    rows = [costs(size) for size in sizes]
    print(f"{'stage':<16}" + "".join(f"{size:>12,}" for size in sizes) + f"{'exponent':>10}")
    for stage in rows[0]:
        seconds = [row[stage] for row in rows]
        tells = len(sizes) > 1 and seconds[-1] > 0.05
        shown = f"{exponent(sizes, seconds):>10.2f}" if tells else f"{'':>10}"
        print(f"{stage:<16}" + "".join(f"{s:>11.2f}s" for s in seconds) + shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
