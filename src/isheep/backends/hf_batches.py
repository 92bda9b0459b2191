"""Which requests run together, and what happens when they do not fit into memory."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from isheep.errors import BackendError

#: Tokens that prompts must have in common for their beginning to be worth a forward pass of its own.
MIN_SHARED = 16

T = TypeVar("T")
U = TypeVar("U")


def plan(rows: Sequence[list[int]], ids: Sequence[str], batch_size: int) -> list[list[int]]:
    """Batches of indices, shortest prompts first: rows of like length waste the least padding.

    Prompts that begin alike, where they fill a batch, are kept together: their beginning is then computed once. Equal
    ones stand side by side: they are computed once for all.
    """
    starts = [tuple(row[:MIN_SHARED]) for row in rows]
    often = {
        start for start, count in Counter(starts).items() if count >= batch_size and len(start) == MIN_SHARED
    }
    order = sorted(
        range(len(ids)),
        key=lambda n: (starts[n] if starts[n] in often else (), len(rows[n]), rows[n], ids[n]),
    )
    batches = [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
    # Within a batch one order for all, so that a batch planned again alone is the same to the last bit.
    return [sorted(batch, key=lambda n: (len(rows[n]), rows[n], ids[n])) for batch in batches]


class Halving:
    """Runs batches; one that does not fit into memory is halved, and later ones are cut to the size that fitted."""

    def __init__(self) -> None:
        self.limit: int | None = None

    def run(self, batch: Sequence[T], work: Callable[[Sequence[T]], list[U]]) -> Iterator[U]:
        waiting = [batch]
        while waiting:
            part = waiting.pop(0)
            if self.limit is not None and len(part) > self.limit:
                waiting[:0] = [part[: self.limit], part[self.limit :]]
                continue
            result = self._try(part, work)
            if result is not None:
                yield from result
                continue
            if len(part) == 1:
                raise BackendError(
                    "out of memory with a single prompt", "choose a smaller model, max_tokens or cutoff"
                )
            self.limit = len(part) // 2
            waiting.insert(0, part)

    def _try(self, part: Sequence[T], work: Callable[[Sequence[T]], list[U]]) -> list[U] | None:
        try:
            return work(part)
        except torch.OutOfMemoryError:
            pass
        except RuntimeError as error:
            if "not enough memory" not in str(error) and "out of memory" not in str(error):
                raise
        # Only here, outside the except blocks, are the tensors of the failed attempt truly free.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return None
