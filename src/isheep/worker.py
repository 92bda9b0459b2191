"""A step in a process of its own, so that its memory is truly free afterwards and a crash takes nothing with it.

The parent sends the step as a pickle on standard input and reads events as lines of JSON; the child claims, works and
publishes by itself. When the parent dies the child ends at its next event; what it wrote stays in the journal.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import traceback
from dataclasses import asdict

from isheep.backends.base import Runtime
from isheep.child import ended, python
from isheep.errors import BackendError, IsheepError
from isheep.plan import Step
from isheep.step import Event, Listener, do_step, fetch
from isheep.store import Artifact, Store
from isheep.store.disk import in_words

#: glibc keeps freed blocks instead of giving every tensor back to the kernel: 1.2 to 4.4 times faster on CPUs here.
MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "134217728",
}
#: Lines of a crashed child's log shown in the error.
LOG_LINES = 15
_MARK = "isheep-event "


def do_step_apart(step: Step, store: Store, runtime: Runtime, tell: Listener) -> Artifact:
    """Like `do_step`, in a child process. Raises what the child raised, or BackendError with its last words."""
    found = store.find(step.stage, step.key)
    if found is not None:
        tell(Event("cached", step.name))
        return found
    log = store.runs_folder.parent / "logs" / f"{step.name}-{step.key[:12]}.log"
    with in_words(f"cannot write to {log.parent}"):
        log.parent.mkdir(parents=True, exist_ok=True)
        errors = log.open("ab")
    with errors:
        child = subprocess.Popen(
            python("isheep.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**MALLOC, **os.environ},
        )
        failure = _converse(child, pickle.dumps((step, str(store.root), runtime)), tell)
    if failure is not None:
        raise failure
    if child.returncode != 0:
        words = "".join(log.read_text(encoding="utf-8", errors="replace").splitlines(True)[-LOG_LINES:])
        raise BackendError(
            f"the step {step.name} {ended(child.returncode)}:\n{words.rstrip()}",
            f"the whole log: {log}. Run the same command again to go on from where it stopped",
        )
    return fetch(store, step.ref)


def _converse(child: subprocess.Popen[bytes], message: bytes, tell: Listener) -> IsheepError | None:
    """Send the step, pass on events until the child is done; the error it reported, if any."""
    assert child.stdin is not None
    assert child.stdout is not None
    failure: IsheepError | None = None
    try:
        with contextlib.suppress(BrokenPipeError):  # it died at once; its log says why
            child.stdin.write(message)
            child.stdin.close()
        for line in child.stdout:
            text = line.decode("utf-8", errors="replace")
            if not text.startswith(_MARK):
                continue
            data = json.loads(text.removeprefix(_MARK))
            if "error" in data:
                failure = pickle.loads(bytes.fromhex(data["error"]))  # noqa: S301 - written by our own child
            else:
                tell(Event(**data))
        child.wait()
    except BaseException:
        child.terminate()
        child.wait()
        raise
    return failure


def main() -> int:
    """The child."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print goes to the log, never between the events
    step, root, runtime = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - sent by our own parent

    def send(data: dict[str, object]) -> None:
        events.write(_MARK + json.dumps(data) + "\n")
        events.flush()

    try:
        do_step(step, Store(root), runtime, lambda event: send(asdict(event)))
    except IsheepError as error:
        send({"error": pickle.dumps(error).hex()})
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
