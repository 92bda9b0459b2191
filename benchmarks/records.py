"""Records at size: a filter step over N scored pairs, read, decided, journalled and published, against the plain way.

    python benchmarks/records.py               # 1,000, 10,000 and 100,000 pairs
    python benchmarks/records.py --million     # 1,000,000 as well: the goal is 60 s and 2 GB

The pairs are made by a seeded generator from the sentences of the shipped seed tasks: answers with a median of 57 words
(as the paper's), two verdicts each. They are published as the artifacts of two steps; then the filter step is done on
them by the product's own `do_step`, once with the paper's threshold and rules and once keeping the best 30 %. The plain
way is what one writes first: `datasets.load_dataset("json")`, the scores in a dict, `map`, `to_json`. Its decisions
must be the same as the step's, or this program fails. Everything runs in a process of its own, whose peak memory is the
kernel's own figure (VmHWM).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

MEDIAN_WORDS = 57
#: Spread of the logarithm of an answer's length: a tenth is above 180 words.
SPREAD = 0.9
SETTINGS: dict[str, dict[str, Any]] = {
    "threshold": {},
    "keep_fraction": {"threshold": None, "keep_fraction": 0.3},
}
GOAL_SECONDS, GOAL_GB = 60.0, 2.0


def made(count: int, seed: int = 0) -> Iterator[tuple[dict[str, Any], dict[str, float]]]:
    """Fields of a Pair, and its score by scale."""
    from isheep.files import PACKAGE

    tasks = [json.loads(line) for line in (PACKAGE / "seeds" / "general.jsonl").open(encoding="utf-8")]
    sentences = [s for task in tasks for s in task["output"].split("\n") if s]
    rng = random.Random(seed)
    for number in range(count):
        task = rng.choice(tasks)
        words = min(700, round(rng.lognormvariate(math.log(MEDIAN_WORDS), SPREAD)))
        parts: list[str] = []
        while words > 0:
            part = rng.choice(sentences)
            parts.append(part)
            words -= part.count(" ") + 1
        response = " ".join([*parts[:-1], " ".join(parts[-1].split(" ")[: words - 1 or None])])
        quality = rng.gauss(8.0, 0.8)
        following = quality + rng.gauss(0.0, 0.5)
        fields = {
            "id": f"0.{number // 5:06d}.{number % 5:02d}",
            "instruction": f"{task['instruction']} ({number})",
            "input": task["input"],
            "response": response,
            "finish": "length" if rng.random() < 0.03 else "stop",
            "ended": True,
            "prompt_tokens": rng.randint(20, 80),
            "tokens": len(response) // 4 + 1,
        }
        yield fields, {"quality": min(10.0, quality), "following": min(10.0, following)}


def publish(store_folder: Path, count: int) -> None:
    """The artifacts that a filter step reads: pairs, and two verdicts on each."""
    from isheep.records import Pair, Verdict
    from isheep.store import Store, artifacts

    def verdicts() -> Iterator[Verdict]:
        rng = random.Random(1)
        for fields, by_scale in made(count):
            for scale, score in by_scale.items():
                id = fields["id"]
                yield Verdict(f"{id}/{scale}", id, scale, score, "", rng.randint(200, 400), 0, rng.random())

    store = Store(store_folder)
    for stage, cls, records in (
        ("responses", Pair, (Pair(**fields) for fields, _ in made(count))),
        ("assessment", Verdict, verdicts()),
    ):
        with store.claim(stage, f"{stage}{count}") as claim:
            assert not isinstance(claim, artifacts.Artifact)
            for record in records:
                claim.journal.append(record)
            claim.publish({}, [cls])


def filtered(store_folder: Path, count: int, way: str) -> None:
    """The filter step, by the product."""
    from isheep.backends.base import Runtime
    from isheep.stages.sieves import FilterSettings
    from isheep.step import do_step
    from isheep.steps import Step, StepRef
    from isheep.store import Store

    inputs = {role: (StepRef(role, f"{role}{count}"),) for role in ("responses", "assessment")}
    step = Step("filter.0", "filter", 0, f"{way}{count}", FilterSettings(**SETTINGS[way]), inputs)
    do_step(step, Store(store_folder), Runtime(), lambda event: None)


def plain(store_folder: Path, count: int, way: str) -> None:
    """The threshold filter as one would write it first, with the datasets library."""
    from datasets import disable_progress_bars, load_dataset

    from isheep.text.released import DEFAULT_RESPONSE_RULES
    from isheep.text.rules import response_reason

    disable_progress_bars()

    def load(stage: str, name: str) -> Any:
        path = store_folder / "artifacts" / stage / f"{stage}{count}" / name
        return load_dataset(
            "json", data_files=str(path), split="train", cache_dir=str(store_folder / "cache")
        )

    scores: dict[str, dict[str, float]] = {}
    for verdict in load("assessment", "verdict.jsonl"):
        scores.setdefault(verdict["pair"], {})[verdict["scale"]] = verdict["score"]

    def decide(pair: dict[str, Any]) -> dict[str, Any]:
        by_scale = scores[pair["id"]]
        reason = response_reason(
            pair["instruction"], pair["input"], pair["response"], pair["finish"], DEFAULT_RESPONSE_RULES
        )
        if reason is None:
            reason = next((f"low_{s}" for s, v in sorted(by_scale.items()) if v <= 8), None)
        return {"kept": reason is None, "reason": reason or "", **by_scale}

    pairs = load("responses", "pair.jsonl")
    others = [name for name in pairs.column_names if name != "id"]
    pairs.map(decide, remove_columns=others).to_json(str(store_folder / f"plain{count}.jsonl"))


def same(store_folder: Path, count: int) -> bool:
    """Whether both ways took the same decision on every pair."""
    ours = store_folder / "artifacts" / "filter" / f"threshold{count}" / "decision.jsonl"
    with ours.open() as one, (store_folder / f"plain{count}.jsonl").open() as two:
        pairs = [(json.loads(a), json.loads(b)) for a, b in zip(one, two, strict=True)]
    return all(a["id"] == b["id"] and (a["reason"] or "") == b["reason"] for a, b in pairs)


WAYS: dict[str, Callable[[Path, int, str], None]] = {
    "publish": lambda folder, count, _: publish(folder, count),
    "threshold": filtered,
    "keep_fraction": filtered,
    "plain": plain,
}


def child(way: str, count: int, folder: Path) -> None:
    """Do one thing and print what it took; imports count, as they do for a step of a run."""
    wall = time.monotonic()
    WAYS[way](folder, count, way)
    wall = time.monotonic() - wall
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    taken = {"wall": wall, "cpu": time.process_time(), "gb": peak / 1e9}
    print(json.dumps(taken))


def measure(way: str, count: int, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", way, str(count), str(folder)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    taken: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return taken


def exponent(times: dict[int, float]) -> str:
    """p of time ~ N^p between the two largest sizes, start-up (the smallest size's time) taken off."""
    base, (n, one), (m, two) = min(times.values()), *islice(sorted(times.items())[-2:], 2)
    return f"{math.log((two - base) / (one - base)) / math.log(m / n):.2f}" if one > base else "-"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--million", action="store_true", help="1,000,000 pairs as well (some minutes, 4 GB of disk)"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        way, count, folder = arguments.child
        child(way, int(count), Path(folder))
        return 0

    sizes = [*arguments.sizes, *([1_000_000] if arguments.million else [])]
    found: dict[str, dict[int, dict[str, float]]] = {way: {} for way in ("publish", *arguments.ways)}
    equal = True
    print(f"{'way':<15}{'pairs':>10}{'wall s':>9}{'CPU s':>9}{'peak GB':>9}{'pairs/s':>10}")
    for count in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for way, by_size in found.items():
                taken = by_size[count] = measure(way, count, Path(folder))
                rate = count / taken["wall"]
                print(
                    f"{way:<15}{count:>10,}{taken['wall']:>9.1f}{taken['cpu']:>9.1f}{taken['gb']:>9.2f}{rate:>10,.0f}",
                    flush=True,
                )
            equal = equal and ("plain" not in found or "threshold" not in found or same(Path(folder), count))
    for way, by_size in found.items():
        if len(by_size) > 2:
            print(f"{way}: CPU grows as N^{exponent({n: taken['cpu'] for n, taken in by_size.items()})}")
    most = sizes[-1]
    if "plain" in found and "threshold" in found:
        one, two = found["plain"][most], found["threshold"][most]
        ratios = ", ".join(
            f"{name} {one[key] / two[key]:.1f}x"
            for name, key in (("wall", "wall"), ("CPU", "cpu"), ("memory", "gb"))
        )
        print(f"plain / isheep at {most:,}: {ratios}; decisions equal: {equal}")
    if arguments.million:
        print(f"goal at 1,000,000: {GOAL_SECONDS:.0f} s and {GOAL_GB:.0f} GB")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
