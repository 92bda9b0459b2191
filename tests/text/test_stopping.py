"""When a run stops and which model it hands back, on sequences whose answer is known."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.stats import paired_difference
from isheep.text.stopping import Progress, progress

ITEMS = [f"item-{number:03d}" for number in range(200)]


def model(right: int, first: int = 0) -> dict[str, bool]:
    """A model that gets `right` items right, beginning with number `first`."""
    return {item: (place - first) % len(ITEMS) < right for place, item in enumerate(ITEMS)}


def judged(history: Sequence[dict[str, bool]], patience: int = 1, **asked: object) -> Progress:
    return progress(history, paired_difference, patience=patience, **asked)  # type: ignore[arg-type]


def stops_after(rights: Sequence[int], patience: int) -> int | None:
    """How many models are made before the rule stops; None when it never does."""
    made = (n for n in range(1, len(rights) + 1) if judged([model(r) for r in rights[:n]], patience).stop)
    return next(made, None)


@pytest.mark.parametrize(
    ("rights", "patience", "after", "best"),
    [
        ([60, 80, 100, 120, 140], 1, None, 4),
        ([60, 80, 100, 120, 140], 2, None, 4),
        ([60, 100, 100, 100, 100], 1, 3, 1),
        ([60, 100, 100, 100, 100], 2, 4, 1),
        ([60, 100, 101, 99, 101], 1, 3, 2),
        ([60, 100, 101, 99, 101], 2, 4, 2),
        ([60, 100, 80, 60, 40], 1, 3, 1),
        ([60, 100, 80, 60, 40], 2, 4, 1),
        ([60, 100, 80, 130, 130], 1, 3, 3),
        ([60, 100, 80, 130, 130], 2, None, 3),
        ([100, 60, 50, 40, 30], 1, 2, 0),
    ],
    ids=[
        "rising-1",
        "rising-2",
        "flat-1",
        "flat-2",
        "noise-1",
        "noise-2",
        "fall-1",
        "fall-2",
        "dip-1",
        "dip-2",
        "base-best",
    ],
)
def test_when_it_stops_and_what_is_best(
    rights: list[int], patience: int, after: int | None, best: int
) -> None:
    assert stops_after(rights, patience) == after
    assert judged([model(right) for right in rights], patience).best == best


def test_the_whole_standing() -> None:
    history = [model(60), model(100), model(101), model(90)]
    assert judged(history, 3) == Progress(best=2, to_beat=1, without=2, stop=False)
    assert judged(history, 2) == Progress(best=2, to_beat=1, without=2, stop=True)


def test_a_difference_that_may_be_chance_is_no_progress_unless_that_is_accepted() -> None:
    history = [model(100), model(102, first=60)]  # 2 items more, but 120 of them differ
    assert judged(history).stop
    assert not judged(history, certain=False).stop


def test_too_small_an_effect_is_no_progress_however_certain() -> None:
    history = [model(100), model(110)]
    assert not judged(history, min_effect=0.049).stop
    assert judged(history, min_effect=0.05).stop, "5 points are not above 5 points"


def test_small_steps_add_up() -> None:
    """No step proves itself, the way from the last progress does; measured from the best it would never."""
    history = [model(100), model(102), model(104), model(106)]
    assert [judged(history[:n], 3).to_beat for n in (1, 2, 3, 4)] == [0, 0, 0, 3]


def test_below_the_best_there_is_no_progress() -> None:
    lucky, proven = model(110, first=60), model(108)
    assert judged([model(100), proven], 9).to_beat == 1
    assert judged([model(100), lucky, proven], 9) == Progress(best=1, to_beat=0, without=2, stop=False)


def test_chance_rarely_looks_like_progress() -> None:
    rng = random.Random(0)
    same = [[{item: rng.random() < 0.5 for item in ITEMS} for _ in range(2)] for _ in range(400)]
    # One-sided 2.5 %: of 400, 10 are expected; the standard deviation is 3.
    assert sum(judged(history).to_beat for history in same) <= 10 + 4 * 3


HISTORIES = st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=7)


def named(rows: Sequence[Sequence[bool]]) -> list[dict[str, bool]]:
    return [{f"{place}": right for place, right in enumerate(row)} for row in rows]


@given(HISTORIES, st.integers(1, 4), st.floats(0, 0.5), st.booleans())
def test_what_always_holds(rows: list[list[bool]], patience: int, min_effect: float, certain: bool) -> None:
    found = judged(named(rows), patience, min_effect=min_effect, certain=certain)
    rights = [sum(row) for row in rows]
    assert found.best == rights.index(max(rights))
    assert 0 <= found.to_beat <= found.best
    assert found.without == len(rows) - 1 - found.to_beat
    assert found.stop == (found.without >= patience)
    assert not (found.stop and len(rows) <= patience), "patience is granted before anything else"


@given(HISTORIES, st.integers(1, 4), st.booleans())
def test_the_best_once_more_is_no_progress(rows: list[list[bool]], patience: int, certain: bool) -> None:
    before = judged(named(rows), patience, certain=certain)
    after = judged(named([*rows, rows[before.best]]), patience, certain=certain)
    assert (after.best, after.to_beat, after.without) == (before.best, before.to_beat, before.without + 1)


@given(HISTORIES, st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_count(rows: list[list[bool]], rng: random.Random) -> None:
    history = named(rows)
    shuffled = []
    for outcomes in history:
        items = list(outcomes.items())
        rng.shuffle(items)
        shuffled.append(dict(items))
    assert judged(shuffled) == judged(history)


@pytest.mark.parametrize(
    "history", [[], [{}], [{"a": True}, {"b": True}], [{"a": True}, {"a": True, "b": True}]]
)
def test_models_that_cannot_be_compared_are_refused(history: list[dict[str, bool]]) -> None:
    with pytest.raises(ValueError, match="progress needs"):
        judged(history)


def test_no_patience_is_refused() -> None:
    with pytest.raises(ValueError, match="patience"):
        judged([model(1)], 0)
