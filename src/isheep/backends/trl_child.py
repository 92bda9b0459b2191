"""One of the processes of a launched training: does its part of a job, and the first one tells how it goes.

`python -m isheep.backends.trl_child JOB`, started by torchrun or accelerate, which say in the environment which of how
many this is. The first process writes events as lines of JSON; whichever fails leaves its error beside the job's file.
"""

from __future__ import annotations

import json
import os
import pickle
import select
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from isheep.backends.base import Example, ModelSpec, Preferred, Progress, Runtime, Trained, TrainSpec
from isheep.errors import BackendError, IsheepError
from isheep.text.prompts import Layout

MARK = "isheep-event "
#: Lines of a traceback shown in the error.
_LINES = 12


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done together."""

    model: ModelSpec
    runtime: Runtime
    #: How many processes were asked for; None where the command does not say.
    processes: int | None
    examples: Sequence[Example] | Sequence[Preferred]
    #: DPO's, for preferences; None for fine-tuning.
    beta: float | None
    spec: TrainSpec
    layout: Layout
    folder: Path
    #: The layout's tokens that look untrained; no process may have the weights to look at.
    untrained: tuple[int, ...]


def main() -> int:
    """The child."""
    events = os.dup(1)
    os.dup2(2, 1)  # whatever libraries print goes to the log, never between the events
    file = Path(sys.argv[1])
    rank = int(os.environ.get("RANK", "0"))

    def send(**data: object) -> None:
        if rank == 0:
            os.write(events, (MARK + json.dumps(data) + "\n").encode())

    threading.Thread(target=_end_with, args=(events,), daemon=True).start()
    try:
        job: Job = pickle.loads(file.read_bytes())  # noqa: S301 - written by our own parent
        world = _world(job)
        device, trained = _train(job, world, lambda done, total: send(progress=[done, total]))
        send(trained=asdict(trained), device=f"{world} x {device}")
    except IsheepError as error:
        _leave(file.parent, rank, False, error)
        return error.exit_code
    except Exception:
        traceback.print_exc()
        words = "".join(traceback.format_exc().splitlines(True)[-_LINES:])
        _leave(file.parent, rank, True, BackendError(f"process {rank} of the training failed:\n{words}"))
        return 1
    return 0


def _end_with(events: int) -> None:
    """End this process when nobody listens any more: the parent is gone, and a step may take minutes."""
    poll = select.poll()
    poll.register(events, 0)
    poll.poll()
    os._exit(1)


def _world(job: Job) -> int:
    """How many processes there are. Raises BackendError when these are not what was asked for."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world != (job.processes or world) or (job.processes is None and "WORLD_SIZE" not in os.environ):
        raise BackendError(
            f"runtime.launch asked for {job.processes or 'several'} processes, but started {world}",
            "use torchrun --nproc-per-node N (accelerate launch --cpu starts one, whatever it is told)",
        )
    if job.spec.accumulation % world:
        raise BackendError(
            f"train.accumulation {job.spec.accumulation} cannot be divided among {world} processes",
            "choose a multiple of their number",
        )
    return world


def _train(job: Job, world: int, progress: Progress) -> tuple[str, Trained]:
    """This process's part. Its device's name, and the report on the whole."""
    import torch

    from isheep.backends import hf_load
    from isheep.backends.trl import TRLTrainer
    from isheep.backends.trl_share import shares_weights

    if shares_weights():
        _check_sharing(job)
    device = hf_load.pick_device(job.runtime.device)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    # A configuration may name another number type: the recipe's is the one that counts.
    dtype = hf_load.pick_dtype(job.spec.dtype if job.spec.dtype != "auto" else job.model.dtype, device)
    mixed = {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(dtype, "no")
    os.environ["ACCELERATE_MIXED_PRECISION"] = mixed
    spec = replace(job.spec, accumulation=job.spec.accumulation // world)
    trainer = TRLTrainer(job.model, replace(job.runtime, device=str(device)), job.untrained)
    where = (spec, job.layout, job.folder, progress)
    if job.beta is None:
        trained = trainer.train([e for e in job.examples if isinstance(e, Example)], *where)
    else:
        pairs = [e for e in job.examples if isinstance(e, Preferred)]
        trained = trainer.prefer(pairs, spec, job.beta, *where[1:])
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return trainer.device_name, trained


def _check_sharing(job: Job) -> None:
    """Raises BackendError for ways to share weights out that were not thought through."""
    if job.model.load_in:
        raise BackendError(
            "weights in fewer bits cannot be shared out", "launch with ddp_4, ddp_8 or torchrun"
        )
    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true") and (
        os.environ.get("FSDP_VERSION", "1") != "2"
    ):
        raise BackendError(
            "FSDP version 1 flattens the adapter's weights away", "set fsdp_version: 2 in the configuration"
        )


def _leave(folder: Path, rank: int, crashed: bool, error: IsheepError) -> None:
    """Written aside and renamed, so that it is never read half."""
    aside = folder / f"half-{rank}"
    aside.write_bytes(pickle.dumps((crashed, error)))
    aside.rename(folder / f"failed-{rank}")


if __name__ == "__main__":
    sys.exit(main())
