"""A process that uses one lock: `locker.py PATH COUNTER TURNS [elsewhere]`. It says "held" each time it holds it.

While it holds the lock it adds one to a number in a file, in two steps that another could come between. With
"elsewhere" it says of itself that it runs on another machine, so that nobody here can tell whether it is alive.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from isheep.store import lock, owner


def main() -> None:
    path, counter, turns = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    if "elsewhere" in sys.argv:
        owner._boot = lambda: "another machine"  # type: ignore[assignment]
    place = lock.at(path)
    for _ in range(turns):
        while (held := place.take()) is None:
            time.sleep(0.002)
        number = int(counter.read_text()) if counter.exists() else 0
        print("held", flush=True)
        time.sleep(0.005)
        held.check()
        counter.write_text(str(number + 1))
        held.release()
    if not turns:  # hold it until the end
        assert place.take() is not None
        print("held", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    main()
