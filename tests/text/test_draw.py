"""The draw of few-shot examples: seeded, uniform, without replacement."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.errors import RecipeError
from isheep.records import Task
from isheep.text.draw import draw_shots

TASKS = [Task(f"seed_{number:03d}", f"Do thing {number}.") for number in range(175)]


def ids(tasks: tuple[Task, ...]) -> list[str]:
    return [task.id for task in tasks]


@given(st.integers(0, 175), st.integers(0, 2**63 - 1))
def test_draws_so_many_different_tasks_and_the_same_again(count: int, seed: int) -> None:
    drawn = draw_shots(TASKS, count, seed)
    assert len(set(drawn)) == len(drawn) == count
    assert set(drawn) <= set(TASKS)
    assert drawn == draw_shots(tuple(TASKS), count, seed)


def test_the_numbers_stay_the_same_for_ever() -> None:
    """A golden draw: another would silently change every run."""
    assert ids(draw_shots(TASKS, 5, 0)) == ["seed_147", "seed_131", "seed_072", "seed_044", "seed_089"]


def test_seeds_differ() -> None:
    assert len({draw_shots(TASKS, 5, seed) for seed in range(100)}) == 100


def test_every_task_is_equally_likely_in_every_place() -> None:
    few = TASKS[:5]
    places = Counter(
        (place, task.id) for seed in range(5000) for place, task in enumerate(draw_shots(few, 3, seed))
    )
    assert len(places) == 15
    # Binomial(5000, 1/5): mean 1000, standard deviation 28.
    assert all(abs(count - 1000) < 5 * 28.3 for count in places.values())


def test_the_tasks_given_are_left_alone() -> None:
    tasks = list(TASKS)
    draw_shots(tasks, 10, 1)
    assert tasks == TASKS


@pytest.mark.parametrize(("tasks", "count"), [(TASKS, 176), ([], 1), (TASKS, -1)])
def test_an_impossible_count_is_an_error_that_says_what_to_do(tasks: list[Task], count: int) -> None:
    with pytest.raises(RecipeError, match=str(count)) as caught:
        draw_shots(tasks, count, 0)
    assert caught.value.hint
