"""The guard on the figures of a run that did collapse, on one that did not, and on a world of one-word answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.records import Measure
from isheep.text.collapse import Limits, broken, held_to

#: Counted on the kept data the authors published (Qwen-72B), iterations 0 to 5.
PUBLISHED = [
    {"median_words": float(median), "share_short": short, "near_duplicates": near}
    for median, short, near in [
        (57, 0.08, 0.003),
        (27, 0.16, 0.010),
        (21, 0.20, 0.013),
        (15, 0.26, 0.36),
        (13, 0.27, 0.41),
        (13, 0.29, 0.39),
    ]
]
#: A small world whose right answers are a word or two: the embedded model's.
TERSE = {"median_words": 1.0, "share_short": 0.73, "distinct": 0.5, "spread": 45.0, "near_duplicates": 0.43}
RELATIVE = {
    "median_words": "min_share_of_first_median",
    "distinct": "min_share_of_first_distinct",
    "spread": "min_share_of_first_spread",
    "kept_share": "min_kept_share_of_first",
}


def names(measures: list[Measure]) -> set[str]:
    return {measure.id for measure in measures}


@pytest.mark.parametrize("iteration", [0, 1, 2])
def test_silent_while_the_authors_data_were_sound(iteration: int) -> None:
    assert not broken(held_to(PUBLISHED[iteration], PUBLISHED[0], Limits()))


@pytest.mark.parametrize("iteration", [3, 4, 5])
def test_speaks_when_they_collapsed(iteration: int) -> None:
    found = broken(held_to(PUBLISHED[iteration], PUBLISHED[0], Limits()))
    assert names(found) == {"median_words", "share_short", "near_duplicates"}


def test_four_fifths_of_the_scores_at_the_top_are_no_collapse() -> None:
    (measure,) = held_to({"saturation": 0.8}, {}, Limits())
    assert measure == Measure("saturation", 0.8, 0.9, True)
    assert broken(held_to({"saturation/quality": 0.95, "saturation/following": 0.8}, {}, Limits())) == [
        Measure("saturation/quality", 0.95, 0.9, False)
    ]


def test_a_world_of_short_answers_may_stay_what_it_is() -> None:
    later = {
        "median_words": 1.0,
        "share_short": 1.0,
        "distinct": 0.44,
        "spread": 26.0,
        "near_duplicates": 0.42,
    }
    assert not broken(held_to(TERSE, TERSE, Limits()))
    assert not broken(held_to(later, TERSE, Limits()))
    assert names(broken(held_to({"median_words": 0.0, "near_duplicates": 0.6}, TERSE, Limits()))) == {
        "median_words",
        "near_duplicates",
    }, "but not fall silent, nor repeat itself"


def test_every_figure_stands_next_to_its_limit() -> None:
    first = {"share_short": 0.08, "median_words": 50.0, "distinct": 0.4, "spread": 100.0, "kept_share": 0.2}
    first["near_duplicates"] = 0.02
    now = {
        "share_short": 0.3,
        "median_words": 15.0,
        "near_duplicates": 0.13,
        "near_duplicates_earlier": 0.21,
        "distinct": 0.19,
        "spread": 40.0,
        "saturation": 0.9,
        "kept_share": 0.09,
        "unreadable": 0.5,
    }
    held = held_to(now, first, replace(Limits(), min_kept_share_of_first=0.5))
    assert [(m.id, m.value, pytest.approx(m.limit) if m.limit else None, m.ok) for m in held] == [
        ("share_short", 0.3, 0.23, False),
        ("median_words", 15, 15, True),
        ("near_duplicates", 0.13, 0.12, False),
        ("near_duplicates_earlier", 0.21, 0.2, False),
        ("distinct", 0.19, 0.2, False),
        ("spread", 40, 30, True),
        ("saturation", 0.9, 0.9, True),
        ("kept_share", 0.09, 0.1, False),
        ("unreadable", 0.5, None, None),
    ]


def test_what_is_not_known_breaks_nothing() -> None:
    unknown: dict[str, float | None] = dict.fromkeys([*RELATIVE, "share_short", "saturation"])
    known = dict.fromkeys(unknown, 0.0)
    assert all(m == Measure(m.id, None) for m in held_to(unknown, known, Limits(min_kept_share_of_first=1)))
    without_first = held_to(dict.fromkeys([*RELATIVE, "share_short"], 0.0), unknown, Limits())
    assert all(m == Measure(m.id, 0.0) for m in without_first)


LEVELS = st.none() | st.floats(0, 1)
SETS = st.fixed_dictionaries(
    dict.fromkeys([*RELATIVE, "share_short", "near_duplicates", "saturation"], LEVELS)
)


@given(SETS, SETS)
def test_no_limit_is_ever_broken_without_limits(
    now: dict[str, float | None], first: dict[str, float | None]
) -> None:
    assert all(m.ok is None and m.limit is None for m in held_to(now, first, Limits(*[None] * 8)))


@given(SETS)
def test_the_first_iteration_never_breaks_a_relative_limit(first: dict[str, float | None]) -> None:
    limits = Limits(max_saturation=None, min_kept_share_of_first=1.0)
    assert not broken(held_to(first, first, limits))


@given(
    st.sampled_from(sorted(RELATIVE)),
    st.floats(0, 100),
    st.floats(0, 100),
    st.floats(0, 100),
    st.floats(0, 1),
)
def test_better_is_never_worse(name: str, first: float, one: float, two: float, share: float) -> None:
    limits = replace(Limits(), **{RELATIVE[name]: share})
    (low,), (high,) = (held_to({name: value}, {name: first}, limits) for value in sorted((one, two)))
    assert low.ok is False or high.ok is True
