"""Writing on a CPU: isheep's engine against `generate` in plain batches, on the embedded model's real prompts.

    python benchmarks/generation.py               # 800 tasks, one thread, 3 rounds
    python benchmarks/generation.py --tasks 200 --threads 2

The prompts are those of one iteration of `isheep run lamb`, taken down as the stages ask them: lists of tasks, answers,
held-out questions. The plain way is what one writes first: batches in arrival order, padded on the left,
`model.generate` with the recipe's own sampling and stop texts. Both have their model loaded before the clock starts and
draw from the same distribution, so the texts are of one kind; what is written behind a row's end is not counted.
Seconds are of CPU time, so other work on the machine matters little. Each round runs both in turn; the best counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any
from unittest import mock

import torch

from isheep import load_recipe, make_plan
from isheep.backends import open_engine
from isheep.backends.base import ModelSpec, Request, Runtime
from isheep.backends.hf import HFEngine
from isheep.files import model_path
from isheep.records import Completion
from isheep.step import do_step
from isheep.store import Store

#: Stages that write, in the order of the loop.
STAGES = ("instructions", "responses", "evaluate")
#: Rows of a batch, of both ways (recipes/lamb.yaml).
BATCH = 256
#: Times the plain way's speed that we want to reach.
GOAL = 3.0


def prompts(tasks: int, runtime: Runtime) -> dict[str, list[list[Request]]]:
    """Stage -> what it asks the engine, call by call, in an iteration of `tasks` tasks."""
    asked: dict[str, list[list[Request]]] = {stage: [] for stage in STAGES}
    generate = HFEngine.generate
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        for step in make_plan(load_recipe("lamb", [f"instructions.count={tasks}", "iterations=1"])).steps:
            if step.name.partition(".")[0] not in (*STAGES, "seeds", "tests") or step.iteration:
                continue

            def noted(
                self: HFEngine,
                requests: Sequence[Request],
                skip: Collection[str] = (),
                stage: str = step.stage,
            ) -> Iterator[Completion]:
                asked[stage].append(list(requests))
                return generate(self, requests, skip)

            with mock.patch.object(HFEngine, "generate", noted):
                do_step(step, store, runtime, lambda event: None)
    return asked


def ours(engine: Any, calls: Sequence[Sequence[Request]]) -> tuple[int, float]:
    """Tokens written and CPU seconds."""
    start = time.process_time()
    tokens = sum(done.tokens for requests in calls for done in engine.generate(requests))
    return tokens, time.process_time() - start


def plain(engine: Any, calls: Sequence[Sequence[Request]]) -> tuple[int, float]:
    """The same by `generate`."""
    start = time.process_time()
    tokens = 0
    for requests in calls:
        for sampling in dict.fromkeys(r.sampling for r in requests):
            chosen = [r for r in requests if r.sampling == sampling]
            for at in range(0, len(chosen), BATCH):
                tokens += _batch(engine, chosen[at : at + BATCH])
    return tokens, time.process_time() - start


def _batch(engine: Any, requests: Sequence[Request]) -> int:
    model, tokenizer, sampling = engine.model, engine.tokenizer, requests[0].sampling
    inputs = tokenizer(
        [r.prompt for r in requests], return_tensors="pt", padding=True, return_token_type_ids=False
    )
    width = inputs["input_ids"].shape[1]
    drawing: dict[str, Any] = {"do_sample": False}
    if sampling.temperature > 0:
        drawing = {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": 0,
        }
    with torch.inference_mode():
        written = model.generate(
            **inputs, **drawing, max_new_tokens=min(sampling.max_tokens, engine.context - width),
            stop_strings=list(sampling.stops) or None, tokenizer=tokenizer, pad_token_id=tokenizer.pad_token_id,
        )[:, width:]  # fmt: skip
    tokens = 0
    for row in written:
        real = row[row != tokenizer.pad_token_id]
        tokenizer.decode(real, skip_special_tokens=True)
        tokens += len(real)
    return tokens


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=800)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    runtime = Runtime(batch_size=BATCH, device="cpu", threads=arguments.threads)
    calls = prompts(arguments.tasks, runtime)
    engine = open_engine("hf", ModelSpec(model_path("lamb")), runtime)
    best = {(way, stage): 0.0 for way in (plain, ours) for stage in STAGES}
    spent = {way: float("inf") for way in (plain, ours)}
    for _ in range(arguments.rounds):
        for way in (plain, ours):
            total = 0.0
            for stage in STAGES:
                tokens, seconds = way(engine, calls[stage])
                best[way, stage] = max(best[way, stage], tokens / seconds)
                total += seconds
            spent[way] = min(spent[way], total)
    print(f"{'stage':<14}{'prompts':>9}{'generate tokens/s':>19}{'isheep':>9}{'ratio':>8}")
    for stage in STAGES:
        one, other = best[plain, stage], best[ours, stage]
        print(f"{stage:<14}{sum(map(len, calls[stage])):>9,}{one:>19,.0f}{other:>9,.0f}{other / one:>8.1f}")
    print(
        f"all: {spent[plain]:.1f} s against {spent[ours]:.1f} s, {spent[plain] / spent[ours]:.1f} times (goal {GOAL:g})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
