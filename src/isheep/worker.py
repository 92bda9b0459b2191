"""Steps in a process of their own, so that its memory is truly free afterwards and a crash takes nothing with it.

The parent sends steps as pickles on standard input and reads events as lines of JSON; the child claims, works and
publishes by itself, and keeps the engine of one step for the next. When the parent dies the child ends at its next
event; what it wrote stays in the journal.
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
from pathlib import Path

from isheep.backends.base import Runtime
from isheep.child import MALLOC, ended, python
from isheep.engines import Engines
from isheep.errors import BackendError, IsheepError
from isheep.events import Event, Listener, Seldom
from isheep.plan import Step
from isheep.step import do_step, fetch
from isheep.store import Artifact, Store
from isheep.store.disk import in_words

#: Lines of a crashed child's log shown in the error.
LOG_LINES = 15
#: Seconds a child has to give its memory back before it is ended.
PATIENCE = 60.0
_MARK = "isheep-event "


class Worker:
    """A child process that does one step after the other, each with a log of its own; started by the first."""

    def __init__(self, store: Store, runtime: Runtime, tell: Listener) -> None:
        self._store, self._runtime, self._tell = store, runtime, tell
        self._child: subprocess.Popen[bytes] | None = None

    def do(self, step: Step) -> Artifact:
        """Like `do_step`. Raises what the child raised, or BackendError with its last words; it is gone then."""
        found = self._store.find(step.stage, step.key)
        if found is not None:
            self._tell(Event("cached", step.name, iteration=step.iteration))
            return found
        log = self._store.runs_folder.parent / "logs" / f"{step.name}-{step.key[:12]}.log"
        with in_words(f"cannot write to {log.parent}"):
            log.parent.mkdir(parents=True, exist_ok=True)
            log.touch()
        self._child = child = self._child or _start(log)
        try:
            failure = self._converse(child, pickle.dumps((step, self._store, self._runtime, str(log))))
        except BaseException:
            child.terminate()
            self.close()
            raise
        if failure is not None:
            self.close()
            raise failure
        if child.poll() is not None:
            self._child = None
            words = "".join(log.read_text(encoding="utf-8", errors="replace").splitlines(True)[-LOG_LINES:])
            raise BackendError(
                f"the step {step.name} {ended(child.returncode)}:\n{words.rstrip()}",
                f"the whole log: {log}. Run the same command again to go on from where it stopped",
            )
        return fetch(self._store, step.ref)

    def close(self) -> None:
        """End the child; calling it twice is fine."""
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()

    def _converse(self, child: subprocess.Popen[bytes], message: bytes) -> IsheepError | None:
        """Send the step, pass on events until it is done; the error it reported. A child that died is reaped."""
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once; its log says why
            child.stdin.write(message)
            child.stdin.flush()
        for line in child.stdout:
            text = line.decode("utf-8", errors="replace")
            if not text.startswith(_MARK):
                continue
            data = json.loads(text.removeprefix(_MARK))
            if "error" in data:
                failure: IsheepError = pickle.loads(bytes.fromhex(data["error"]))  # noqa: S301 - our own child's
                return failure
            if "finished" in data:
                return None
            self._tell(Event(**data))
        child.wait()
        return None


def _start(log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as errors:
        return subprocess.Popen(
            python("isheep.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**MALLOC, **os.environ},
        )


def main() -> int:
    """The child."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")

    def send(data: dict[str, object]) -> None:
        events.write(_MARK + json.dumps(data) + "\n")
        events.flush()

    with contextlib.closing(Engines()) as engines:
        while True:
            try:
                step, store, runtime, log = pickle.load(sys.stdin.buffer)  # noqa: S301 - sent by our own parent
            except EOFError:
                return 0
            with Path(log).open("ab") as errors:
                # Whatever libraries print goes to the step's log, never between the events.
                os.dup2(errors.fileno(), 1)
                os.dup2(errors.fileno(), 2)
            store.listen(
                lambda text, of=step: send(asdict(Event("note", of.name, text=text, iteration=of.iteration)))
            )
            try:
                do_step(step, store, runtime, Seldom(lambda event: send(asdict(event))), engines)
            except IsheepError as error:
                send({"error": pickle.dumps(error).hex()})
                return error.exit_code
            except Exception:
                traceback.print_exc()
                return 1
            send({"finished": step.key})


if __name__ == "__main__":
    sys.exit(main())
