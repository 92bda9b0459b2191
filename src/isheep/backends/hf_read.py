"""Reading written text with a causal LM: how probable it is, and what vector it has.

Rows are padded on the right and read without a mask: a causal model's real tokens never see what stands behind them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from isheep.backends.base import Embedding, Passage
from isheep.backends.hf_decode import Runner
from isheep.backends.hf_text import encode_completions, encode_prompts
from isheep.errors import BackendError
from isheep.records import Likelihood

Pooling = Literal["mean", "last"]

#: Logits held at a time: 512 MiB in float32. Four rows of 1024 tokens over a vocabulary of 150,000 would be 2.4 GB,
#: and as much again for each step from logits to probabilities; so the positions are read in parts.
_LOGITS = 2**27


@dataclass(frozen=True, slots=True)
class Tokens:
    """A passage as token ids, cut between prompt and text exactly where training cuts it."""

    ids: list[int]
    border: int  # ids before it are the prompt

    @property
    def text(self) -> int:
        return len(self.ids) - self.border


def tokenise(tokenizer: Any, passages: Sequence[Passage]) -> list[Tokens]:
    """Token ids of each passage."""
    prompts = [p.prompt for p in passages]
    texts = encode_completions(tokenizer, prompts, [p.text for p in passages]) if passages else []
    before = encode_prompts(tokenizer, prompts) if passages else []
    return [Tokens([*p, *t], len(p)) for p, t in zip(before, texts, strict=True)]


def no_likelihood(id: str) -> Likelihood:
    """What is known of a passage that cannot be read."""
    return Likelihood(id, 0.0, 0, 0.0, 0)


def no_embedding(runner: Runner, id: str) -> Embedding:
    """The vector of a passage that cannot be read."""
    return Embedding(id, np.zeros(runner.width, np.float32))


def likelihoods(runner: Runner, ids: Sequence[str], rows: Sequence[Tokens]) -> list[Likelihood]:
    """Log-likelihood of each row's text and of its prompt, its first token left out (nothing predicts it)."""
    tokens = _pad([row.ids for row in rows], runner)
    logs = torch.zeros(tokens.shape, dtype=torch.float32, device=runner.device)
    size = max(1, _LOGITS // (len(rows) * runner.vocabulary))
    for at, logits in runner.logits(tokens[:, :-1], size):
        follow = slice(at + 1, at + 1 + logits.shape[1])
        wide = logits.float()
        found = wide.gather(-1, tokens[:, follow].unsqueeze(-1)).squeeze(-1)
        logs[:, follow] = found - wide.logsumexp(-1)
    return [_likelihood(id, row, values) for id, row, values in zip(ids, rows, logs.tolist(), strict=True)]


def embeddings(
    runner: Runner, ids: Sequence[str], rows: Sequence[Tokens], pooling: Pooling
) -> list[Embedding]:
    """Unit vectors of whole rows, prompt and text."""
    states = runner.hidden(_pad([row.ids for row in rows], runner))
    found = []
    for id, row, values in zip(ids, rows, states, strict=True):
        real = values[: len(row.ids)].float()
        vector = real.mean(0) if pooling == "mean" else real[-1]
        _check(id, float(vector.sum()))
        found.append(Embedding(id, torch.nn.functional.normalize(vector, dim=0).cpu().numpy(), len(row.ids)))
    return found


def _pad(rows: Sequence[list[int]], runner: Runner) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [runner.pad] * (width - len(row)) for row in rows], device=runner.device)


def _likelihood(id: str, row: Tokens, logs: Sequence[float]) -> Likelihood:
    prompt, text = math.fsum(logs[1 : row.border]), math.fsum(logs[row.border : len(row.ids)])
    _check(id, prompt + text)
    return Likelihood(id, prompt, row.border - 1, text, row.text)


def _check(id: str, value: float) -> None:
    if not math.isfinite(value):
        raise BackendError(
            f"reading {id!r}, the model computes numbers that are none (overflow or broken weights)",
            "set model.dtype: float32, or check the adapter",
        )
