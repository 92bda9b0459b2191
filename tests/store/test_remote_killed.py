"""A remote store that fails, or a process that ends, at every single act on it: it ends as if nothing had been."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from isheep.errors import StoreError
from isheep.store import Store, remote

sys.path.insert(0, str(Path(__file__).parent))
from broken import Broken, Fault
from worker import publish, whole

Picture = Callable[[Path], dict[str, bytes]]
Machine = Callable[..., Store]
pytestmark = pytest.mark.usefixtures("quick")


def at(number: int, moment: str, fault: Fault) -> Callable[[int, str], Fault]:
    """A plan in which one act goes wrong."""
    return staticmethod(lambda n, when: fault if (n, when) == (number, moment) else None)


def everything(store: Store, key: str) -> None:
    """What a run does with its store."""
    store.check()
    store.bring_papers()
    run = store.runs_folder / "mine"
    run.mkdir(parents=True, exist_ok=True)
    (run / "run.json").write_text("{}")
    store.send_papers(run / "run.json")
    publish(store, key)
    (run / "report.html").write_text("<p>")
    store.send_papers(run)


@pytest.mark.parametrize("fault", ["die after", "half"])  # an act that is no write ends before it is begun
def test_killed_at_every_act_it_ends_equal(
    address: str, machine: Machine, key: str, picture: Picture, tmp_path: Path, fault: str
) -> None:
    """A forked process is ended at its n-th act on the remote store, for every n; at each of these moments another
    machine sees the step whole or not at all, and the next run ends as if nothing had been."""
    if fault == "half" and "broken" in remote._WHOLE:
        fault = "die before"  # an object store takes no half
    expected = whole(tmp_path, key, picture)
    word, _, moment = fault.partition(" ")
    number, code = 0, 9
    seen = set()
    while code == 9:
        number += 1
        child = os.fork()
        if child == 0:
            Broken.acts = []
            Broken.plan = at(number, moment or "before", word)
            try:
                everything(machine("one", number), key)
            finally:
                os._exit(0 if sys.exc_info()[0] is None else 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 9)
        two = machine("two", number)
        two.bring_papers()
        assert {path.read_text() for path in two.runs_folder.glob("*/*")} <= {"{}"}
        found = two.find("score", key)
        seen.add(found is not None)
        assert found is None or (found.verify() == [] and picture(found.folder) == expected)
        everything(machine("one", number), key)
        found = machine("three", number).find("score", key)
        assert found is not None
        assert found.verify() == []
        assert picture(found.folder) == expected
        assert (tmp_path / f"remote{number}" / "runs" / "mine" / "report.html").read_text() == "<p>"
    assert number > 15
    assert seen == {True, False}


@pytest.mark.parametrize("fault", ["die after", "half"])  # an act that is no write ends before it is begun
def test_killed_while_bringing_it_ends_equal(
    machine: Machine, key: str, picture: Picture, tmp_path: Path, fault: str
) -> None:
    publish(machine("one"), key)
    expected = whole(tmp_path, key, picture)
    word, _, moment = fault.partition(" ")
    number, code = 0, 9
    while code == 9:
        number += 1
        child = os.fork()
        if child == 0:
            Broken.acts = []
            Broken.plan = at(number, moment or "before", word)
            try:
                machine(f"two-{number}").find("score", key).verify()  # type: ignore[union-attr]
            finally:
                os._exit(0 if sys.exc_info()[0] is None else 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 9)
        found = machine(f"two-{number}").find("score", key)
        assert found is not None
        assert found.verify() == []
        assert picture(found.folder) == expected
    assert number == 5, "the manifest and three files, and then none"


@pytest.mark.parametrize("fault", [OSError(errno.EIO, "bad line"), PermissionError(errno.EACCES, "no")])
def test_failed_at_every_act_it_ends_equal(
    machine: Machine, key: str, picture: Picture, tmp_path: Path, fault: OSError
) -> None:
    """Every act fails once. What passes does not show; what does not stops the run, and the next goes on."""
    expected = whole(tmp_path, key, picture)
    passes = not isinstance(fault, PermissionError)
    number = whole_runs = acts = 0
    while number == 0 or acts >= number:
        number += 1
        Broken.reset()
        Broken.plan = at(number, "before", fault)
        with contextlib.nullcontext() if passes else contextlib.suppress(StoreError):
            everything(machine("one", number), key)
            whole_runs += 1
        acts = len(Broken.acts)
        Broken.plan = staticmethod(lambda n, when: None)
        everything(machine("one", number), key)
        found = machine("two", number).find("score", key)
        assert found is not None
        assert found.verify() == []
        assert picture(found.folder) == expected
    assert number > 15
    assert whole_runs == number if passes else whole_runs < number / 2
