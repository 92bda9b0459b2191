"""The processes of a launched training, forked from this one: what torchrun does, without importing everything anew."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isheep.backends import trl_child
from isheep.backends.trl_child import MARK, Job

SECONDS = 240


@dataclass(frozen=True)
class Ended:
    codes: list[int]
    events: list[dict[str, Any]]
    #: (crashed, error) of the processes that failed.
    failures: list[tuple[bool, Exception]]
    log: str


def fork(
    job: Job,
    scratch: Path,
    processes: int = 2,
    environment: Mapping[str, str] | None = None,
    before: Callable[[int], None] = lambda rank: None,
) -> Ended:
    """Run the child's `main` in so many processes; `before(rank)` is called in each first."""
    scratch.mkdir(parents=True)
    (scratch / "job.pickle").write_bytes(pickle.dumps(job))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said, log = scratch / "events.txt", scratch / "log.txt"
    pids = []
    for rank in range(processes):
        pid = os.fork()
        if pid == 0:
            _become(
                rank,
                scratch,
                {
                    "RANK": str(rank),
                    "LOCAL_RANK": str(rank),
                    "WORLD_SIZE": str(processes),
                    "LOCAL_WORLD_SIZE": str(processes),
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(port),
                    **(environment or {}),
                },
                before,
            )
        pids.append(pid)
    codes = _wait(pids)
    events = [json.loads(line.removeprefix(MARK)) for line in said.read_text().splitlines()]
    failures = [pickle.loads(path.read_bytes()) for path in sorted(scratch.glob("failed-*"))]
    return Ended(codes, events, failures, log.read_text())


def _become(rank: int, scratch: Path, environment: Mapping[str, str], before: Callable[[int], None]) -> None:
    code = 70
    try:
        os.environ.update({name: value for name, value in environment.items() if value})
        for name, value in environment.items():
            if not value:
                os.environ.pop(name, None)
        for name, number in (("events.txt", 1), ("log.txt", 2)):
            file = os.open(scratch / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(file, number)
        _forget_the_parents_world()
        sys.argv = ["trl_child", str(scratch / "job.pickle")]
        before(rank)
        code = trl_child.main()
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _forget_the_parents_world() -> None:
    """accelerate remembers for the life of a process that it is alone."""
    from accelerate.state import AcceleratorState, GradientState, PartialState

    for state in (AcceleratorState, GradientState, PartialState):
        state._reset_state()


def _wait(pids: list[int]) -> list[int]:
    """The exit codes. When one fails, or after a while, the others are ended, as torchrun would."""
    codes: dict[int, int] = {}
    deadline = time.monotonic() + SECONDS
    while len(codes) < len(pids):
        for pid in set(pids) - set(codes):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                codes[pid] = os.waitstatus_to_exitcode(status)
        if any(codes.values()) or time.monotonic() > deadline:
            for pid in set(pids) - set(codes):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return [codes[pid] for pid in pids]
