"""When to stop: how many models in a row brought no progress, and which one is best.

Knows: which test items each model got right. What a difference is worth is asked of a function handed in. The prompts
that decide must not be those that report the result: the best of several looks better than it is on what picked it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

#: Which items a model got right.
Outcomes: TypeAlias = Mapping[str, bool]
#: (after, before), item by item -> the difference of the two shares, and the ends of its interval.
Difference: TypeAlias = Callable[[Sequence[bool], Sequence[bool]], tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a row of models stands. Models are counted from 0, the base model."""

    #: The model with the most items right; of equals the earliest.
    best: int
    #: The last model that brought progress (0: none did): the one to beat.
    to_beat: int
    #: Models since then.
    without: int
    #: Whether that is enough.
    stop: bool


def progress(
    history: Sequence[Outcomes],
    difference: Difference,
    *,
    patience: int,
    min_effect: float = 0.0,
    certain: bool = True,
) -> Progress:
    """Judge models M_0 .. M_t by the same items; stop when `patience` models in a row brought no progress.

    A model brings progress when it has more items right than every model before it, and its difference to the last one
    that did is above `min_effect` (a share, 0.01 is a point) and, if `certain`, has an interval wholly above 0. The one
    to beat stays that model, not the best since: small steps that no one of them proves may together be proved. Raises
    ValueError without a model, for models tried on different items or on none, and for a patience below 1.
    """
    if patience < 1:
        raise ValueError(f"patience is 1 model or more, not {patience}")
    rows = _rows(history)
    best = to_beat = 0
    for model, row in enumerate(rows):
        if sum(row) <= sum(rows[best]):  # the base model, too, does not beat itself
            continue
        best = model
        value, low, _ = difference(row, rows[to_beat])
        if value > min_effect and (low > 0 or not certain):
            to_beat = model
    without = len(rows) - 1 - to_beat
    return Progress(best, to_beat, without, without >= patience)


def _rows(history: Sequence[Outcomes]) -> list[list[bool]]:
    """Outcomes item by item, the items in one order."""
    if not history or not history[0]:
        raise ValueError("progress needs a model and items it was tried on")
    items = sorted(history[0])
    if any(outcomes.keys() != history[0].keys() for outcomes in history):
        raise ValueError("progress needs every model tried on the same items")
    return [[outcomes[item] for item in items] for outcomes in history]
