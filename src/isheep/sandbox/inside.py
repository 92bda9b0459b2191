"""The sandbox's child: puts up the fences around itself, then runs one program and says how it ended.

Started by `running` as a script, never imported: it knows nothing of isheep. Its standard input holds the order, a JSON
object: the program, the limits, the folder, which fences to put up, and two pipes. From the one a token can be read,
which nobody in this process has seen before the program is through; what is written to the other without that token
never counts as a pass.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from types import ModuleType, TracebackType
from typing import Any

#: What the program is called in tracebacks, and as a module. Not "__main__": a program's `if __name__ == ...` block is
#: no part of its tests, as in the benchmarks' own harnesses.
NAME = "program"
#: Characters kept of an error's message.
MESSAGE = 500


def main() -> None:
    order = json.load(sys.stdin.buffer)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    # Bound before the program can lay its hands on them.
    read, write, leave = os.read, os.write, os._exit
    token, answer = order["token"], order["answer"]
    try:
        held = " ".join(_fences(order))
    except Exception as error:
        write(answer, b"error\n" + _say(error))
        leave(0)
    write(answer, f"begun {held}\n".encode())
    failure = _run(order.pop("code"))
    if failure is None:
        write(answer, read(token, 64) + b" passed\n")
    else:
        status, detail = failure
        write(answer, read(token, 64) + status + detail)
    leave(0)  # its threads and exit handlers have no say


def _fences(order: dict[str, Any]) -> list[str]:
    """Put up those that are ordered; the names of those that now stand."""
    sys.path.insert(0, order["here"])
    import hook  # type: ignore[import-not-found]
    import kernel  # type: ignore[import-not-found]
    import syscalls  # type: ignore[import-not-found]

    del sys.path[0]
    wanted, folder, limits = order["fences"], order["folder"], order["limits"]
    held = []
    kernel.die_with(order["parent"])
    if "namespaces" in wanted and kernel.own_namespaces():
        held.append("namespaces")
        _limit(resource.RLIMIT_NPROC, limits["threads"])
        if "disk" in wanted and kernel.small_disk(folder, limits["file"]):
            held.append("disk")
    for what, most in (
        (resource.RLIMIT_CPU, limits["cpu"]),
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_NOFILE, limits["open"]),
        (resource.RLIMIT_CORE, 0),
    ):
        _limit(what, most)
    if "landlock" in wanted and kernel.landlock(folder):
        held.append("landlock")
    kernel.drop_capabilities()
    if "seccomp" in wanted and syscalls.refuse():
        held.append("seccomp")
    if "hook" in wanted:
        hook.stand(folder)
        held.append("hook")
    for name in ("hook", "kernel", "syscalls", "ctypes", "_ctypes"):  # a program of the same name is another
        sys.modules.pop(name, None)
    if lacking := [name for name in order["must"] if name not in held]:
        raise OSError(f"{' and '.join(lacking)} held on this machine before, and not now")
    return held


def _limit(what: int, most: int) -> None:
    """Set a limit, or as much of it as this system allows. Processor time gets one second's grace before the kill."""
    _, ceiling = resource.getrlimit(what)
    most = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
    hard = most + 1 if what == resource.RLIMIT_CPU and ceiling == resource.RLIM_INFINITY else most
    try:
        resource.setrlimit(what, (most, hard))
    except (OSError, ValueError):
        if what != resource.RLIMIT_AS:  # macOS knows no such limit
            raise


def _run(code: str) -> tuple[bytes, bytes] | None:
    """None when the program ran to its end, else the status as it is told, and what went wrong."""
    module = ModuleType(NAME)
    sys.modules[NAME] = sys.modules["__main__"] = module
    try:
        exec(compile(code, f"<{NAME}>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - this is the place
    except MemoryError:
        module.__dict__.clear()  # to have room for the answer
        return b" memory\n", b"ran out of memory"
    except SystemExit:
        return b" failed\n", b"ended itself before its tests were over (SystemExit)"
    except BaseException as error:
        return b" failed\n", _say(error)
    return None


def _say(error: BaseException) -> bytes:
    """Type, message and line of an error. Its message may be the program's own doing."""
    try:
        message = str.__str__(str(error))
    except BaseException:
        message = "(its message cannot be read)"
    line = _line(error.__traceback__)
    said = f"{type(error).__name__}: {message}"[:MESSAGE] + (f" (line {line})" if line else "")
    return said.encode("utf-8", "replace")


def _line(trace: TracebackType | None) -> int | None:
    """The last line of the program itself that an error came through."""
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == f"<{NAME}>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


if __name__ == "__main__":
    main()
