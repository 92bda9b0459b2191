"""How probable each of a few short continuations is, from one forward pass.

The choices' token sequences share beginnings ("1" and "10"); the chain of shared tokens is appended to the prompt, so
one pass gives the distribution after each beginning. A choice that another one extends counts only where that other
does not follow: P("1") - P("10").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from isheep.backends.hf_decode import Runner
from isheep.backends.hf_text import encode_prompt
from isheep.errors import BackendError

Path = tuple[int, ...]

#: How much of a prompt's end decides how the next word is tokenised.
_TAIL = 16


@dataclass(frozen=True, slots=True)
class Branches:
    """The choices as token sequences, and the chains of tokens to append so that every one of them can be read."""

    paths: tuple[Path, ...]
    chains: tuple[Path, ...]

    @property
    def depth(self) -> int:
        return max(map(len, self.chains))


class Tokenised:
    """Finds the tokens of the choices behind a prompt; prompts that end alike are looked up once."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[tuple[str, tuple[str, ...]], Branches] = {}

    def branches(self, prompt: str, choices: tuple[str, ...]) -> Branches:
        key = (prompt[-_TAIL:], choices)
        if key not in self._known:
            paths = tuple(self._path(key[0], choice) for choice in choices)
            if len(set(paths)) < len(paths):
                raise BackendError(
                    f"two of the choices {choices} are the same tokens", "give distinct choices"
                )
            self._known[key] = Branches(paths, _chains(paths))
        return self._known[key]

    def _path(self, tail: str, choice: str) -> Path:
        text = choice if self._closed(tail) else f" {choice}"
        before = encode_prompt(self._tokenizer, tail) if tail else []
        whole = encode_prompt(self._tokenizer, tail + text)
        if whole[: len(before)] == before and len(whole) > len(before):
            return tuple(whole[len(before) :])
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _closed(self, tail: str) -> bool:
        """The prompt ends in white space or a special token: no space of ours may follow."""
        return not tail or tail[-1].isspace() or tail.endswith(tuple(self._tokenizer.all_special_tokens))


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
    return [_exclusive(f.paths, [math.exp(sum(next(taken) for _ in p)) for p in f.paths]) for f in branches]


def _exclusive(paths: Sequence[Path], raw: Sequence[float]) -> list[float]:
    """Take from each choice the probability of the shortest choices that extend it."""
    result = []
    for path, probability in zip(paths, raw, strict=True):
        longer = [(p, r) for p, r in zip(paths, raw, strict=True) if _extends(p, path)]
        nearest = [r for p, r in longer if not any(_extends(p, q) for q, _ in longer)]
        result.append(max(0.0, probability - sum(nearest)))
    return result


def _extends(longer: Path, path: Path) -> bool:
    return len(longer) > len(path) and longer[: len(path)] == path


def _chains(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The longest beginnings after which a distribution is needed; one, unless the choices branch widely."""
    inner = {path[:at] for path in paths for at in range(len(path))}
    return tuple(sorted(p for p in inner if not any(_extends(q, p) for q in inner)))
