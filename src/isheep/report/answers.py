"""What a model's answers are like: how long, how many in each turn of a conversation. Knows: Pairs and Decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from isheep.records import Decision, Pair

#: Answers of at most this many words count as short (the share of such answers in the authors' released data rose).
SHORT_WORDS = 3


def turn_of(pair: Pair) -> int:
    """1 for an answer to a task, 2 for one to the follow-up to it, and so on."""
    return 1 + len(pair.history) // 2


def turns(pairs: Sequence[Pair], decisions: Sequence[Decision]) -> list[dict[str, int]]:
    """By turn: answers, and how many of them were kept."""
    kept = {d.id for d in decisions if d.kept}
    answered = Counter(map(turn_of, pairs))
    passed = Counter(turn_of(p) for p in pairs if p.id in kept)
    return [{"turn": turn, "answers": answered[turn], "kept": passed[turn]} for turn in sorted(answered)]


def lengths(pairs: Sequence[Pair], decisions: Sequence[Decision]) -> dict[str, Any]:
    """Words per answer, over all answers and over the kept ones: the first sign of collapse is that they shrink."""
    kept = {d.id for d in decisions if d.kept}
    return {
        "all": _lengths([len(p.response.split()) for p in pairs]),
        "kept": _lengths([len(p.response.split()) for p in pairs if p.id in kept]),
    }


def _lengths(words: Sequence[int]) -> dict[str, Any] | None:
    if not words:
        return None
    return {
        "median": median(words),
        "mean": sum(words) / len(words),
        "max": max(words),
        "short": sum(w <= SHORT_WORDS for w in words) / len(words),
    }
