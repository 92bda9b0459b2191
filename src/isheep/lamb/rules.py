"""How questions are drawn and solved: the arithmetic and the look-ups behind the families.

A solver takes the slots of a question and returns the right answer, or None for slots the world does not know; it never
raises, whatever stands in the slots, because models write the requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from isheep.lamb import facts

Args = tuple[str, ...]
Draw = Callable[[Random], Args]
Solve = Callable[[Args], str | None]

THING = {name: (kind, size) for size, (name, kind) in enumerate(facts.THINGS)}
_NAMES = tuple(THING)
OPPOSITE = {**dict(facts.OPPOSITES), **{b: a for a, b in facts.OPPOSITES}}
PLURAL = {**facts.IRREGULAR_PLURALS, **{w: f"{w}s" for w in facts.REGULAR_PLURALS}}
PAST = {**facts.IRREGULAR_PASTS, **{w: f"{w}ed" for w in facts.REGULAR_PASTS}}
_KINDS = sorted({kind for kind, _ in THING.values()})
WORD_NUMBER = {facts.in_words(n): str(n) for n in range(100)}


def pick(words: Iterable[str]) -> Draw:
    """One word of a pool, sorted so that a set's order cannot matter."""
    pool = sorted(words)
    return lambda rng: (rng.choice(pool),)


def table_of(table: dict[str, str]) -> Solve:
    """The answer stands in a table."""
    return lambda args: table.get(args[0])


def number(text: str, top: int = 999) -> int | None:
    """The number a slot holds, from 0 to `top`; None for anything else, signs and leading zeros included."""
    if not (text.isascii() and text.isdigit()) or len(text) > 4 or (len(text) > 1 and text[0] == "0"):
        return None
    return int(text) if int(text) <= top else None


def _numbers(args: Args, top: int = 999) -> list[int] | None:
    values = [number(a, top) for a in args]
    return None if None in values else [v for v in values if v is not None]


def some_number(rng: Random) -> int:
    """Small numbers as often as large ones."""
    return rng.randint(1, rng.choice((20, 99, 99, 999, 999)))


def one_number(rng: Random) -> Args:
    """One number."""
    return (str(some_number(rng)),)


def two_numbers(rng: Random) -> Args:
    """Two different numbers."""
    a = some_number(rng)
    b = a
    while b == a:
        b = some_number(rng)
    return str(a), str(b)


def two_things(rng: Random) -> Args:
    """Two different things."""
    a, b = rng.sample(_NAMES, 2)
    return a, b


def two_for_kind(rng: Random) -> Args:
    """Two different things, of one kind about half of the time."""
    a = rng.choice(_NAMES)
    same = [n for n in _NAMES if n != a and (THING[n][0] == THING[a][0]) == (rng.random() < 0.5)]
    return a, rng.choice(same or [n for n in _NAMES if n != a])


def three_things(rng: Random) -> Args:
    """Two things of one kind and one of another, in any order."""
    kind, other = rng.sample(_KINDS, 2)
    trio = rng.sample([n for n in _NAMES if THING[n][0] == kind], 2)
    trio.append(rng.choice([n for n in _NAMES if THING[n][0] == other]))
    rng.shuffle(trio)
    return tuple(trio)


def some_things(low: int, high: int) -> Draw:
    """A list of `low` to `high` different things, in one slot."""
    return lambda rng: (", ".join(rng.sample(_NAMES, rng.randint(low, high))),)


def _listed(text: str) -> list[str] | None:
    items = text.split(", ")
    return items if len(items) >= 2 and all(i in THING for i in items) else None


def _kinds(args: Args) -> list[str] | None:
    return (
        [THING[a][0] for a in args] if all(a in THING for a in args) and len(set(args)) == len(args) else None
    )


def larger(args: Args) -> str | None:
    """The larger of two numbers."""
    values = _numbers(args)
    return None if values is None or values[0] == values[1] else str(max(values))


def smaller(args: Args) -> str | None:
    """The smaller of two numbers."""
    values = _numbers(args)
    return None if values is None or values[0] == values[1] else str(min(values))


def by_size(args: Args, last: bool) -> str | None:
    """The biggest of some things, or the smallest."""
    if _kinds(args) is None:
        return None
    return sorted(args, key=lambda a: THING[a][1])[-1 if last else 0]


def is_bigger(args: Args) -> str | None:
    """Whether the first thing is bigger than the second."""
    return None if _kinds(args) is None else "yes" if THING[args[0]][1] > THING[args[1]][1] else "no"


def same_kind(args: Args) -> str | None:
    """Whether two things are of one kind."""
    kinds = _kinds(args)
    return None if kinds is None else "yes" if kinds[0] == kinds[1] else "no"


def odd_one(args: Args) -> str | None:
    """The one thing whose kind no other shares."""
    kinds = _kinds(args)
    lonely = [a for a, k in zip(args, kinds or (), strict=False) if (kinds or []).count(k) == 1]
    return lonely[0] if len(lonely) == 1 else None


def shift(by: int, low: int = 0) -> Solve:
    """A number so much further on."""

    def solve(args: Args) -> str | None:
        value = number(args[0])
        return None if value is None or value + by < low else str(value + by)

    return solve


def parity(args: Args) -> str | None:
    """Odd or even."""
    value = number(args[0])
    return None if value is None else "odd" if value % 2 else "even"


def in_row(row: tuple[str, ...] | str, by: int, around: bool) -> Solve:
    """The neighbour in a row of words; `around` joins its ends."""
    table = {w: row[(i + by) % len(row)] for i, w in enumerate(row) if around or 0 <= i + by < len(row)}
    return table_of(table)


def total(args: Args, sign: int = 1) -> str | None:
    """The sum of two small numbers, or with sign -1 their difference."""
    values = _numbers(args, 20)
    if values is None or (total := values[0] + sign * values[1]) < 0:
        return None
    return str(total)


def small_pair(rng: Random) -> Args:
    """Two numbers from 1 to 10."""
    return str(rng.randint(1, 10)), str(rng.randint(1, 10))


def falling_pair(rng: Random) -> Args:
    """Two numbers up to 10, the larger first."""
    a = rng.randint(2, 10)
    return str(a), str(rng.randint(1, a - 1))


def count_of(args: Args) -> str | None:
    """How many things a list has."""
    items = _listed(args[0])
    return None if items is None else str(len(items))


def nth(which: int) -> Solve:
    """One place of a list."""

    def solve(args: Args) -> str | None:
        items = _listed(args[0])
        return None if items is None else items[which]

    return solve


def letter(which: int) -> Solve:
    """One letter of a known thing."""
    return lambda args: args[0][which].upper() if args[0] in THING else None


def sure(solve: Solve) -> Callable[[Args], str]:
    """A slip made of another family's truth (the day after for the day before); the world knows it wherever asked."""
    return lambda args: solve(args) or "no"
