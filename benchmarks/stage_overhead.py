"""What a stage costs beside its engine: its wall time against the bare engine fed with the same prompts.

    python benchmarks/stage_overhead.py
    python benchmarks/stage_overhead.py --count 100 --rounds 1        # a quick look

One iteration of the recipe lamb, up to the training. What each stage asks of the engine is noted down once; then the
stage (reading its inputs, prompts, parsing, journal, publishing) and the bare engine, asked the very same, take turns.
The engine is loaded in both cases. The median of the rounds counts. Stages below the line have no engine: they are
pure addition to an iteration's time.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

from isheep import load_recipe, make_plan
from isheep.engines import Engines
from isheep.stages import STAGE_BY_NAME
from isheep.step import do_step
from isheep.store import Artifact, Store
from isheep.walk import runtime_of

#: What an engine is asked: the method's name and the items.
Question = tuple[str, Sequence[Any]]


class Noting:
    """An engine that notes what it is asked."""

    def __init__(self, engine: Any, asked: list[Question]) -> None:
        self._engine, self._asked = engine, asked

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        return partial(self._note, name, found) if name in ("generate", "score", "likelihood") else found

    def _note(
        self,
        name: str,
        method: Callable[..., Iterator[Any]],
        items: Sequence[Any],
        skip: Collection[str] = (),
    ) -> Iterator[Any]:
        self._asked.append((name, list(items)))
        return method(items, skip)


class Watched(Engines):
    """The engine stays open over all rounds; `noting` says where questions are noted, if at all."""

    noting: list[Question] | None = None

    def open(self, *args: Any) -> Any:
        engine = super().open(*args)
        return engine if self.noting is None else Noting(engine, self.noting)


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ask(engine: Any, asked: Sequence[Question]) -> None:
    for name, items in asked:
        for _ in getattr(engine, name)(items):
            pass


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=400, help="instructions to write")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    recipe = load_recipe("lamb", [f"instructions.count={arguments.count}", "iterations=1"])
    total = {"stage": 0.0, "bare": 0.0}
    cheap: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        store, engines = Store(folder), Watched()
        runtime = runtime_of(recipe.recipe.runtime, store)
        print(f"{'stage':<16}{'stage s':>10}{'bare s':>10}{'ratio':>8}")
        for step in make_plan(recipe).steps:
            if STAGE_BY_NAME[step.stage].needs == "train":
                break

            def work(step: Any = step) -> Artifact:
                return do_step(step, store, runtime, lambda event: None, engines)

            engines.noting = []
            took = seconds(work)
            asked, engines.noting = engines.noting, None
            if not asked:
                cheap.append(f"{step.name:<16}{took:>10.2f}")
                continue
            taken: dict[str, list[float]] = {"stage": [], "bare": []}
            for _ in range(arguments.rounds):
                shutil.rmtree(work().folder)
                taken["stage"].append(seconds(work))
                engine = engines.open(step.backend, step.model, runtime)
                taken["bare"].append(seconds(partial(ask, engine, asked)))
            stage, bare = (statistics.median(taken[way]) for way in ("stage", "bare"))
            total["stage"] += stage
            total["bare"] += bare
            print(f"{step.name:<16}{stage:>10.2f}{bare:>10.2f}{stage / bare:>8.3f}", flush=True)
        engines.close()
    print(f"{'all':<16}{total['stage']:>10.2f}{total['bare']:>10.2f}{total['stage'] / total['bare']:>8.3f}")
    print("-" * 26 + "\n" + "\n".join(cheap))
    return 0


if __name__ == "__main__":
    sys.exit(main())
