"""A process that does one step: `worker.py STORE KEY COUNT PAUSE`. It says what happens, a line each.

A stand-in for a run: it skips what the journal holds, pauses before every record, and publishes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from isheep.records import Completion, Score
from isheep.store import Artifact, Claim, Store


def work(claim: Claim, count: int, pause: float) -> Artifact:
    written = {record.id for record in claim.journal.read(Completion)}
    for i in reversed(range(count)):
        name = f"c{i:04}"
        if name not in written:
            time.sleep(pause)
            claim.journal.append(Completion(name, f"line {i}\nwith ünicode \u2028", "stop", i, i))
    claim.journal.append(Score("s", "task", "accuracy", 0.5, count, 0.25, 0.75))
    (claim.folder / "adapter").mkdir(exist_ok=True)
    (claim.folder / "adapter" / "weights.bin").write_bytes(bytes(range(256)))
    (claim.folder / ".checkpoints").mkdir(exist_ok=True)
    (claim.folder / ".checkpoints" / "last").write_text("half way")
    return claim.publish({"process": os.getpid(), "time": time.time()}, [Completion, Score])


#: Records of a step in the tests of remote stores.
COUNT = 3


def publish(store: Store, key: str) -> Artifact:
    """Do the step if need be, and keep it where the store is."""
    with store.claim("score", key) as held:
        return store.keep(work(held, COUNT, 0) if isinstance(held, Claim) else held)


def whole(folder: Path, key: str, picture: Callable[[Path], dict[str, bytes]]) -> dict[str, bytes]:
    """What it comes to where nothing happens to it."""
    return picture(publish(Store(folder / "unbroken"), key).folder)


def say(*words: object) -> None:
    print(*words, flush=True)


def main() -> None:
    root, key, count, pause = sys.argv[1:]
    with Store(Path(root)).claim("score", key, on_wait=lambda message: say("waiting", message)) as held:
        if isinstance(held, Claim):
            say("claimed", len(held.journal))
            work(held, int(count), float(pause))
            say("published")
        else:
            say("found")


if __name__ == "__main__":
    main()
