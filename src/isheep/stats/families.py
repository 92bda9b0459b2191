"""Families of tests. Knows: p values that are judged together; not where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's adjusted p values (1979), in the order given: at most 5 % of such families hold any false claim when
    each is called different below 0.05."""
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = highest
    return adjusted


def adjusted(family: Mapping[str, float]) -> dict[str, float]:
    """`holm` over a family of named tests. The family is what was declared before the results were seen: a test left
    out of it because it did not please makes every other p value too small."""
    return dict(zip(family, holm(list(family.values())), strict=True))
