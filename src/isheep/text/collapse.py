"""The collapse guard: figures of an iteration held to limits, most of them relative to the run's first iteration.

Knows: numbers with names. A model trained on its own answers may write ever shorter, ever more alike ones; the authors'
own data did so from the fourth iteration on. Relative limits let a world of one-word answers, asked for in few
phrasings, be what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from isheep.records import Measure

#: Added to a limit against rounding: a figure that equals it does not break it.
_SLACK = 1e-9
#: Where from the start this share of answers is short, tasks ask for short ones, and more of them are no sign.
MOSTLY_SHORT = 0.5


@dataclass(frozen=True, slots=True)
class Limits:
    """What may become of an iteration; None: anything. The defaults are silent on the authors' iterations 0 to 2 and
    speak at 3, where their answers fell to 15 words and a third of them became near-duplicates."""

    max_rise_short: float | None = 0.15
    """How far `share_short` may rise above the first iteration's, where that is below MOSTLY_SHORT."""
    min_share_of_first_median: float | None = 0.3
    """Least `median_words`, as a share of the first iteration's."""
    max_rise_near_duplicates: float | None = 0.10
    """How far `near_duplicates`, the share of texts close to another of the same iteration, may rise above the first
    iteration's."""
    max_near_duplicates_earlier: float | None = 0.20
    """Largest `near_duplicates_earlier`: share of texts close to one of an earlier iteration."""
    min_share_of_first_distinct: float | None = 0.5
    """Least `distinct`, as a share of the first iteration's."""
    min_share_of_first_spread: float | None = 0.3
    """Least `spread`, as a share of the first iteration's."""
    min_share_of_first_yield: float | None = 0.3
    """Least `new_per_list`, new tasks a list gives, as a share of the first iteration's: tuning can destroy lists."""
    max_saturation: float | None = 0.9
    """Largest `saturation`: share of scores that are the top one (in the authors' data about 0.8)."""
    min_kept_share_of_first: float | None = None
    """Least `kept_share` of the filter, as a share of the first iteration's."""


def held_to(
    measures: Mapping[str, float | None], first: Mapping[str, float | None], limits: Limits
) -> list[Measure]:
    """Every figure with the limit it is held to, in the order given.

    Names are those in the notes of Limits; what follows a "/" only tells apart ("saturation/quality" is held to
    max_saturation). `first` has the same names, measured on the first iteration: where a figure depends on the size of
    a set, at the size it was measured at here. `limit` and `ok` are None where there is no limit, no figure, or, for a
    relative limit, none of the first iteration.
    """
    return [_measure(name, value, first.get(name), limits) for name, value in measures.items()]


def broken(measures: Iterable[Measure]) -> list[Measure]:
    """Those that break their limit."""
    return [measure for measure in measures if measure.ok is False]


def _measure(name: str, value: float | None, first: float | None, limits: Limits) -> Measure:
    lowest, highest = _bounds(name.partition("/")[0], first, limits)
    limit = highest if lowest is None else lowest
    if value is None or limit is None:
        return Measure(name, value)
    ok = value <= limit + _SLACK if lowest is None else value >= limit - _SLACK
    return Measure(name, value, limit, ok)


def _bounds(name: str, first: float | None, limits: Limits) -> tuple[float | None, float | None]:
    """The least and the largest value a figure may have; at most one of them is set."""
    at_most = {
        "near_duplicates_earlier": limits.max_near_duplicates_earlier,
        "saturation": limits.max_saturation,
    }
    rise_of = {"share_short": limits.max_rise_short, "near_duplicates": limits.max_rise_near_duplicates}
    share_of_first = {
        "median_words": limits.min_share_of_first_median,
        "distinct": limits.min_share_of_first_distinct,
        "spread": limits.min_share_of_first_spread,
        "new_per_list": limits.min_share_of_first_yield,
        "kept_share": limits.min_kept_share_of_first,
    }
    if name in at_most:
        return None, at_most[name]
    if name == "share_short" and first is not None and first >= MOSTLY_SHORT:
        return None, None
    if name in rise_of:
        rise = rise_of[name]
        return None, None if first is None or rise is None else first + rise
    share = share_of_first.get(name)
    return None if first is None or share is None else share * first, None
