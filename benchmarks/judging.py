"""Judging a pair: the expected score read from one forward pass, against a score the model writes.

    python benchmarks/judging.py                  # 800 answers of the embedded base, recipes/lamb.yaml's prompts
    python benchmarks/judging.py --answers 200 --longest 64

Both ways judge the same answers on both scales; the embedded model's world knows which answers are right, so how well a
way judges is its AUROC. The written way is asked as the released code asks: the judge writes up to `--longest` tokens
(cut to what the model's context holds) and the score is read from its text. The tokens told are those the judge
writes; for the expected score, the one position it is read from. What both read alike is told beside them. Seconds are
CPU time; the model is loaded before.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping

from isheep import load_recipe, make_plan
from isheep.backends import open_engine
from isheep.backends.base import Engine, ModelSpec, Query, Request, Runtime, Sampling
from isheep.files import PACKAGE, model_path
from isheep.lamb.world import check
from isheep.records import Pair
from isheep.stages.assessment import CHOICES, SCALES, expected_score
from isheep.stats import auroc
from isheep.step import do_step, fetch
from isheep.store import Store
from isheep.text.parse import parse_rating
from isheep.text.prompts import judge_text

RECIPE = load_recipe("lamb").recipe
#: The written score takes this many times the tokens of the expected one, at least.
GOAL = 50

#: (pair, scale) -> its score; None where it cannot be read.
Scores = dict[tuple[str, str], float | None]


def answers(count: int, runtime: Runtime) -> list[Pair]:
    """What the embedded base model answers to `count` tasks of its own, as in the first iteration of a run."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        for step in make_plan(load_recipe("lamb", [f"instructions.count={count}", "iterations=1"])).steps:
            if step.name in ("seeds", "instructions.0", "responses.0"):
                do_step(step, store, runtime, lambda event: None)
                if step.stage == "responses":
                    return fetch(store, step.ref).read(Pair)
    raise AssertionError("a plan has responses")


def expected(engine: Engine, prompts: Mapping[tuple[str, str], str]) -> tuple[Scores, int]:
    """Scores, and the positions they were read from."""
    ids = {f"{n}": key for n, key in enumerate(prompts)}
    queries = [Query(id, prompts[key], CHOICES) for id, key in ids.items()]
    found = {ids[c.id]: expected_score(c, RECIPE.assessment.min_mass) for c in engine.score(queries)}
    return found, len(found)


def written(engine: Engine, prompts: Mapping[tuple[str, str], str], longest: int) -> tuple[Scores, int]:
    """Scores, and the tokens written for them."""
    sampling = Sampling(longest, RECIPE.assessment.temperature, RECIPE.assessment.top_p)
    ids = {f"{n}": key for n, key in enumerate(prompts)}
    requests = [Request(id, prompts[key], sampling, seed=int(id)) for id, key in ids.items()]
    done = list(engine.generate(requests))
    return {ids[c.id]: parse_rating(c.text) for c in done}, sum(c.tokens for c in done)


def separation(scores: Scores, pairs: list[Pair]) -> tuple[float, int]:
    """AUROC of the mean of both scales over answers known to be right and to be wrong, and how many were read."""
    sides: dict[bool, list[float]] = {True: [], False: []}
    for pair in pairs:
        right, found = (
            check(pair.instruction, pair.input, pair.response),
            [scores[pair.id, s] for s in SCALES],
        )
        if right is not None and None not in found:
            sides[right].append(sum(score or 0 for score in found) / len(found))
    return auroc(sides[True], sides[False]) or 0.0, len(sides[True]) + len(sides[False])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=800)
    parser.add_argument("--longest", type=int, default=1000, help="tokens of a written verdict, at most")
    arguments = parser.parse_args()
    runtime = Runtime(batch_size=RECIPE.runtime.batch_size, device="cpu", threads=1)
    pairs = answers(arguments.answers, runtime)
    engine = open_engine("hf", ModelSpec(model_path("lamb")), runtime)
    prompts = {}
    for scale in SCALES:
        template = (PACKAGE / "prompts" / "judge" / "lamb" / f"{scale}.txt").read_text(encoding="utf-8")
        for p in pairs:
            prompts[p.id, scale] = judge_text(template, p.instruction, p.input, p.response)
    read = sum(engine.count(list(prompts.values())))
    print(
        f"{len(pairs)} pairs, both scales; {read / len(pairs):.0f} tokens of prompt a pair, read by both ways"
    )
    print(f"{'way':<12}{'tokens a pair':>15}{'CPU s':>9}{'AUROC':>8}{'pairs read':>12}")
    rows = {}
    for name in ("written", "expected"):
        start = time.process_time()
        scores, tokens = (
            expected(engine, prompts) if name == "expected" else written(engine, prompts, arguments.longest)
        )
        seconds = time.process_time() - start
        rows[name] = (tokens / len(pairs), seconds)
        found, count = separation(scores, pairs)
        print(f"{name:<12}{tokens / len(pairs):>15.1f}{seconds:>9.1f}{found:>8.3f}{count:>12}")
    tokens, seconds = (rows["written"][n] / rows["expected"][n] for n in (0, 1))
    print(
        f"written / expected: {tokens:.0f} times the tokens (goal {GOAL}), {seconds:.1f} times the CPU time"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
