"""What watching a run costs for each record: counting it, telling of it, and showing it.

    python benchmarks/progress.py

Every way to watch is told of the same records, as a stage tells of them: one event each. Printed are microseconds a
record of processor time, that of the drawing thread included, the best of three.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable

from rich.console import Console

from isheep.events import Listener, Seldom, Teller
from isheep.records import Pair
from isheep.view_live import JsonLines, Lines, Quiet, Screen
from isheep.watch import Watch

RECORDS = 100_000


def microseconds(tell: Listener) -> float:
    """A record's share of the time it takes to tell of all."""
    teller = Teller(tell, "responses.0", 0)
    pair = Pair("0.000000.00", "x", "", "y", "stop", True, 20, 30)
    begun = time.process_time()
    for count in range(1, RECORDS + 1):
        teller.count([pair])
        teller.report(count, RECORDS, "answers")
    return (time.process_time() - begun) / RECORDS * 1e6


def ways() -> dict[str, Callable[[], Quiet]]:
    shown = Console(file=io.StringIO(), force_terminal=True, width=120)
    lines = Console(file=io.StringIO(), force_terminal=False)
    return {
        "a terminal": lambda: Screen(shown, Watch(30)),
        "log lines": lambda: Lines(lines, Watch(30)),
        "--quiet": lambda: Quiet(Watch(30)),
        "--json": lambda: JsonLines(Watch(30), io.StringIO()),
    }


def main() -> None:
    print(f"{'nobody listens':<16}{min(microseconds(lambda event: None) for _ in range(3)):6.2f} us a record")
    best = min(microseconds(Seldom(lambda event: None)) for _ in range(3))
    print(f"{'to a process':<16}{best:6.2f} us a record")
    for name, make in ways().items():
        spent = []
        for _ in range(3):
            with make() as live:
                spent.append(microseconds(live.tell))
        print(f"{name:<16}{min(spent):6.2f} us a record")
    print(f"{RECORDS:,} records, Python {sys.version.split()[0]}, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
