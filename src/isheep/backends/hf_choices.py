"""Choices as token sequences: which tokens a choice has behind a prompt, and what their probabilities are worth.

Knows: the tokenizer, choices that begin or extend one another. Does not know: the model that tells the probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isheep.backends.base import Choice, Query
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


def answer(query: Query, values: Sequence[float], prompt_tokens: int) -> Choice:
    """The probabilities of the choices as shares of what they hold together, and how much that is."""
    total = sum(values)
    shares = [v / total for v in values] if total > 0 else [1 / len(values)] * len(values)
    return Choice(query.id, tuple(shares), min(1.0, total), prompt_tokens)


def exclusive(paths: Sequence[Path], raw: Sequence[float]) -> list[float]:
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
