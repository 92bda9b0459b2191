"""One training divided among several processes, so that it learns what one process would have learned.

The batches of a step are dealt out in order: of `accumulation` batches each process takes its part. Where they do not
come out even at an epoch's end, blank rows fill up, which teach nothing. Knows nothing of how a process is started.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from accelerate.data_loader import SeedableRandomSampler
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.utils.data import Sampler


def shares_weights() -> bool:
    """Does this process hold only a part of the model's weights? Told by what `accelerate launch` sets."""
    return any(
        os.environ.get(f"ACCELERATE_USE_{kind}", "").lower() in ("1", "true")
        for kind in ("FSDP", "DEEPSPEED")
    )


def blanks(rows: int, batch_size: int, processes: int) -> int:
    """Rows to add so that each process has as many whole batches as the others; a single one needs none."""
    return -rows % (batch_size * processes) if processes > 1 else 0


class Dealt(Sampler[int]):
    """Every row in the order in which a single process would see them in this epoch, then the blank ones.

    `epoch` is asked each time: after an interruption accelerate does not tell its samplers where the training stands.
    """

    def __init__(self, rows: int, blank: int, seed: int, epoch: Callable[[], int]) -> None:
        self._order = SeedableRandomSampler(range(rows), data_seed=seed)
        self._rows, self._blank, self._epoch = rows, blank, epoch

    def __len__(self) -> int:
        return self._rows + self._blank

    def __iter__(self) -> Iterator[int]:
        self._order.set_epoch(self._epoch())
        yield from self._order
        yield from range(self._rows, len(self))


def trained_weights(model: Any) -> dict[str, Tensor]:
    """The weights that are trained, whole and on the CPU, however they are shared out. All processes must ask at once.

    Only they: the base's weights would be gathered for nothing, and may not fit into one machine's memory.
    """
    names = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    with _gathered([weight for _, weight in names]):
        return {name: _whole(weight.detach()).cpu().clone() for name, weight in names}


def _whole(weight: Tensor) -> Tensor:
    """FSDP2 keeps weights as DTensors."""
    return weight.full_tensor() if isinstance(weight, DTensor) else weight


def _gathered(weights: Sequence[Tensor]) -> contextlib.AbstractContextManager[Any]:
    """ZeRO-3 keeps weights as empty ones that know their share, and fills them for as long as this lasts."""
    if not any(hasattr(weight, "ds_id") for weight in weights):
        return contextlib.nullcontext()
    import deepspeed

    found: contextlib.AbstractContextManager[Any] = deepspeed.zero.GatheredParameters(list(weights))
    return found


def count_over(trainer: Any, number: int) -> int:
    """The sum of a number over all processes."""
    counted = torch.tensor(number, device=trainer.args.device)
    return int(trainer.accelerator.gather(counted).sum())
