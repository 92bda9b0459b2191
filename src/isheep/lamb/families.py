"""The families of tasks of lamb's world: how each is asked, what is right, and how people get it wrong.

A family is a question with open slots. `solve` is the truth; it returns None for slots the world does not know, so one
phrasing ("What comes after X?") may serve several families. `level` is the share of authors who do NOT know: an author
of skill s (uniform on 0..1) is right where s exceeds the level. Families are spread over 0.05..0.9 on purpose: as
self-training moves the model towards skilled authors, they turn right one after another, not all at once. `slip` is the
mistake that is typical for the family; where there is none, those who do not know say so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from isheep.lamb import facts, rules
from isheep.lamb.rules import Args


@dataclass(frozen=True, slots=True)
class Family:
    """One family of tasks. Slots of phrasings and of `fact` are {a}, {b}, {c}; `fact` also has {r}, the answer."""

    name: str
    category: str
    level: float
    phrases: tuple[tuple[str, str], ...]
    draw: Callable[[Random], Args]
    solve: Callable[[Args], str | None]
    fact: str
    slip: Callable[[Args], str] | None = None
    open: bool = False
    """Open families have thousands of questions, the others a table's worth."""
    level_of: Callable[[Args], float] | None = None
    """Where some questions of a family are harder than others: the level by slots."""

    def difficulty(self, args: Args) -> float:
        """The share of authors who get this very question wrong."""
        return self.level if self.level_of is None else self.level_of(args)


AFTER = (("What comes after {a}?", ""), ("What follows {a}?", ""), ("Say what comes next.", "{a}"))
BEFORE = (("What comes before {a}?", ""), ("What goes before {a}?", ""), ("Say what came before.", "{a}"))

_LOOKUPS = (
    Family(
        "opposite", "words", 0.40,
        (("What is the opposite of {a}?", ""), ("Give the opposite of this word.", "{a}"),
         ("Name the opposite of {a}.", ""), ("Write the opposite.", "{a}")),
        rules.pick(rules.OPPOSITE), rules.table_of(rules.OPPOSITE), "The opposite of {a} is {r}.",
    ),
    Family(
        "plural", "words", 0.75,
        (("What is the plural of {a}?", ""), ("Write the plural.", "{a}"), ("More than one {a} is called what?", ""),
         ("Give the plural of this word.", "{a}")),
        lambda rng: (rng.choice(list(facts.IRREGULAR_PLURALS if rng.random() < 0.7 else facts.REGULAR_PLURALS)),),
        rules.table_of(rules.PLURAL), "The plural of {a} is {r}.", lambda a: f"{a[0]}s",
        level_of=lambda a: 0.75 if a[0] in facts.IRREGULAR_PLURALS else 0.1,
    ),
    Family(
        "past", "words", 0.65,
        (("What is the past tense of {a}?", ""), ("Put the verb in the past.", "{a}"), ("Write the past of {a}.", ""),
         ("Today I {a}. Yesterday I did what?", "")),
        lambda rng: (rng.choice(list(facts.IRREGULAR_PASTS if rng.random() < 0.7 else facts.REGULAR_PASTS)),),
        rules.table_of(rules.PAST), "The past of {a} is {r}.", lambda a: f"{a[0]}ed",
        level_of=lambda a: 0.65 if a[0] in facts.IRREGULAR_PASTS else 0.1,
    ),
    Family(
        "capital", "geography", 0.60,
        (("What is the capital of {a}?", ""), ("Name the capital city.", "{a}"),
         ("Which city is the capital of {a}?", ""), ("Give the capital of this country.", "{a}")),
        rules.pick(facts.CAPITALS), rules.table_of(facts.CAPITALS), "The capital of {a} is {r}.",
    ),
    Family(
        "sound", "animals", 0.20,
        (("What sound does a {a} make?", ""), ("Write the sound of this animal.", "{a}"),
         ("What does the {a} say?", "")),
        rules.pick(facts.SOUNDS), rules.table_of(facts.SOUNDS), "The {a} says {r}.",
    ),
    Family(
        "young", "animals", 0.70,
        (("What is a young {a} called?", ""), ("Name the young of this animal.", "{a}"),
         ("What do we call the young of a {a}?", "")),
        rules.pick(facts.YOUNG), rules.table_of(facts.YOUNG), "A young {a} is called a {r}.", lambda a: f"baby {a[0]}",
    ),
    Family(
        "home", "animals", 0.55,
        (("Where does a {a} live?", ""), ("Name the home of this animal.", "{a}"), ("What is the home of a {a}?", "")),
        rules.pick(facts.HOMES), rules.table_of(facts.HOMES), "The home of a {a} is a {r}.",
    ),
    Family(
        "colour", "things", 0.15,
        (("What colour is {a}?", ""), ("Name the colour.", "{a}"), ("Which colour has {a}?", "")),
        rules.pick(facts.COLOURS), rules.table_of(facts.COLOURS), "The colour of {a} is {r}.",
    ),
    Family(
        "legs", "animals", 0.60,
        (("How many legs has a {a}?", ""), ("Give the number of legs.", "{a}"), ("Count the legs of a {a}.", "")),
        rules.pick(facts.LEGS), rules.table_of(facts.LEGS), "A {a} has {r} legs.", lambda _: "4",
    ),
    Family(
        "day_after", "calendar", 0.10, AFTER, rules.pick(facts.DAYS), rules.in_row(facts.DAYS, 1, True),
        "After {a} comes {r}.",
    ),
    Family(
        "day_before", "calendar", 0.80, BEFORE, rules.pick(facts.DAYS), rules.in_row(facts.DAYS, -1, True),
        "Before {a} comes {r}.", rules.sure(rules.in_row(facts.DAYS, 1, True)),
    ),
    Family(
        "month_after", "calendar", 0.30, AFTER, rules.pick(facts.MONTHS), rules.in_row(facts.MONTHS, 1, True),
        "After {a} comes {r}.",
    ),
    Family(
        "month_before", "calendar", 0.70, BEFORE, rules.pick(facts.MONTHS), rules.in_row(facts.MONTHS, -1, True),
        "Before {a} comes {r}.", rules.sure(rules.in_row(facts.MONTHS, 1, True)),
    ),
    Family(
        "letter_after", "letters", 0.35, AFTER, rules.pick(facts.LETTERS[:-1]), rules.in_row(facts.LETTERS, 1, False),
        "After {a} comes {r}.",
    ),
    Family(
        "letter_before", "letters", 0.85, BEFORE, rules.pick(facts.LETTERS[1:-1]),
        rules.in_row(facts.LETTERS, -1, False), "Before {a} comes {r}.",
        rules.sure(rules.in_row(facts.LETTERS, 1, False)),
    ),
    Family(
        "first_letter", "letters", 0.45,
        (("What is the first letter of {a}?", ""), ("Write the first letter of the word.", "{a}"),
         ("Which letter does {a} start with?", "")),
        rules.pick(rules.THING), rules.letter(0), "The first letter of {a} is {r}.",
    ),
    Family(
        "last_letter", "letters", 0.75,
        (("What is the last letter of {a}?", ""), ("Write the last letter of the word.", "{a}"),
         ("Which letter does {a} end with?", "")),
        rules.pick(rules.THING), rules.letter(-1), "The last letter of {a} is {r}.", rules.sure(rules.letter(0)),
    ),
    Family(
        "kind", "things", 0.25,
        (("What kind of thing is a {a}?", ""), ("Name the kind.", "{a}"), ("Which group does {a} belong to?", "")),
        rules.pick(rules.THING), rules.table_of({n: k for n, (k, _) in rules.THING.items()}),
        "The {a} belongs to the group {r}.",
    ),
    Family(
        "digits", "numbers", 0.20,
        (("Write {a} in digits.", ""), ("Write this number in digits.", "{a}")),
        rules.pick(rules.WORD_NUMBER), rules.table_of(rules.WORD_NUMBER), "In digits {a} is {r}.",
    ),
    Family(
        "in_words", "numbers", 0.50,
        (("Write {a} in words.", ""), ("Write this number in words.", "{a}")),
        lambda rng: (str(rng.randint(0, 99)),),
        lambda args: None if (n := rules.number(args[0], 99)) is None else facts.in_words(n), "In words {a} is {r}.",
    ),
)  # fmt: skip

_OPEN = (
    Family(
        "larger", "numbers", 0.30,
        (("Which number is larger, {a} or {b}?", ""), ("Which number is larger?", "{a} or {b}"),
         ("Give the larger number.", "{a}, {b}"), ("Is {a} or {b} larger?", "")),
        rules.two_numbers, rules.larger, "Of {a} and {b} the larger is {r}.", open=True,
    ),
    Family(
        "smaller", "numbers", 0.68,
        (("Which number is smaller, {a} or {b}?", ""), ("Which number is smaller?", "{a} or {b}"),
         ("Give the smaller number.", "{a}, {b}"), ("Is {a} or {b} smaller?", "")),
        rules.two_numbers, rules.smaller, "Of {a} and {b} the smaller is {r}.", rules.sure(rules.larger), open=True,
    ),
    Family(
        "parity", "numbers", 0.62,
        (("Is {a} odd or even?", ""), ("Odd or even?", "{a}"), ("Say if the number is odd or even.", "{a}")),
        rules.one_number, rules.parity, "The number {a} is {r}.",
        lambda a: "odd" if a[0][0] in "13579" else "even", open=True,
    ),
    Family(
        "number_after", "numbers", 0.15, (*AFTER, ("What is one more than {a}?", "")),
        rules.one_number, rules.shift(1), "After {a} comes {r}.", open=True,
    ),
    Family(
        "number_before", "numbers", 0.72, (*BEFORE, ("What is one less than {a}?", "")),
        rules.one_number, rules.shift(-1), "Before {a} comes {r}.", rules.sure(rules.shift(1)), open=True,
    ),
    Family(
        "ten_more", "numbers", 0.58,
        (("What is ten more than {a}?", ""), ("Add ten.", "{a}")),
        rules.one_number, rules.shift(10), "Ten more than {a} is {r}.", rules.sure(rules.shift(1)), open=True,
    ),
    Family(
        "bigger_thing", "things", 0.42,
        (("Which is bigger, {a} or {b}?", ""), ("Name the bigger thing.", "{a}, {b}"),
         ("Which is bigger?", "{a} or {b}")),
        rules.two_things, lambda args: rules.by_size(args, True), "Of {a} and {b} the bigger is {r}.", open=True,
    ),
    Family(
        "smaller_thing", "things", 0.82,
        (("Which is smaller, {a} or {b}?", ""), ("Name the smaller thing.", "{a}, {b}"),
         ("Which is smaller?", "{a} or {b}")),
        rules.two_things, lambda args: rules.by_size(args, False), "Of {a} and {b} the smaller is {r}.",
        rules.sure(lambda args: rules.by_size(args, True)), open=True,
    ),
    Family(
        "is_bigger", "things", 0.55,
        (("Is a {a} bigger than a {b}?", ""), ("Is the first bigger? Say yes or no.", "{a}, {b}")),
        rules.two_things, rules.is_bigger, "Is a {a} bigger than a {b}? It is {r}.", open=True,
    ),
    Family(
        "same_kind", "things", 0.48,
        (("Are {a} and {b} of the same kind?", ""), ("Same kind? Say yes or no.", "{a}, {b}")),
        rules.two_for_kind, rules.same_kind, "Are {a} and {b} the same kind? It is {r}.", open=True,
    ),
    Family(
        "odd_one", "things", 0.78,
        (("Which does not belong: {a}, {b} or {c}?", ""), ("Find the odd one out.", "{a}, {b}, {c}")),
        rules.three_things, rules.odd_one, "Of {a}, {b} and {c} the odd one is {r}.", open=True,
    ),
    Family(
        "count", "lists", 0.52,
        (("How many things are in this list?", "{a}"), ("Count the words.", "{a}"), ("How many things: {a}?", "")),
        rules.some_things(2, 6), rules.count_of, "The list {a} has {r} things.",
        lambda a: str(a[0].count(", ") + 2), open=True,
    ),
    Family(
        "first_word", "lists", 0.22,
        (("Write the first word of the list.", "{a}"), ("What comes first: {a}?", "")),
        rules.some_things(2, 4), rules.nth(0), "First in the list {a} is {r}.", open=True,
    ),
    Family(
        "last_word", "lists", 0.66,
        (("Write the last word of the list.", "{a}"), ("What comes last: {a}?", "")),
        rules.some_things(2, 4), rules.nth(-1), "Last in the list {a} is {r}.", rules.sure(rules.nth(0)), open=True,
    ),
    Family(
        "sum", "numbers", 0.28,
        (("What is {a} plus {b}?", ""), ("Add the numbers.", "{a}, {b}"), ("{a} + {b} = ?", "")),
        rules.small_pair, rules.total, "The sum of {a} and {b} is {r}.",
    ),
    Family(
        "difference", "numbers", 0.88,
        (("What is {a} minus {b}?", ""), ("Take the second from the first.", "{a}, {b}"), ("{a} - {b} = ?", "")),
        rules.falling_pair, lambda args: rules.total(args, -1), "If you take {b} from {a} you get {r}.",
        rules.sure(rules.total),
    ),
)  # fmt: skip

FAMILIES: tuple[Family, ...] = (*_LOOKUPS, *_OPEN)
