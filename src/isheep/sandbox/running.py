"""Runs programs that a model wrote, each in a process of its own behind fences, and says how each one ended.

Knows: processes, pipes, clocks. What a fence is, `inside` and the modules it loads know. A program has passed only when
it ran to its end: what it prints, the exit status it chooses and what it writes anywhere count for nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, cast, get_args

from isheep.errors import BackendError
from isheep.sandbox.terms import DEFAULT_LIMITS, FENCES, Isolation, Limits, Outcome, Program, Status

_INSIDE = Path(__file__).with_name("inside.py")
#: No user site, no site-packages, no bytecode written, UTF-8, nothing imported from the folder it runs in.
_PYTHON = ("-s", "-S", "-B", "-P", "-X", "utf8")
#: Seconds a process may take to be gone after it has closed its side of the pipe, before it is killed.
_GRACE = 1.0
#: Lines before an answer is whole: that it began, how it ended. What went wrong stands behind, in the same write.
_LINES = 2
#: Most bytes of it. A write to a pipe of up to 4096 comes whole on Linux.
_ANSWER = 8192
_MB = 1 << 20


def run_checks(
    programs: Sequence[Program], limits: Limits = DEFAULT_LIMITS, workers: int = 1
) -> Iterator[Outcome]:
    """Run each program; outcomes come in the order given, `workers` programs run at a time.

    Never raises for what a program does. Raises BackendError where the sandbox cannot run at all. No program is begun
    without every fence that `isolation` found.
    """
    must = sorted(isolation().held)

    def outcome(program: Program) -> Outcome:
        return attempt(program, limits, must=must)[0]

    if workers <= 1:
        yield from map(outcome, programs)
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(outcome, programs)


@cache
def isolation() -> Isolation:
    """What holds on this machine, found out by putting up the fences around an empty program.

    Raises BackendError where not even that can be run, or on a system without the processes and limits of POSIX.
    """
    if os.name != "posix":
        raise BackendError("model-written code cannot be run safely on this system", "use Linux")
    outcome, held = attempt(Program("", ""), DEFAULT_LIMITS)
    if not outcome.passed:
        raise BackendError(
            f"the sandbox cannot run even an empty program: {outcome.detail}",
            "leave out the benchmarks that run code",
        )
    return Isolation(frozenset(held))


def attempt(
    program: Program, limits: Limits, fences: Sequence[str] = FENCES, must: Sequence[str] = ()
) -> tuple[Outcome, tuple[str, ...]]:
    """Run one program behind these fences: how it ended, and which fences stood. Not begun without those it `must`."""
    with ExitStack() as stack:
        folder = stack.enter_context(_folder())
        token, token_end = map(stack.enter_context, _pipe())
        answer, answer_end = map(stack.enter_context, _pipe())
        secret = secrets.token_hex(16).encode()
        token_end.write(secret)
        order = stack.enter_context(tempfile.TemporaryFile())
        pipes = {"token": token.fileno(), "answer": answer_end.fileno()}
        order.write(_order(program, limits, fences=fences, must=must, folder=folder, **pipes))
        order.seek(0)
        try:
            process = _start(folder, order, tuple(pipes.values()))
        except OSError as error:
            return Outcome(program.id, False, "error", f"could not start a process: {error}"), ()
        answer_end.close()  # so that the pipe ends when the last process that holds its other side does
        end = _follow(process, answer.fileno(), time.monotonic() + limits.seconds)
    return _judge(program.id, end, secret, limits)


def _order(program: Program, limits: Limits, **rest: object) -> bytes:
    """What `inside` reads: its program, its limits in the units of the kernel, and the rest."""
    return json.dumps(
        {
            "code": program.code,
            "limits": {
                "cpu": limits.cpu_seconds,
                "memory": limits.memory_mb * _MB,
                "file": limits.file_mb * _MB,
                "threads": limits.threads,
                "open": limits.open_files,
            },
            "here": str(_INSIDE.parent),
            "parent": os.getpid(),
            **rest,
        }
    ).encode()


@contextmanager
def _folder() -> Iterator[str]:
    """An empty folder, and whatever became of it gone at the end."""
    folder = os.path.realpath(tempfile.mkdtemp(prefix="isheep-sandbox-"))
    try:
        yield folder
    finally:
        try:
            shutil.rmtree(folder)
        except (OSError, RecursionError):  # thousands of folders one in another; `rm` can do it
            subprocess.run(["rm", "-rf", "--", folder], check=False, stderr=subprocess.DEVNULL)


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return open(reading, "rb", 0), open(writing, "wb", 0)


def _start(folder: str, order: IO[bytes], ends: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *_PYTHON, str(_INSIDE)],
        stdin=order,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        # One seed of hashes, so that the order of a set is the same in every run.
        env={"HOME": folder, "TMPDIR": folder, "PYTHONHASHSEED": "0"},
        pass_fds=ends,
        start_new_session=True,
    )


@dataclass(frozen=True, slots=True)
class _End:
    """What was seen of a process: what it wrote to its pipe, its exit status, its processor seconds."""

    said: bytes
    #: Negative: the signal that ended it; None: it had to be killed.
    status: int | None
    cpu: float
    late: bool


def _follow(process: subprocess.Popen[bytes], answer: int, deadline: float) -> _End:
    """Wait until the process has answered, closed its pipe or run out of time; then nothing of it is left running."""
    said, late, gone = b"", False, False
    try:
        watch = select.poll()
        watch.register(answer, select.POLLIN)
        while said.count(b"\n") < _LINES and len(said) < _ANSWER:
            if not watch.poll(max(0.0, deadline - time.monotonic()) * 1000):
                late = True
                break
            chunk = os.read(answer, _ANSWER)
            if not chunk:
                gone = _gone(process.pid)
                break
            said += chunk
    finally:
        with suppress(
            ProcessLookupError, PermissionError
        ):  # PermissionError: macOS, where only a dead one is left
            os.killpg(process.pid, signal.SIGKILL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return _End(said, process.returncode if gone else None, used.ru_utime + used.ru_stime, late)


def _gone(pid: int) -> bool:
    """Whether a process ends by itself now that its pipe is closed; it is not yet reaped, so its id stays its own."""
    until = time.monotonic() + _GRACE
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > until:
            return False
        time.sleep(0.001)
    return True


def _judge(id: str, end: _End, secret: bytes, limits: Limits) -> tuple[Outcome, tuple[str, ...]]:
    """What became of a program, from what was seen of it."""
    begun, _, answer = end.said.decode("utf-8", "replace").partition("\n")
    word, *held = begun.split(" ")
    status: Status
    if word != "begun":
        status, detail = "error", f"the sandbox did not come up: {answer or end.status}"
    else:
        status, detail = _verdict(answer, end, secret.decode(), limits)
    return Outcome(id, status == "passed", status, detail), tuple(name for name in held if name)


def _verdict(answer: str, end: _End, secret: str, limits: Limits) -> tuple[Status, str]:
    first, _, detail = answer.partition("\n")
    token, _, status = first.partition(" ")
    if token == secret and status in get_args(Status):
        return cast(Status, status), detail
    if end.late:
        return "timeout", f"took more than {limits.seconds:g} s"
    if end.status == -signal.SIGXCPU or end.cpu >= limits.cpu_seconds:
        return "timeout", f"used more than {limits.cpu_seconds} s of processor time"
    if answer:
        return "failed", "wrote to the sandbox's own pipe"
    if end.status is None:
        return "failed", "closed the sandbox's own pipe"
    if end.status < 0:
        return "failed", f"ended by {_signal(-end.status)}"
    return "failed", f"ended itself before its tests were over (exit status {end.status})"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
