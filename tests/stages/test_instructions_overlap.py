"""instructions: what a new task is compared with, and by which rules it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from isheep.records import Completion, Instruction, Task
from isheep.stages.instructions import InstructionsSettings, Sieve
from isheep.text.released import (
    ALL_INSTRUCTION_RULES,
    DEFAULT_INSTRUCTION_RULES,
    RELEASED_INSTRUCTION_RULES,
)
from toy import SEEDS

TASKS = [Task(row["id"], row["instruction"], row.get("input", "")) for row in SEEDS]


def task(name: str) -> str:
    """A task unlike that of any other name."""
    return " ".join(f"{word}{name}" for word in ("describe", "the", "animal", "under", "a", "tree"))


def read(
    sieve: Sieve, names: Sequence[str], shots: tuple[str, ...] = ("s1", "s2")
) -> Iterator[tuple[str, str | None]]:
    """The tasks of those names (or texts), one list each, with what becomes of them."""
    for n, name in enumerate(names):
        text = name if " " in name else task(name)
        (found,) = sieve.read(Completion(f"0.{n:06d}", f" {text}\n", "stop", 1, 1), shots)
        yield name, found.reason


def sieve(
    earlier: Sequence[Instruction] = (), rules: Sequence[str] = (), count: int = 100, **overlap: Any
) -> Sieve:
    settings = InstructionsSettings(count=count, rules=tuple(rules), overlap=overlap)
    return Sieve(settings, TASKS, earlier)


def reasons(made: Sieve, *names: str) -> list[str | None]:
    return [reason for _, reason in read(made, names)]


DUP = "near_duplicate"
SEED = "Name three fruits that are red."


def earlier(*names: str, reason: str | None = None) -> list[Instruction]:
    return [Instruction(f"0.{n}.00", task(name), "", (), f"0.{n}", reason) for n, name in enumerate(names)]


# across iterations


@pytest.mark.parametrize(("across", "reason"), [(True, DUP), (False, None)])
def test_across_compares_with_the_tasks_kept_earlier(across: bool, reason: str | None) -> None:
    assert reasons(sieve(earlier("a"), across=across), "a", "b") == [reason, None]


def test_what_was_dropped_earlier_may_be_written_again() -> None:
    assert reasons(sieve(earlier("a", reason="length")), "a") == [None]


@pytest.mark.parametrize("across", [True, False])
def test_seeds_and_this_iteration_are_always_compared_with(across: bool) -> None:
    assert reasons(sieve(earlier("a"), across=across), SEED, "b", "b") == [DUP, None, DUP]


# the window


def test_a_window_forgets_what_was_kept() -> None:
    """Chunks of two, as the released code has chunks of 100: the third kept task opens a new one."""
    assert reasons(sieve(window=2), "a", "b", "a", "a", "c", "b", "c") == [
        None,
        None,
        None,
        DUP,
        None,
        None,
        None,
    ]


def test_without_a_window_nothing_is_forgotten() -> None:
    assert reasons(sieve(), "a", "b", "a", "c", "b") == [None, None, DUP, None, DUP]


def test_a_window_keeps_the_seeds() -> None:
    assert reasons(sieve(window=1), "a", SEED, "b", SEED, "a") == [None, DUP, None, DUP, None]


def test_a_window_forgets_earlier_iterations_too() -> None:
    assert reasons(sieve(earlier("z"), window=2), "z", "a", "b", "z") == [DUP, None, None, None]


def test_what_is_dropped_fills_no_window() -> None:
    assert reasons(sieve(window=2), "a", "a", "a", SEED, "b", "a") == [None, DUP, DUP, DUP, None, None]


@given(st.lists(st.sampled_from("abcde"), max_size=25), st.integers(1, 6))
def test_a_window_is_a_fresh_start_after_so_many(names: list[str], window: int) -> None:
    wanted: list[str | None] = []
    chunk: set[str] = set()
    for name in names:
        wanted.append(DUP if name in chunk else None)
        if name not in chunk:
            chunk = {*chunk, name} if len(chunk) + 1 < window else set()
    assert reasons(sieve(window=window), *names) == wanted


def test_the_window_does_not_change_the_count() -> None:
    made = sieve(window=1, count=2)
    assert reasons(made, "a", "a", "a") == [None, None, "over_count"]
    assert made.kept == 2


# rules by name and by set


@pytest.mark.parametrize(
    ("names", "rules"),
    [
        (("ours",), DEFAULT_INSTRUCTION_RULES),
        (("released",), RELEASED_INSTRUCTION_RULES),
        ((), ()),
        (("length", "released"), ("length", *RELEASED_INSTRUCTION_RULES)),
    ],
)
def test_a_set_stands_for_its_rules(names: tuple[str, ...], rules: tuple[str, ...]) -> None:
    assert InstructionsSettings(rules=names).rules == rules
    assert set(rules) <= set(ALL_INSTRUCTION_RULES)


def test_every_rule_can_be_named() -> None:
    assert len(InstructionsSettings(rules=("ours", "released")).rules) == len(ALL_INSTRUCTION_RULES)


@pytest.mark.parametrize(
    ("text", "released"),
    [
        ("Write a paragraph about old bridges.", "released_blacklist"),
        ("List some fruits, e.g. red ones.", "released_list_marker"),
        ("Nonetheless say something kind to them.", "released_noinput"),
        ("Say in short what HTTP means.", "released_link"),
    ],
)
def test_the_released_rules_drop_what_ours_keep(text: str, released: str) -> None:
    assert reasons(sieve(rules=["ours"]), text) == [None]
    assert reasons(sieve(rules=["released"]), text) == [released]
    assert reasons(sieve(rules=[]), text) == [None]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (("lenght",), "did you mean 'length'?"),
        (("length", "length"), "stands in the list twice"),
        (("ours", "ours"), "stands in the list twice"),
        (("theirs",), "unknown name 'theirs'"),
    ],
)
def test_rules_that_cannot_be(rules: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        InstructionsSettings(rules=rules)
    assert said in str(caught.value)
