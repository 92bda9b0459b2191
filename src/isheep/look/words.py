"""What the fields of a record mean, in words: shared by the terminal and the page.

Knows: the values that fields take. Pure.
"""

from __future__ import annotations

from isheep.look.lineage import Fate, Judged

_FINISH = {
    "stop": "ended by itself or at a stop text",
    "length": "cut at the token limit",
    "too_long": "nothing written: the prompt left no room",
}
_WAITING = {"responses": "waiting for an answer", "filter": "waiting for the filter"}


def fate_in_words(fate: Fate) -> str:
    """One line: what became of a record."""
    if fate.status == "waiting":
        return _WAITING[fate.stage]
    if fate.status == "dropped":
        meaning = f" ({fate.meaning})" if fate.meaning else ""
        return f"dropped by {fate.stage}: {fate.reason}{meaning}"
    if not fate.models:
        return "kept; no model is trained on it yet"
    return "kept; trained on in " + ", ".join(f"M{t}" for t in fate.models)


def finish_in_words(finish: str) -> str:
    """How a completion ended."""
    return _FINISH.get(finish, finish)


def mass_in_words(judged: Judged) -> str:
    """What stands behind a score: the probability of the ten numbers, or that it was written."""
    if judged.verdict.mass is not None:
        return (
            f"(mean of the judge's own probabilities; the ten numbers hold {judged.verdict.mass:.1%} of them)"
        )
    return "(written by the judge)"
