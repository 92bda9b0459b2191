"""How probable each of a few short continuations is, from one forward pass.

The choices' token sequences share beginnings ("1" and "10"); the chain of shared tokens is appended to the prompt, so
one pass gives the distribution after each beginning. A choice that another one extends counts only where that other
does not follow: P("1") - P("10").
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from isheep.backends.hf_choices import Branches, exclusive
from isheep.backends.hf_choices import Tokenised as Tokenised
from isheep.backends.hf_decode import Runner


def read(runner: Runner, prompts: Sequence[list[int]], branches: Sequence[Branches]) -> list[list[float]]:
    """For each prompt the probability of each of its choices (they need not sum to 1)."""
    rows = [(n, chain) for n, found in enumerate(branches) for chain in found.chains]
    tokens = [[*prompts[n], *chain] for n, chain in rows]
    keep = max(found.depth for found in branches) + 1
    logits = runner.prefill(tokens, keep=keep).logits.float().log_softmax(-1)
    # Where the distribution after each beginning stands: (row, position).
    after = {
        (n, chain[:depth]): (row, keep - 1 - len(chain) + depth)
        for row, (n, chain) in enumerate(rows)
        for depth in range(len(chain) + 1)
    }
    wanted = [
        (n, p[:at], p[at]) for n, found in enumerate(branches) for p in found.paths for at in range(len(p))
    ]
    places = [(*after[n, beginning], token) for n, beginning, token in wanted]
    values = logits[tuple(torch.tensor(column, device=logits.device) for column in zip(*places, strict=True))]
    taken = iter(values.tolist())
    return [exclusive(f.paths, [math.exp(sum(next(taken) for _ in p)) for p in f.paths]) for f in branches]
