"""How fast `isheep browse` answers a filtered search over 100,000 records.

    python benchmarks/browse.py            # 100,000 records; some minutes at most, most of it making them up
    python benchmarks/browse.py 20000

Makes a synthetic index (no model, no run): tasks and answers of words drawn as unevenly as a language's, three
iterations, reasons, scores, shots. Then asks the app as a browser does, by HTTP over loopback, and prints the median
and the 95th percentile of each search, and of all of them; `cpu` is the processor time of both sides, which a busy
machine does not change.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import uvicorn

from isheep.look import app as look
from isheep.look import index
from isheep.records import Decision, Instruction, Pair
from isheep.runs import Run, open_run
from isheep.web.local import Place, listen, local_app, port_of

REPEATS = 15
WORDS = 30_000
SEARCHES: dict[str, dict[str, str]] = {
    "first page": {},
    "kept, best mean first": {"status": "kept", "sort": "mean", "down": "1"},
    "a common word": {"q": "w3"},
    "a common word, kept, iteration 1": {"q": "w3", "status": "kept", "iteration": "1"},
    "a rare word": {"q": "w21234"},
    "two words, scores 6 to 9": {"q": "w10 w25", "low": "6", "high": "9"},
    "a phrase": {"q": '"w1 w2"'},
    "one word and not another": {"q": "w40 -w1"},
    "a beginning, sorted by words": {"q": "w12", "sort": "length", "down": "1"},
    "one reason, sorted by task": {"reason": "near_duplicate", "sort": "instruction"},
    "all, sorted by answer, page 900": {"sort": "response", "page": "900"},
    "one seed task, kept": {"seed": "seed-007", "status": "kept"},
}


def made_up(count: int) -> Iterator[index.Row]:
    """Rows as a run of three iterations has them."""
    rng = random.Random(0)
    weights = [1 / (n + 1) for n in range(WORDS)]  # Zipf
    drawn = iter(())

    def words(n: int) -> str:
        nonlocal drawn
        found = []
        while len(found) < n:
            word = next(drawn, None)
            if word is None:
                drawn = iter(rng.choices(range(WORDS), weights, k=200_000))
            else:
                found.append(f"w{word}")
        return " ".join(found)

    for n in range(count):
        iteration = 3 * n // count
        id = f"{iteration}.{n // 6:06d}.{n % 6:02d}"
        shots = tuple(f"seed-{s:03d}" for s in rng.sample(range(175), 5))
        reason = rng.choice(("near_duplicate", "length")) if rng.random() < 0.3 else None
        task = Instruction(id, words(rng.randint(5, 30)), "", shots, id[:-3], reason)
        if reason:
            yield index.Row(id, task, iteration)
            continue
        kept = rng.random() < 0.4
        scores: dict[str, float | None] = {"quality": rng.uniform(3, 10), "following": rng.uniform(3, 10)}
        pair = Pair(id, task.instruction, "", words(rng.randint(5, 120)), "stop", True, 50, 80)
        decision = Decision(id, kept, None if kept else "not_in_best", scores["quality"], scores["following"])
        yield index.Row(id, task, iteration, pair, decision, scores, (iteration + 1,) if kept else ())


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder:
        run = _run(Path(folder))
        index.rows = lambda _: made_up(count)  # everything behind it is as in the product
        started = time.perf_counter()
        path = index.open_index(run)
        took = time.perf_counter() - started
        print(
            f"{count:,} records, index of {path.stat().st_size / 1e6:.0f} MB made in {took:.1f} s, "
            f"{os.cpu_count()} CPUs"
        )
        _measure(run)


def _run(folder: Path) -> Run:
    """A run whose index can be made: the smallest there is."""
    from isheep import load_recipe
    from isheep import run as run_recipe

    done = run_recipe(load_recipe("fake", ["iterations=0", "evaluate.tasks=[]"]), folder)
    return open_run(done.name, folder)


def _measure(run: Run) -> None:
    sock = listen()
    place = Place(port_of(sock))
    app = local_app(look.Look(run).routes(), place, static={"look": "isheep.look"})
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    headers = {"Cookie": f"{place.cookie}={place.token}", "HX-Request": "true", "HX-Target": "results"}
    every: list[float] = []
    print(f"{'search':36} {'records':>9} {'median':>9} {'p95':>9} {'cpu':>9}   (ms, {REPEATS} times each)")
    try:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", place.port)) as asked:
            for name, query in SEARCHES.items():
                times = []
                began = time.process_time()
                for _ in range(REPEATS):
                    started = time.perf_counter()
                    asked.request("GET", f"/?{urlencode(query)}", headers=headers)
                    answer = asked.getresponse()
                    body = answer.read().decode()
                    times.append(1000 * (time.perf_counter() - started))
                    assert answer.status == 200, body
                cpu = 1000 * (time.process_time() - began) / REPEATS
                total = body.partition("<strong>")[2].partition("</strong>")[0] or "0"
                print(f"{name:36} {total:>9} {statistics.median(times):9.1f} {_p95(times):9.1f} {cpu:9.1f}")
                every += times
    finally:
        server.should_exit = True
        thread.join()
    print(f"{'all':36} {'':>9} {statistics.median(every):9.1f} {_p95(every):9.1f}")


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


if __name__ == "__main__":
    main()
