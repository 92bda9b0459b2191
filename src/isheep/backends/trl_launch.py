"""Training in processes of its own, on several GPUs or machines: started by torchrun, accelerate or a scheduler.

The processes do what TRLTrainer does in one (trl_child.py); here they are started, followed and ended. Their number
divides the accumulation, so a step's batches and what is learned from them stay what they are.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from isheep.backends import hf_load, trl_command
from isheep.backends.base import Example, ModelSpec, Preferred, Progress, Runtime, Trained, TrainSpec
from isheep.backends.hf_layout import resolve, untrained_tokens
from isheep.backends.trl_child import MARK, Job
from isheep.backends.trl_files import ADAPTER, adapter_parameters, write_merged
from isheep.child import ended, python
from isheep.errors import BackendError, IsheepError, RecipeError
from isheep.text.prompts import Layout

#: Lines of the log shown in the error.
LOG_LINES = 30
#: Seconds a launcher has to end its processes before it is killed; torchrun gives them 30.
PATIENCE = 40.0
#: Of a step's folder; the leading dot keeps it out of the artifact.
_SCRATCH = ".launch"


def obstacles(model: ModelSpec, runtime: Runtime, needs: Collection[str]) -> list[str]:
    """What stands in the way of a launched training. `needs` may hold "accumulation N": it must be divisible."""
    try:
        command = trl_command.read(runtime.launch)
    except RecipeError as error:
        return [f"{error.message}: {error.hint}"]
    found = []
    if shutil.which(command.words[0], path=_environment()["PATH"]) is None:
        found.append(f"runtime.launch: there is no program {command.words[0]!r} on this machine")
    if command.sharing and model.load_in:
        found.append(_QUANTISED)
    if command.sharing == "DEEPSPEED" and importlib.util.find_spec("deepspeed") is None:
        found.append("runtime.launch: this configuration needs the package deepspeed: pip install deepspeed")
    if command.starts_here and command.each is not None:
        found += _too_few_gpus(command, runtime.device)
    for need in needs:
        name, _, number = need.partition(" ")
        if name == "accumulation" and command.processes and int(number) % command.processes:
            found.append(_indivisible(int(number), command.processes))
    return found


class LaunchedTrainer:
    """Trains adapters in several processes. `device_name` says how many once they have told."""

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        self._model, self._runtime = model, runtime
        self._command = trl_command.read(runtime.launch)
        self._tokenizer = hf_load.load_tokenizer(model)
        hf_load.prepare(runtime)
        # No meter counts all of them, so none is named by what a meter knows.
        self.device_name = f"processes: {runtime.launch}"
        self._parameters: int | None = None

    @property
    def parameters(self) -> int | None:
        """Parameters of the base and of its adapter; a fresh one counts from the moment it is trained."""
        if self._parameters is None:
            adapter = self._model.adapter
            more = adapter_parameters(Path(adapter)) if adapter else 0
            self._parameters = hf_load.size(self._model) + more
        return self._parameters

    def layout(self, name: str) -> Layout:
        model = hf_load.load_embeddings(self._model) if name == "auto" else None
        return resolve(name, self._tokenizer, model)

    def train(
        self, examples: Sequence[Example], spec: TrainSpec, layout: Layout, folder: Path, progress: Progress
    ) -> Trained:
        return self._train(examples, None, spec, layout, folder, progress)

    def prefer(
        self,
        examples: Sequence[Preferred],
        spec: TrainSpec,
        beta: float,
        layout: Layout,
        folder: Path,
        progress: Progress,
    ) -> Trained:
        return self._train(examples, beta, spec, layout, folder, progress)

    def close(self) -> None:
        pass

    def _train(
        self,
        examples: Sequence[Example] | Sequence[Preferred],
        beta: float | None,
        spec: TrainSpec,
        layout: Layout,
        folder: Path,
        progress: Progress,
    ) -> Trained:
        if self._command.processes and spec.accumulation % self._command.processes:
            raise BackendError(_indivisible(spec.accumulation, self._command.processes), _DIVIDES)
        untrained: tuple[int, ...] = ()
        if self._model.adapter is None:
            untrained = tuple(untrained_tokens(self._tokenizer, hf_load.load_embeddings(self._model), layout))
        runtime = replace(self._runtime, launch="", device_map=False)
        # Merged at the end, here: the processes may not have the model whole, and need not wait for one of them.
        job = Job(
            self._model, runtime, self._command.processes, examples, beta,
            replace(spec, merge=False), layout, folder.resolve(), untrained,
        )  # fmt: skip
        trained: Trained | None = None
        for event in self._events(job, folder / _SCRATCH):
            if "progress" in event:
                progress(*event["progress"])
            elif "trained" in event:
                trained = Trained(**event["trained"])
                trained = replace(trained, losses=tuple((step, loss) for step, loss in trained.losses))
                self.device_name = event["device"]
        if trained is None:
            raise BackendError("the training ended without a report", f"the log: {folder / _SCRATCH}/log.txt")
        if spec.merge:
            device = hf_load.pick_device(self._runtime.device)
            dtype = spec.dtype if spec.dtype != "auto" else self._model.dtype
            write_merged(self._model, hf_load.pick_dtype(dtype, device), folder)
        self._parameters = hf_load.size(self._model) + adapter_parameters(folder / ADAPTER)
        shutil.rmtree(folder / _SCRATCH)
        return trained

    def _events(self, job: Job, scratch: Path) -> Iterator[dict[str, Any]]:
        """What the first process tells. Raises what any of them raised, or BackendError with the log's last lines."""
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        file, log = (scratch / "job.pickle").resolve(), scratch / "log.txt"
        file.write_bytes(pickle.dumps(job))
        with log.open("wb") as errors, _running([*self._command.words, *_CHILD, str(file)], errors) as child:
            assert child.stdout is not None
            for line in child.stdout:
                text = line.decode("utf-8", errors="replace")
                if text.startswith(MARK):
                    yield json.loads(text.removeprefix(MARK))
        if child.returncode != 0:
            raise _failure(scratch) or BackendError(
                f"the training's launcher {ended(child.returncode)}:\n{_last_words(log)}",
                f"the whole log: {log}. Run the same command again to go on from the last checkpoint",
            )


@contextmanager
def _running(command: Sequence[str], errors: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A launcher; when the caller stops listening it is ended, and with it what it started."""
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=_environment()
    )
    try:
        yield child
        child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _environment() -> dict[str, str]:
    """The launchers of this Python come first, and modules are never looked for in the working directory."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    safe = {"PYTHONSAFEPATH": "1"} if "-P" in python("") else {}
    return {**os.environ, **safe, "PATH": path, "TOKENIZERS_PARALLELISM": "false"}


def _failure(scratch: Path) -> IsheepError | None:
    """What the process that failed first has left; what a user can act on comes before mere consequences."""
    found = [
        (pickle.loads(path.read_bytes()), path.stat().st_mtime_ns)  # noqa: S301 - written by our own children
        for path in scratch.glob("failed-*")
    ]
    if not found:
        return None
    (crashed, error), _ = min(found, key=lambda item: (item[0][0], item[1]))
    return BackendError(error.message, f"the whole log: {scratch}/log.txt") if crashed else error


def _last_words(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])


def _too_few_gpus(command: trl_command.Command, device: str) -> list[str]:
    import torch

    shipped = "--config_file" in command.words
    if device == "cpu" or (not torch.cuda.is_available() and not shipped):
        return []
    there = torch.cuda.device_count()
    if command.each is not None and command.each > there:
        return [f"runtime.launch asks for {command.each} GPUs on this machine, which has {there}"]
    return []


def _indivisible(accumulation: int, processes: int) -> str:
    return (
        f"train.accumulation {accumulation} cannot be divided among {processes} processes of runtime.launch"
    )


_CHILD = ("-m", "isheep.backends.trl_child")
_DIVIDES = "their number divides the accumulation: choose a multiple of it"
_QUANTISED = (
    "model.load_in and a configuration that shares weights out (FSDP, DeepSpeed) do not go together: "
    "with fewer bits take ddp_4, ddp_8 or torchrun, where every GPU holds the model"
)
