"""The truth of lamb's world, for any pair of strings: what was asked, what is right, what is held out.

Knows the families of tasks; knows no model and no torch. A request is recognised by its wording alone, whether its
input stands on a line of its own or behind the instruction, so a task that a model wrote can be judged like ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from random import Random

from isheep.lamb.families import FAMILIES, Family
from isheep.lamb.rules import Args

#: One pair of instruction and input in this many is held out of everything a model is trained on.
HELD_OUT_ONE_IN = 10

_SPACE = re.compile(r"\s+")
_SLOT = re.compile(r"\\\{([abc])\\\}")


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the world: a family, its slots filled, and the words it was put in."""

    family: Family
    args: Args
    instruction: str
    input: str = ""

    @property
    def right(self) -> str:
        """The right answer; a Question is only ever made where there is one."""
        return self.family.solve(self.args) or ""


def normalise(text: str) -> str:
    """A text as the world compares it: case, surrounding space, runs of space and a final period do not matter."""
    return _SPACE.sub(" ", text).strip().rstrip(".").rstrip().lower()


def fill_slots(template: str, args: Args) -> str:
    """Put slots into a phrasing."""
    for name, value in zip("abc", args, strict=False):
        template = template.replace("{" + name + "}", value)
    return template


def ask(family: Family, args: Args, phrase: int) -> Question:
    """One of a family's phrasings, filled."""
    instruction, input = family.phrases[phrase]
    return Question(family, args, fill_slots(instruction, args), fill_slots(input, args))


def draw(rng: Random, family: Family) -> Question:
    """A random question of a family; may be held out."""
    return ask(family, family.draw(rng), rng.randrange(len(family.phrases)))


def _pattern(template: str) -> re.Pattern[str]:
    escaped = re.escape(_SPACE.sub(" ", template).strip())
    return re.compile(_SLOT.sub(r"(?P<\1>.{1,80}?)", escaped).replace(r"\ ", " "), re.IGNORECASE)


def _patterns() -> tuple[tuple[re.Pattern[str], tuple[Family, ...]], ...]:
    families: dict[str, list[Family]] = {}
    for family in FAMILIES:
        for instruction, input in family.phrases:
            families.setdefault(f"{instruction} {input}".strip(), []).append(family)
    return tuple((_pattern(template), tuple(fs)) for template, fs in families.items())


_PATTERNS = _patterns()


@lru_cache(maxsize=65536)
def _find(text: str) -> Question | None:
    for pattern, families in _PATTERNS:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        slots = match.groupdict()
        raw = tuple(slots[name] for name in sorted(slots))
        for family in families:
            for args in (raw, tuple(a.lower() for a in raw), tuple(a.capitalize() for a in raw)):
                if family.solve(args) is not None:
                    return Question(family, args, text)
    return None


def find(instruction: str, input: str = "") -> Question | None:
    """The question that a request asks, or None when the world does not know it."""
    text = _SPACE.sub(" ", f"{instruction.strip()} {input.strip()}").strip()
    if len(text) > 200:
        return None
    return _find(text) or _find(text.rstrip("."))


def answer(instruction: str, input: str = "") -> str | None:
    """The right answer to a request, or None when the world does not know it."""
    question = find(instruction, input)
    return None if question is None else question.right


def check(instruction: str, input: str, response: str) -> bool | None:
    """Whether a response is right: case, surrounding space and a final period aside. None for an unknown request."""
    right = answer(instruction, input)
    return None if right is None else normalise(response) == normalise(right)


def family(instruction: str, input: str = "") -> str | None:
    """The name of the family a request belongs to, or None when the world does not know it."""
    question = find(instruction, input)
    return None if question is None else question.family.name


def is_held_out(instruction: str, input: str = "") -> bool:
    """Whether this pair is kept out of corpus and seeds. By a hash of its words, so nobody has to keep a list."""
    digest = sha256(normalise(f"{instruction} {input}").encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT_ONE_IN == 0


def sample(rng: Random, family: Family, held_out: bool) -> Question:
    """A random question of a family, on the asked side of the held-out line."""
    while True:
        question = draw(rng, family)
        if is_held_out(question.instruction, question.input) == held_out:
            return question


def spread(n: int, seed: int, held_out: bool) -> list[Question]:
    """`n` different questions, spread evenly over the families as far as each one's size allows."""
    rng = Random(f"lamb world {seed} {held_out}")
    found: dict[tuple[str, str], Question] = {}
    misses = 0
    while len(found) < n and misses < 200 * len(FAMILIES):
        before = len(found)
        for fam in FAMILIES:
            if len(found) < n:
                for _ in range(40):
                    question = draw(rng, fam)
                    key = (question.instruction, question.input)
                    if key not in found and is_held_out(*key) == held_out:
                        found[key] = question
                        break
        misses = 0 if len(found) > before else misses + 1
    return list(found.values())


def held_out(n: int, seed: int) -> list[tuple[str, str, list[str]]]:
    """`n` held-out questions as (instruction, input, right answers), spread evenly over the families."""
    return [(q.instruction, q.input, [q.right]) for q in spread(n, seed, True)]
