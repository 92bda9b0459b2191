"""The seeded draw of the few-shot examples a model is shown before it writes tasks of its own.

Knows: how to draw. Does not know: where the seed comes from (a step's key and a request's id, so that an interrupted
run draws what an unbroken one would have drawn).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from isheep.errors import RecipeError
from isheep.records import Task


def draw_shots(tasks: Sequence[Task], count: int, seed: int) -> tuple[Task, ...]:
    """Draw `count` different tasks, each equally likely, in random order (released code: 5 seed tasks, uniformly).

    Depends on nothing but the arguments and the order of `tasks`. Written out instead of calling `random.sample`:
    Python promises that `random()` gives the same numbers in every version, but does not promise it of `sample`.
    """
    if count < 0:
        raise RecipeError(f"cannot show {count} seed tasks", "set the number of shots to 0 or more")
    if count > len(tasks):
        raise RecipeError(
            f"{count} seed tasks are to be shown, but there are only {len(tasks)}",
            f"lower the number of shots to {len(tasks)} or add seed tasks",
        )
    rng = random.Random(seed)
    left = list(tasks)
    drawn = []
    for _ in range(count):
        drawn.append(left.pop(int(rng.random() * len(left))))
    return tuple(drawn)
