"""Running a transformers model over token ids: the decode loop, and plain reading.

The loop does what `model.generate` does when greedy, token for token, and more: equal prompts, and the beginning that
all prompts of a batch share, are computed once; finished rows leave the batch; drawing is handed in by the caller.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isheep.backends.hf_batches import MIN_SHARED
from isheep.backends.hf_cache import is_plain, keep_rows, make_cache, spread_rows
from isheep.backends.hf_load import input_device
from isheep.errors import BackendError

#: (logits of the live rows, their indices, step) -> next tokens.
Draw = Callable[[Tensor, Tensor, int], Tensor]
#: (row index, its tokens so far) -> is it finished?
Done = Callable[[int, list[int]], bool]


@dataclass(slots=True)
class Prefilled:
    """A batch after its prompts: the last logits of each row, and what the next step needs."""

    logits: Tensor  # [row, kept position, token]
    cache: Any
    mask: Tensor  # [row, position]; 0 where padded
    lengths: Tensor  # [row] real tokens so far


class Runner:
    """A loaded model and what its forward pass accepts."""

    def __init__(self, model: Any, pad: int) -> None:
        self.model = model
        self.pad = pad
        inner = model.get_base_model() if hasattr(model, "peft_config") else model
        accepted = inspect.signature(inner.forward).parameters
        if "past_key_values" not in accepted:
            raise BackendError(
                f"{type(inner).__name__} keeps no key-value cache", "choose a model with an attention cache"
            )
        self._positions = "position_ids" in accepted
        self._keep = "logits_to_keep" in accepted
        self.device = input_device(inner)
        self._config = inner.config
        # The adapter's layers sit inside it, so it is the adapted model without its output layer.
        self._body = inner.base_model
        head = inner.get_output_embeddings() or inner.get_input_embeddings()
        #: Rows and columns of the output layer: tokens it knows, features of a last hidden state.
        self.vocabulary, self.width = map(int, head.weight.shape)

    def prefill(self, rows: Sequence[list[int]], keep: int = 1, room: int = 0) -> Prefilled:
        """Run the prompts, padded on the left; keep the logits of the last `keep` positions. Equal ones run once."""
        unique = {row: n for n, row in enumerate(dict.fromkeys(map(tuple, rows)))}
        state = self._prefill([list(row) for row in unique], keep, room)
        if len(unique) < len(rows):
            index = [unique[tuple(row)] for row in rows]
            state.logits, state.mask, state.lengths = (
                values[index] for values in (state.logits, state.mask, state.lengths)
            )
            spread_rows(state.cache, index)
        return state

    def _prefill(self, rows: Sequence[list[int]], keep: int, room: int) -> Prefilled:
        cache = make_cache(self._config, room)
        shared = self._shared(rows, keep, cache)
        if shared:
            self._forward(torch.tensor([rows[0][:shared]], device=self.device), None, None, cache, 1)
            cache.batch_repeat_interleave(len(rows))
        width = max(len(row) for row in rows) - shared
        ids = torch.tensor([[self.pad] * (width - len(r) + shared) + r[shared:] for r in rows])
        lengths = torch.tensor([len(r) for r in rows])
        real = torch.arange(width) >= (width + shared - lengths).unsqueeze(1)
        positions = (real.cumsum(-1) - 1).clamp(min=0) + shared
        mask = torch.cat([torch.ones(len(rows), shared, dtype=torch.long), real.long()], dim=1)
        ids, mask, positions, lengths = (t.to(self.device) for t in (ids, mask, positions, lengths))
        logits = self._forward(ids, mask, positions, cache, keep)
        return Prefilled(logits[:, -keep:], cache, mask, lengths)

    def decode(
        self, rows: Sequence[list[int]], limits: Sequence[int], draw: Draw, done: Done
    ) -> list[list[int]]:
        """Continue every row until `done` or its limit; the tokens of each row, the finishing one included."""
        state = self.prefill(rows, room=max(limits))
        cache, lengths, width = state.cache, state.lengths, state.mask.shape[1]
        room = torch.ones(len(rows), max(limits), dtype=torch.long, device=self.device)
        mask = torch.cat([state.mask, room], dim=1)
        written: list[list[int]] = [[] for _ in rows]
        alive = list(range(len(rows)))
        logits = state.logits[:, -1]
        for step in range(max(limits)):
            tokens = draw(logits, torch.tensor(alive), step)
            stay = []
            for at, (row, token) in enumerate(zip(alive, tokens.tolist(), strict=True)):
                written[row].append(token)
                if len(written[row]) < limits[row] and not done(row, written[row]):
                    stay.append(at)
            if not stay:
                break
            if len(stay) < len(alive):
                index = _close_ranks(stay)
                alive = [alive[at] for at in index]
                tokens, mask, lengths = tokens[index], mask[index], lengths[index]
                keep_rows(cache, index)
            seen = mask[:, : width + step + 1]
            logits = self._forward(tokens.unsqueeze(1), seen, lengths.unsqueeze(1), cache, 1)[:, -1]
            lengths = lengths + 1
        return written

    def logits(self, ids: Tensor, size: int) -> Iterator[tuple[int, Tensor]]:
        """Logits of every position of rows padded on the right, `size` positions at a time: (first position, logits).

        Nothing real stands behind the padding, so a causal model needs no mask. Between the parts the key-value cache
        carries what was read; a model whose cache is not plain attention is read in one part.
        """
        width = ids.shape[1]
        cache = make_cache(self._config, room=width)
        step = min(size, width) if is_plain(cache) else width
        for at in range(0, width, step):
            yield at, self._forward(ids[:, at : at + step], None, None, cache, 0)

    def hidden(self, ids: Tensor) -> Tensor:
        """Last hidden states, behind the final norm, of rows padded on the right: [row, position, feature]."""
        out = self._body(input_ids=ids, use_cache=False, return_dict=True)
        if not hasattr(out, "last_hidden_state"):
            raise BackendError(
                f"{type(self._body).__name__} does not show its last hidden states",
                "choose a filter that needs no vectors",
            )
        states: Tensor = out.last_hidden_state
        return states

    def _forward(
        self, ids: Tensor, mask: Tensor | None, positions: Tensor | None, cache: Any, keep: int
    ) -> Tensor:
        more: dict[str, Any] = {"position_ids": positions} if self._positions else {}
        if self._keep:
            more["logits_to_keep"] = keep
        out = self.model(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            return_dict=True,
            **more,
        )
        logits: Tensor = out.logits
        return logits

    def _shared(self, rows: Sequence[list[int]], keep: int, cache: Any) -> int:
        """How many tokens all rows begin with, when computing them once is right and worth it."""
        if len(rows) < 2 or not is_plain(cache):
            return 0
        # Every row must have its last `keep` tokens left to run.
        shared = min(_common(min(rows), max(rows)), min(len(r) for r in rows) - keep)
        return shared if shared >= MIN_SHARED else 0


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two rows begin with alike; for the least and the greatest row, all between them do too."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))


def _close_ranks(stay: Sequence[int]) -> list[int]:
    """The staying rows in an order that moves as few as possible: holes are filled from the back."""
    front = [at for at in stay if at < len(stay)]
    back = [at for at in stay if at >= len(stay)]
    kept = set(front)
    return [at if at in kept else back.pop() for at in range(len(stay))]
