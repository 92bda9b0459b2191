"""Fixed benchmarks through lm-evaluation-harness, in a process of their own.

Knows: the child process, the folder it keeps its answers in, the sandbox. Does not know: the harness itself, which
only the child imports (lm_eval_child.py and its neighbours).
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import lm_eval  # noqa: F401 - light, and what is missing when the extra is not installed

from isheep.backends.base import ModelSpec, Progress, Runtime
from isheep.backends.lm_eval_child import MARK, Request
from isheep.backends.outside import Examination
from isheep.benchmarks import find_data, refuse_code
from isheep.child import ended, python
from isheep.errors import BackendError, IsheepError
from isheep.records import RECORD_TYPES, Item, Question, Reply, from_dict

#: Lines of a crashed child's log shown in the error.
LOG_LINES = 15


class LmEvalExaminer:
    """Puts a model through fixed benchmarks with the harness's own model class for transformers.

    `device_name` and `parameters` are known once the child has loaded the model.
    """

    engine: Literal["hf", "vllm"] = "hf"

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        self._model, self._runtime = model, runtime
        self.device_name = runtime.device
        self.parameters: int | None = None

    def examine(
        self, what: Examination, folder: Path, progress: Progress, skip: Collection[str] = ()
    ) -> Iterator[Item | Reply]:
        refuse_code(what.tasks, self._runtime.allow_code_execution)
        work = folder / "examiner"
        pending: list[tuple[Item, str]] = []
        for event in self._events("examine", what, work):
            if "progress" in event:
                progress(*event["progress"])
            elif "device" in event:
                self.device_name, self.parameters = event["device"], event["parameters"]
            elif "ended" in event:
                yield from self._run(pending)
                pending = []
            elif event["data"]["id"] in skip:
                continue
            elif "code" in event:
                pending.append((from_dict(Item, event["data"]), event["code"]))
            else:
                yield _record(event)
        shutil.rmtree(work)

    def questions(self, what: Examination) -> Iterator[Question]:
        with tempfile.TemporaryDirectory(prefix="isheep-questions-") as folder:
            for event in self._events("questions", what, Path(folder)):
                yield from_dict(Question, event["data"])

    def close(self) -> None:
        pass

    def _run(self, pending: Sequence[tuple[Item, str]]) -> Iterator[Item]:
        """Items whose value is told by a program's end: 1 for one that passed, 0 for one that did not, None for one
        that could not be run (a fence of the sandbox failed), which says nothing about the model."""
        if not pending:
            return
        from isheep.sandbox import Program, run_checks

        items = {item.id: item for item, _ in pending}
        programs = [Program(item.id, code) for item, code in pending]
        for outcome in run_checks(programs, workers=self._runtime.threads or 1):
            ran = outcome.status != "error"
            yield replace(items[outcome.id], value=float(outcome.passed) if ran else None)

    def _events(
        self, mode: Literal["examine", "questions"], what: Examination, work: Path
    ) -> Iterator[dict[str, Any]]:
        """What the child tells, line by line. Raises what it raised, or BackendError with its last words."""
        local = find_data(what.tasks, what.data_dir, what.shots) if what.data_dir else {}
        work.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(work / "datasets", ignore_errors=True)  # the rows as tables, perhaps half written
        request = Request(mode, self._model, self._runtime, what, self.engine, local, work)
        log = work / "log.txt"
        failure: IsheepError | None = None
        with log.open("ab") as errors:
            child = subprocess.Popen(
                python("isheep.backends.lm_eval_child"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(offline=what.data_dir is not None),
            )
            try:
                assert child.stdin is not None
                assert child.stdout is not None
                with contextlib.suppress(BrokenPipeError):  # it died at once; its log says why
                    child.stdin.write(pickle.dumps(request))
                    child.stdin.close()
                for line in child.stdout:
                    text = line.decode("utf-8", errors="replace")
                    if text.startswith(MARK):
                        event = json.loads(text.removeprefix(MARK))
                        if "error" in event:
                            failure = pickle.loads(bytes.fromhex(event["error"]))  # noqa: S301 - our own child's
                        else:
                            yield event
                child.wait()
            finally:  # also when the caller stops asking
                if child.poll() is None:
                    child.terminate()
                    child.wait()
        if failure is not None:
            raise failure
        if child.returncode != 0:
            words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
            raise BackendError(
                f"the examiner's process {ended(child.returncode)}:\n" + "\n".join(words),
                f"the whole log: {log}. Run the same command again to go on from the last batch",
            )


class VllmExaminer(LmEvalExaminer):
    """The same with the harness's own vLLM class, for a GPU. Needs vLLM, which is not among our dependencies."""

    engine = "vllm"


def _record(event: dict[str, Any]) -> Item | Reply:
    record = from_dict(RECORD_TYPES[event["record"]], event["data"])
    assert isinstance(record, Item | Reply)
    return record


def _environment(offline: bool) -> dict[str, str]:
    settings = {
        **os.environ,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    if offline:  # without it every look-up of a data set retries for 20 seconds
        settings |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    return settings
