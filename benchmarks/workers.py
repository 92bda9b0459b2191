"""Two engines in workers of Ray against one engine, on the embedded model's real prompts; and against `map_batches`.

    python benchmarks/workers.py                  # 800 tasks, batches of 32, 3 rounds
    python benchmarks/workers.py --tasks 200

The prompts are those of one iteration of `isheep run lamb` (see generation.py), asked call by call as the stages ask
them, and all in one call. What counts is two workers with one thread each against one engine with one thread: twice the
same engine on twice the cores. One engine with two threads is what they replace on such a machine, so it stands beside.
Their results must be equal, or this program fails.

Seconds are of the clock, as what is shared out is time. Other work on the machine falls on both, but not evenly: so the
CPU time of one engine over that of the busier worker is printed as well, which is what an idle machine would give.
Each round runs all in turn; the best counts. Starting is told apart: Ray, two processes, two loaded models.

`map_batches` of Ray Data is given the same batches and the same engine class, once per call. It makes its actors anew
for each call, and so loads the models again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from generation import STAGES, prompts

from isheep.backends import open_engine
from isheep.backends.base import Engine, ModelSpec, Request, Runtime
from isheep.backends.ray import RayEngine
from isheep.backends.ray_cluster import joined
from isheep.files import model_path
from isheep.records import Completion

MODEL = ModelSpec(model_path("lamb"))
ONE, WIDE, TWO = "one, 1 thread", "one, 2 threads", "two workers"
#: Times one engine's speed that two are to reach.
GOAL = 1.8
#: Calls of map_batches; the first also starts what Ray Data needs once.
DATA_CALLS = 3

Results = dict[str, Completion]


#: Seconds of the clock, and CPU seconds of each process.
Spent = tuple[float, list[float]]


def timed(engine: Engine, calls: Sequence[Sequence[Request]]) -> tuple[Results, Spent]:
    """What it writes, and what that took."""
    before, start = cpu(engine), time.monotonic()
    written = {done.id: done for requests in calls for done in engine.generate(requests)}
    seconds = time.monotonic() - start
    return written, (seconds, [b - a for a, b in zip(before, cpu(engine), strict=True)])


def cpu(engine: Engine) -> list[float]:
    """CPU seconds used so far by each process that holds an engine."""
    if not isinstance(engine, RayEngine):
        return [time.process_time()]
    import ray

    actors = [hand.actor for hand in engine._pool._hands]
    return [ray.get(actor.__ray_call__.remote(lambda self: sum(os.times()[:2]))) for actor in actors]


class Loaded:
    """What map_batches keeps in an actor."""

    def __init__(self, runtime: Runtime) -> None:
        self.engine = open_engine("hf", MODEL, runtime)

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        done = [done for batch in rows["batch"] for done in self.engine.generate(batch)]
        return {"done": done}


def by_ray_data(batches: Sequence[Sequence[Request]], runtime: Runtime) -> Results:
    """The usual way: a dataset of batches, mapped by a pool of two actors."""
    import logging
    import warnings

    import ray

    warnings.simplefilter("ignore")
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    rows = ray.data.from_items(
        [{"batch": list(batch)} for batch in batches], override_num_blocks=len(batches)
    )
    pool = ray.data.ActorPoolStrategy(size=2)
    mapped = rows.map_batches(Loaded, batch_size=1, compute=pool, num_cpus=1, fn_constructor_args=(runtime,))
    return {row["done"].id: row["done"] for row in mapped.iter_rows()}


def fresh_start(runtime: Runtime) -> float:
    """Seconds from nothing to one loaded engine, in a process of its own."""
    code = (
        "from isheep.backends import open_engine; from isheep.backends.base import ModelSpec, Runtime;"
        f"open_engine('hf', ModelSpec({MODEL.base!r}), Runtime(device='cpu', threads={runtime.threads}))"
    )
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.monotonic() - start


def compared(
    engines: dict[str, Callable[[], Engine]], calls: Sequence[Sequence[Request]], rounds: int
) -> dict[str, Spent]:
    """Engine -> its best round by the clock. All must write the same."""
    best: dict[str, Spent] = {}
    expected: Results | None = None
    for _ in range(rounds):
        for name, engine in engines.items():
            written, spent = timed(engine(), calls)
            expected = expected or written
            if written != expected:
                raise SystemExit(f"{name} writes something else")
            best[name] = min(best.get(name, spent), spent)
    return best


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument(
        "--one-thread", action="store_true", help="on a machine with other work, two threads wait"
    )
    arguments = parser.parse_args()
    alone = Runtime(batch_size=arguments.batch, device="cpu", threads=1)
    two_workers = Runtime(batch_size=arguments.batch, device="cpu", threads=1, workers=2)
    asked = prompts(arguments.tasks, alone)
    calls = [requests for stage in STAGES for requests in asked[stage]]
    # Ids of one stage's calls differ from one another; those of different stages may not.
    at_once = [[request for requests in asked[stage] for request in requests] for stage in STAGES]
    print(f"{sum(map(len, calls)):,} prompts in {len(calls)} calls, batches of {arguments.batch}")

    one = open_engine("hf", MODEL, alone)
    start = time.monotonic()
    with joined(two_workers):
        ray_start = time.monotonic() - start
        two = open_engine("hf", MODEL, two_workers)
        print(
            f"to start: Ray {ray_start:.1f} s, two workers {time.monotonic() - start - ray_start:.1f} s;",
            end=" ",
        )
        print(f"one engine in a process of its own {fresh_start(alone):.1f} s")

        def threads(count: int) -> Engine:
            import torch

            torch.set_num_threads(count)
            return one

        engines: dict[str, Callable[[], Engine]] = {ONE: lambda: threads(1), TWO: lambda: two}
        if not arguments.one_thread:
            engines[WIDE] = lambda: threads(2)
        for what, parts in (("as the stages call", calls), ("one call per stage", at_once)):
            best = compared(engines, parts, arguments.rounds)
            print(f"{what}:")
            for name, (seconds, used) in best.items():
                print(f"  {name:<16}{seconds:8.1f} s, of CPU {' + '.join(f'{each:.1f}' for each in used)} s")
            (clock, (busy,)), (workers, shared) = best[ONE], best[TWO]
            print(
                f"  two workers are {clock / workers:.2f} times as fast as one with 1 thread (goal {GOAL}),",
                end=" ",
            )
            print(f"{busy / max(shared):.2f} by CPU time", end="")
            print(
                "" if arguments.one_thread else f"; {best[WIDE][0] / workers:.2f} times as one with 2 threads"
            )

        requests = max(asked["responses"], key=len)
        batches = [[requests[n] for n in batch] for batch in two.batches(requests)]
        expected, (seconds, _) = timed(two, [requests])
        two.close()
        print(f"a call with {len(requests)} prompts: workers that stay {seconds:.1f} s;", end=" ")
        spent = []
        for _ in range(DATA_CALLS):
            start = time.monotonic()
            if by_ray_data(batches, alone) != expected:
                raise SystemExit("map_batches writes something else")
            spent.append(time.monotonic() - start)
        print(f"map_batches {', '.join(f'{each:.1f}' for each in spent)} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
