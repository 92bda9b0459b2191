"""Kill every step of a run after every record, go on, and compare: `python kill_everywhere.py FOLDER`.

A process of its own, as it forks: each kill is a true one (no `finally` runs), and so is each lock left behind.
Prints "N kills of M steps" when every resumed step ended record for record like the unbroken one.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from everything import everything
from isheep.backends.base import Runtime
from isheep.plan import Step, make_plan
from isheep.records import Record
from isheep.step import do_step
from isheep.store import Journal, Store
from isheep.walk import run
from toy import contents, toy

os.fsync = lambda handle: None  # no power is cut here; 1000 fsyncs would take a minute
KILLED = 9


def runs(folder: Path) -> Sequence[tuple[Sequence[str], Sequence[str]]]:
    """Overrides, and the steps that are killed (none: all of them). The second run reads its scores another way."""
    return (
        (everything(folder), ()),
        (("iterations=1", "instructions.count=5"), ("assessment.0",)),
    )


def kill_after(count: int, torn: bool) -> Callable[[], None]:
    """Arrange for this process to end after so many records, with half a line more if `torn`."""

    def arrange() -> None:
        extend = Journal.extend
        left = count

        def dying(journal: Journal, records: Iterable[Record]) -> None:
            nonlocal left
            batch = list(records)
            extend(journal, batch[:left])  # of a batch that a kill cuts through, the first lines are there
            if left < len(batch):
                if torn:
                    os.write(journal._handle, b'{"type":"pair","record":{"id":"0.0\xc3')
                os._exit(KILLED)
            left -= len(batch)

        Journal.extend = dying  # type: ignore[method-assign]

    return arrange


def in_child(step: Step, store: Store, arrange: Callable[[], None]) -> int:
    """Do the step in a forked process; its exit code."""
    child = os.fork()
    if child == 0:
        arrange()
        do_step(step, store, Runtime(), lambda event: None)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill(step: Step, store: Store, records: int, expected: str) -> int:
    """Kill one step after 0, 1, ... of its records and finish it each time; how many kills that were."""
    for count in range(records + 1):
        shutil.rmtree(store.artifact_folder(step.stage, step.key), ignore_errors=True)
        code = in_child(step, store, kill_after(count, torn=count % 2 == 1))
        assert code == (KILLED if count < records else 0), f"{step.name} after {count}: code {code}"
        artifact = do_step(step, store, Runtime(), lambda event: None)
        assert artifact.manifest["content"] == expected, f"{step.name} killed after {count}"
        assert artifact.verify() == []
        assert count == records or artifact.manifest["resumed"] == (count > 0)
    return records


def main() -> None:
    folder = Path(sys.argv[1])
    kills = steps = 0
    for overrides, killed in runs(folder):
        loaded = toy(folder, *overrides)
        unbroken = run(loaded, folder / "unbroken")
        expected = contents(unbroken)
        assert len(expected) == len(unbroken.steps)
        store = Store(folder / "broken")
        for step in make_plan(loaded).steps:
            if killed and step.name not in killed:
                do_step(step, store, Runtime(), lambda event: None)
                continue
            found = unbroken.store.find(step.stage, step.key)
            assert found is not None
            kills += kill(step, store, sum(found.manifest["records"].values()), expected[step.name])
            steps += 1
    left = [str(path) for path in (folder / "broken" / "work").rglob("*") if path.is_file()]
    assert left == [], left
    print(f"{kills} kills of {steps} steps")


if __name__ == "__main__":
    main()
