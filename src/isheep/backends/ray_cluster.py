"""Ray itself: started on this machine or joined where it runs, and what it has against what workers need.

Knows: addresses, CPUs and GPUs. Does not know: engines.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Ray reads these when it is imported. The first: under `uv run` it would send the whole working directory, stores and
# all, to every worker. The second: what it prints, even where told to be silent, about workers that we speak about.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died or was killed|cannot be scheduled")

import ray
from ray.job_config import JobConfig

from isheep.backends.base import Runtime
from isheep.backends.ray_worker import cores
from isheep.child import MALLOC
from isheep.errors import BackendError

#: Seconds a cluster's port has to answer at all; Ray's own client tries for minutes.
ANSWER_SECONDS = 10.0

#: For the Ray we start: nobody is told about its use; no idle workers are started, as ours are of another kind; ours do
#: not make way for other programs (Ray gives them a niceness of 15), as they are the run itself; and its password is
#: this process's own. Ray's own way is one in a file of the user's home, which two that begin at once would overwrite.
_STARTING = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_worker_niceness": "0",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}
#: For a cluster that is joined: what its client prints about its own attempts.
_JOINING = {"RAY_BACKEND_LOG_LEVEL": "error"}


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker asks of the cluster."""

    cpus: int
    gpus: int

    def options(self) -> dict[str, Any]:
        """As the options of an actor. One that dies is replaced by us, who know what it was doing."""
        return {
            "num_cpus": self.cpus,
            "num_gpus": self.gpus,
            "max_restarts": 0,
            "scheduling_strategy": "SPREAD",
            "runtime_env": {"env_vars": MALLOC},
        }


@dataclass(slots=True)
class Session:
    """A connection to Ray, and what all its machines have together."""

    cpus: int
    gpus: int
    #: Where the Ray that was started for it writes its logs; None where it was joined.
    logs: Path | None = None
    #: Whether they are to stay.
    keep: bool = False

    def share(self, runtime: Runtime) -> Share:
        """What each of the workers gets. Raises BackendError when there is not enough for all."""
        lacking = shortage(runtime, self.cpus, self.gpus)
        if lacking:
            raise BackendError(*lacking[0])
        return Share(runtime.threads or 1, _gpus_each(runtime, self.gpus))


@contextlib.contextmanager
def joined(runtime: Runtime) -> Iterator[Session]:
    """Ray, for as long as it is needed: the one this process has already, the cluster at `runtime.ray`, or a new one.

    Raises BackendError when the cluster cannot be reached. What a new one leaves on the disk is cleared away.
    """
    if ray.is_initialized():
        yield _session(None)
        return
    with _environment(_JOINING if runtime.ray else _STARTING), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            context = ray.init(**_options(runtime))
        except Exception as error:  # of many types, and none that a user knows
            ray.shutdown()
            raise _unreached(runtime, error) from error
    folder = None if runtime.ray else Path(context.address_info["session_dir"])
    session = _session(folder and folder / "logs")
    try:
        yield session
    finally:
        ray.shutdown()
        if folder is not None and not session.keep:
            shutil.rmtree(folder, ignore_errors=True)


def shortage(runtime: Runtime, cpus: int, gpus: int) -> list[tuple[str, str]]:
    """What `cpus` and `gpus` of all machines together do not suffice for: (what, what to do)."""
    where = "the Ray cluster has" if runtime.ray else "this machine has"
    found = []
    if runtime.device.startswith("cuda") and not gpus:
        found.append(
            (f"device {runtime.device!r} was asked for, but {where} no GPU", "set runtime.device: auto")
        )
    for have, each, what in (
        (cpus, runtime.threads or 1, "CPU"),
        (gpus, _gpus_each(runtime, gpus), "GPU"),
    ):
        if runtime.workers * each > have:
            found.append((
                f"{runtime.workers} workers need {runtime.workers * each} {what}s, but {where} {have}",
                f"set runtime.workers to {have // each} or less, or start more nodes"
                if have >= each
                else "set runtime.threads or runtime.tensor_parallel lower, or start more nodes",
            ))  # fmt: skip
    return found


def _gpus_each(runtime: Runtime, gpus: int) -> int:
    return runtime.tensor_parallel if gpus and not runtime.device.startswith(("cpu", "mps")) else 0


def gpus_here() -> int:
    """GPUs of this machine, without starting Ray."""
    if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd")):
        return 0
    import torch

    return torch.cuda.device_count()


def _session(logs: Path | None) -> Session:
    have = ray.cluster_resources()
    return Session(int(have.get("CPU", 0)), int(have.get("GPU", 0)), logs)


class _OwnPath(JobConfig):  # type: ignore[misc]
    """Keeps the working directory out of the workers' search path, where it is not in this process's either.

    Ray would put it first: a `random.py` that lies about there would break the worker. It does not where a working
    directory of its own is claimed.
    """

    def _runtime_env_has_working_dir(self) -> bool:
        return not {"", str(Path.cwd())} & set(sys.path)


def _options(runtime: Runtime) -> dict[str, Any]:
    """How to call ray.init: nothing on the terminal, no dashboard."""
    if "://" in runtime.ray:
        _answers(runtime.ray)
        return {"address": runtime.ray, "log_to_driver": False}
    quiet = {"log_to_driver": False, "logging_level": "error", "job_config": _OwnPath()}
    if runtime.ray:
        return {"address": runtime.ray, **quiet}
    # More workers than CPUs is for `shortage` to tell, not for Ray to wait for.
    return {"address": "local", "num_cpus": cores(), "include_dashboard": False, **quiet}


def _answers(address: str) -> None:
    """Raise OSError when nobody listens there."""
    host, _, port = address.partition("://")[2].partition("/")[0].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()


@contextlib.contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    """`more` in the environment of what is started, for the time; what the user has set stays."""
    new = {name: value for name, value in more.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def _unreached(runtime: Runtime, error: Exception) -> BackendError:
    words = " ".join(str(error).split())[:300] or type(error).__name__
    if not runtime.ray:
        return BackendError(
            f"Ray cannot be started on this machine: {words}",
            "its logs are in the newest folder of /tmp/ray; set runtime.workers: 1 to do without",
        )
    hint = "check runtime.ray: `auto` on a node of the cluster, ray://HOST:10001 from elsewhere; same Ray and Python"
    if "token" in "".join(str(cause).lower() for cause in _causes(error)):
        hint = "a cluster that asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to its file"
    return BackendError(f"the Ray cluster at {runtime.ray!r} cannot be reached: {words}", hint)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
