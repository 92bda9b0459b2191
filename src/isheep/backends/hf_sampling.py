"""Drawing the next token: the random numbers of a row depend on its request's seed and on nothing else.

One uniform number per row and step, from a counter-based generator, is looked up in the cumulative distribution
(tempered and filtered). So batching, order, interruption and device do not change what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from isheep.backends.base import Sampling

#: Sorting a whole vocabulary is slow; nearly always this many tokens hold the nucleus.
_HEAD = 1024


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """[row, step] numbers in [0, 1); a row depends on its seed alone, and its beginning not on `count`."""
    rows = [np.random.Generator(np.random.Philox(key=seed & (2**64 - 1))).random(count) for seed in seeds]
    # Below 1 even after rounding to single precision, so that the last token can never be overrun.
    return torch.from_numpy(np.minimum(np.stack(rows), 1 - 1e-6))


class Draws:
    """Draws for the rows of a batch: each in its own way, from its own seed. Callable as the decode loop's `Draw`."""

    def __init__(self, samplings: Sequence[Sampling], seeds: Sequence[int], steps: int) -> None:
        self._numbers = uniforms(seeds, steps)
        #: Each way to draw, and for each row the position of its own.
        self._ways = list(dict.fromkeys(samplings))
        self._way = torch.tensor([self._ways.index(sampling) for sampling in samplings])

    def __call__(self, logits: Tensor, rows: Tensor, step: int) -> Tensor:
        numbers = self._numbers[rows, step]
        if len(self._ways) == 1:
            return draw(logits, self._ways[0], numbers)
        tokens = torch.empty(len(rows), dtype=torch.long, device=logits.device)
        for position, sampling in enumerate(self._ways):
            at = (self._way[rows] == position).nonzero().squeeze(1)
            if len(at):
                there = at.to(logits.device)
                tokens[there] = draw(logits[there], sampling, numbers[at])
        return tokens


def draw(logits: Tensor, sampling: Sampling, uniform: Tensor) -> Tensor:
    """The next token of each row. `logits` is [row, token], `uniform` one number per row."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    scores = logits.float() / sampling.temperature
    if 0 < sampling.top_k < scores.shape[-1]:
        least = scores.topk(sampling.top_k, dim=-1).values[:, -1:]
        scores = scores.masked_fill(scores < least, float("-inf"))
    if sampling.top_p < 1:
        scores = scores.masked_fill(scores < _nucleus(scores, sampling.top_p), float("-inf"))
    wide = torch.float32 if scores.device.type == "mps" else torch.float64
    cumulative = torch.softmax(scores, -1, dtype=wide).cumsum(-1)
    at = uniform.to(scores.device, wide).unsqueeze(1) * cumulative[:, -1:]
    return torch.searchsorted(cumulative, at, right=True).squeeze(1)


def _nucleus(scores: Tensor, top_p: float) -> Tensor:
    """The lowest score that still belongs to the smallest set of tokens with `top_p` of the mass. [row, 1]"""
    size = scores.shape[-1]
    total = scores.logsumexp(-1, keepdim=True)
    for head in (min(_HEAD, size), size):
        best = scores.topk(head, dim=-1).values
        before = (best - total).exp().cumsum(-1) - (best - total).exp()
        kept = (before < top_p).sum(-1, keepdim=True)  # always at least the best one
        if head == size or bool((kept < head).all()):
            break
    return best.gather(-1, kept - 1)
