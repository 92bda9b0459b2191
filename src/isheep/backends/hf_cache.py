"""A key-value cache with room to grow: a new token is written in place instead of copying all that came before.

On a CPU the copy of every step costs as much as the mathematics of a small model. Layers other than plain full
attention (sliding windows, recurrent states) stay what transformers makes them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Full attention. `keys` and `values` are views of a larger buffer."""

    keys: Tensor
    values: Tensor

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        seen, new = self.get_seq_length(), key_states.shape[2]
        if self._buffers is None or seen + new > self._buffers[0].shape[2]:
            self._buffers = (
                self._grow(self.keys, key_states, seen),
                self._grow(self.values, value_states, seen),
            )
        rows = key_states.shape[0]
        keys, values = (buffer[:rows, :, : seen + new] for buffer in self._buffers)
        keys[:, :, seen:] = key_states
        values[:, :, seen:] = value_states
        self.keys, self.values = keys, values
        return keys, values

    def keep_rows(self, index: list[int]) -> None:
        """Row n becomes what row index[n] was. Needs index[n] >= n: then rows move only towards the front."""
        moved = [n for n, old in enumerate(index) if n != old]
        for name in ("keys", "values"):
            states: Tensor = getattr(self, name)
            if moved:
                states[moved] = states[[index[n] for n in moved]]
            setattr(self, name, states[: len(index)])

    def spread_rows(self, index: list[int]) -> None:
        """Row n becomes what row index[n] was; rows may be repeated."""
        self.keys, self.values = self.keys[index], self.values[index]
        self._buffers = None

    def batch_repeat_interleave(self, repeats: int) -> None:
        self.keys = self.keys.expand(repeats, -1, -1, -1)
        self.values = self.values.expand(repeats, -1, -1, -1)
        self._buffers = None

    def _grow(self, old: Tensor, new: Tensor, seen: int) -> Tensor:
        rows, heads, more, width = new.shape
        buffer = torch.empty(
            (rows, heads, seen + more + self._room, width), dtype=new.dtype, device=new.device
        )
        if seen:
            buffer[:, :, :seen] = old
        return buffer


def make_cache(config: Any, room: int) -> Any:
    """An empty cache for this model, its full-attention layers with room for `room` tokens after the prompt."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer(room) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def is_plain(cache: Any) -> bool:
    """Only full attention: then a shared beginning may be computed once."""
    return bool(cache.layers) and all(isinstance(layer, RoomyLayer) for layer in cache.layers)


def spread_rows(cache: Any, index: list[int]) -> None:
    """Row n becomes what row index[n] was; rows may be repeated."""
    for layer in cache.layers:
        if isinstance(layer, RoomyLayer):
            layer.spread_rows(index)
        else:
            layer.reorder_cache(torch.tensor(index))


def keep_rows(cache: Any, index: list[int]) -> None:
    """Drop all rows but these (index[n] >= n)."""
    for layer in cache.layers:
        if isinstance(layer, RoomyLayer):
            layer.keep_rows(index)
        else:
            layer.reorder_cache(torch.tensor(index))
