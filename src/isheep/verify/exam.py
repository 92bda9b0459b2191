"""Probes: everyday tasks with one or two instructions a program can check, drawn by seed.

For trying a judge against a truth, and for checks that need no training. Every combination can be met: `planted`
writes a response that follows and one that does not for each probe, without a model.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from isheep.errors import RecipeError
from isheep.verify import exam_words as source
from isheep.verify.arguments import LESS_THAN, RELATIONS
from isheep.verify.checks import CHECKS, Demand, demand
from isheep.verify.plant import plant

LANGUAGE, JSON = "language:response_language", "detectable_format:json_format"
CONSTRAINED, REPEAT = "detectable_format:constrained_response", "combination:repeat_prompt"

#: What each type lays claim to; two that claim the same are not demanded together, be it that they contradict one
#: another (all capitals, all small) or that meeting one may break the other (a postscript adds sentences, a row of
#: equal letters does not look English).
_CLAIMS: Mapping[str, frozenset[str]] = {
    id: frozenset(claims.split())
    for id, claims in {
        "keywords:existence": "words",
        "keywords:frequency": "words",
        "keywords:forbidden_words": "words",
        "keywords:letter_frequency": "letters",
        "length_constraints:number_sentences": "shape tail",
        "length_constraints:number_paragraphs": "shape stars",
        "length_constraints:number_words": "shape",
        "length_constraints:nth_paragraph_first_word": "shape head",
        "detectable_content:number_placeholders": "",
        "detectable_content:postscript": "tail case",
        "detectable_format:number_bullet_lists": "shape stars",
        "detectable_format:number_highlighted_sections": "stars",
        "detectable_format:multiple_sections": "shape case",
        "detectable_format:title": "head",
        "combination:two_responses": "shape stars",
        "startend:end_checker": "tail case",
        "startend:quotation": "",
        "change_case:capital_word_frequency": "case",
        "change_case:english_capital": "case letters",
        "change_case:english_lowercase": "case letters",
        "punctuation:no_comma": "",
    }.items()
}
#: Types that decide the whole response go with these only.
_ONLY_WITH: Mapping[str, frozenset[str]] = {
    LANGUAGE: frozenset({"punctuation:no_comma", "detectable_format:title", "startend:quotation"}),
    JSON: frozenset({"punctuation:no_comma", "keywords:existence"}),
    REPEAT: frozenset({"startend:end_checker", "detectable_content:postscript", "detectable_format:title"}),
    CONSTRAINED: frozenset(),
}
#: Draws of a probe before it is said that there is no new one.
_TRIES = 200


@dataclass(frozen=True, slots=True)
class Probe:
    """One question with a truth: `instruction` is what a model is asked, `checks` are what its answer must follow."""

    id: str
    instruction: str
    checks: tuple[Demand, ...]


def compatible(one: str, two: str) -> bool:
    """Whether two types may be demanded of one response."""
    for whole, other in ((one, two), (two, one)):
        if whole in _ONLY_WITH:
            return other in _ONLY_WITH[whole]
    return one != two and not _CLAIMS[one] & _CLAIMS[two]


def build(count: int, seed: int) -> tuple[Probe, ...]:
    """`count` distinct probes, every other one with two instructions, all types about equally often.

    The same for the same seed; the first n of more are the same n. Raises RecipeError when there are no more to draw
    (some thousands).
    """
    rng = random.Random(f"isheep.verify.exam/{seed}")
    used: Counter[str] = Counter()
    seen: set[str] = set()
    probes: list[Probe] = []
    while len(probes) < count:
        probe = _draw(rng, used, seen, len(probes))
        used.update(wanted.id for wanted in probe.checks)
        seen.add(probe.instruction)
        probes.append(probe)
    return tuple(probes)


def planted(probe: Probe, seed: int) -> tuple[str, str]:
    """(a response that follows the probe, one that breaks one of its instructions), for any probe `build` makes.

    All 25 types can be planted; of languages, those probes ask for. The two are alike but for what is broken, and are
    not about the task: they try whether a checker, or a judge told to look at the instructions alone, tells them apart.
    """
    key = f"isheep.verify.planted/{seed}/{probe.id}/{probe.instruction}"
    rng = random.Random(key)
    broken = rng.choice(probe.checks).id
    return plant(probe.checks, "", random.Random(key)), plant(probe.checks, broken, random.Random(key))


def _draw(rng: random.Random, used: Counter[str], seen: set[str], number: int) -> Probe:
    def rarest(ids: list[str]) -> str:
        return min(ids, key=lambda id: (used[id], rng.random()))

    for _ in range(_TRIES):
        ids = [rarest(list(CHECKS))]
        partners = [id for id in CHECKS if compatible(ids[0], id)]
        if number % 2 and partners:
            ids.append(rarest(partners))
        tasks = source.QUESTIONS if CONSTRAINED in ids else source.TASKS
        task = rng.choice(tasks).format(topic=rng.choice(source.TOPICS))
        checks = tuple(demand(id, _arguments(id, task, rng)) for id in ids)
        instruction = "\n".join([task, *(wanted.text for wanted in checks)])
        if instruction not in seen:
            return Probe(f"probe-{number:05d}", instruction, checks)
    raise RecipeError(f"there are no more than {number} different probes to draw", "ask for fewer")


def _threshold(rng: random.Random, low: int, high: int) -> tuple[int, str]:
    """A count and a relation; "less than" leaves room for one or two."""
    relation = rng.choice(RELATIONS)
    return rng.randint(low, high) + 2 * (relation == LESS_THAN), relation


def _arguments(id: str, task: str, rng: random.Random) -> Mapping[str, object]:
    """Arguments of a type, drawn."""
    maker = _MAKERS.get(id)
    return {"prompt_to_repeat": task} if id == REPEAT else maker(rng) if maker else {}


def _thresholds(
    count: str, relation: str, low: int, high: int
) -> Callable[[random.Random], dict[str, object]]:
    return lambda rng: dict(zip((count, relation), _threshold(rng, low, high), strict=True))


def _number(name: str, low: int, high: int) -> Callable[[random.Random], dict[str, object]]:
    return lambda rng: {name: rng.randint(low, high)}


def _nth(rng: random.Random) -> dict[str, object]:
    count = rng.randint(2, 5)
    return {
        "num_paragraphs": count,
        "nth_paragraph": rng.randint(1, count),
        "first_word": rng.choice(source.OPENINGS),
    }


_often = _thresholds("frequency", "relation", 1, 4)
_letters = _thresholds("let_frequency", "let_relation", 2, 8)
_MAKERS: Mapping[str, Callable[[random.Random], dict[str, object]]] = {
    "keywords:existence": lambda rng: {"keywords": rng.sample(source.KEYWORDS, rng.randint(1, 3))},
    "keywords:frequency": lambda rng: {"keyword": rng.choice(source.KEYWORDS), **_often(rng)},
    "keywords:forbidden_words": lambda rng: {
        "forbidden_words": rng.sample(source.AVOIDED, rng.randint(1, 3))
    },
    "keywords:letter_frequency": lambda rng: {"letter": rng.choice(source.LETTERS), **_letters(rng)},
    LANGUAGE: lambda rng: {"language": rng.choice(list(source.FOREIGN))},
    "length_constraints:number_sentences": _thresholds("num_sentences", "relation", 3, 8),
    "length_constraints:number_paragraphs": _number("num_paragraphs", 2, 5),
    "length_constraints:number_words": _thresholds("num_words", "relation", 60, 150),
    "length_constraints:nth_paragraph_first_word": _nth,
    "detectable_content:number_placeholders": _number("num_placeholders", 1, 6),
    "detectable_content:postscript": lambda rng: {"postscript_marker": rng.choice(source.MARKERS)},
    "detectable_format:number_bullet_lists": _number("num_bullets", 2, 6),
    "detectable_format:number_highlighted_sections": _number("num_highlights", 1, 4),
    "detectable_format:multiple_sections": lambda rng: {
        "section_spliter": rng.choice(source.SPLITTERS),
        "num_sections": rng.randint(2, 5),
    },
    "startend:end_checker": lambda rng: {"end_phrase": rng.choice(source.ENDINGS)},
    "change_case:capital_word_frequency": _thresholds("capital_frequency", "capital_relation", 2, 6),
}
