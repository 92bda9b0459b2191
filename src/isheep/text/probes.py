"""Planted answers of known worth, and what a judge makes of them: can it tell right from wrong at all?

Knows: seed tasks with a reference answer, and scores. A judge that gives everything the top score, or likes an evasion
as well as an answer, filters nothing; on its own answers nobody would see it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Indel

from isheep.records import Pair, Task
from isheep.text.prompts import request
from isheep.text.words import tokens

#: What is planted for each task, in this order; the first is the one to tell from all others.
RIGHT, WRONG, OFF_TOPIC, EVASIVE, EMPTY = KINDS = ("right", "wrong", "off_topic", "evasive", "empty")

#: A judge whose right answers score above the planted others less often than this is blind (0.5 is chance).
BLIND = 0.6

#: Answers that say nothing, as people do who do not know.
EVASIONS = (
    "That is hard to say.",
    "It depends.",
    "There are many ways to look at this.",
    "I would have to think about that.",
    "Everyone has to decide that for themselves.",
)

#: stats.auroc, handed in: (positive, negative) -> chance that a positive scores above a negative.
Auroc = Callable[[Sequence[float], Sequence[float]], float | None]


# ---------------------------------------------------------------- planting


def plant(seeds: Sequence[Task], count: int, seed: int) -> list[Pair]:
    """Five Pairs, "<task id>:right" and so on (see KINDS), for each of `count` tasks drawn from those with an output.

    - right: the task's own output.
    - wrong: the output of another task of its category, drawn; without one, of the task most like it.
    - off_topic: the output of a task of another category (of any, when there are no others), drawn from the quarter
      least like it.
    - evasive, empty: a phrase that says nothing; nothing.

    A borrowed output is never one the task accepts, nor that of the same request asked again; whether it happens to be
    right all the same, as "a cat" is for "Name an animal", nobody can tell. Tasks for which there is nothing to borrow
    are passed over, so there may be fewer. Depends on the seed and the tasks, not on their order.
    """
    known = sorted((task for task in seeds if task.output.strip()), key=lambda task: task.id)
    pairs: list[Pair] = []
    for task in sorted(known, key=lambda task: _draw(seed, task.id)):
        if len(pairs) >= count * len(KINDS):
            break
        answers = _answers(task, known, seed)
        if answers is not None:
            pairs += [_pair(task, kind, answer) for kind, answer in zip(KINDS, answers, strict=True)]
    return pairs


def _pair(task: Task, kind: str, answer: str) -> Pair:
    return Pair(f"{task.id}:{kind}", task.instruction, task.input, answer, "stop", True, 0, 0)


def _answers(task: Task, known: Sequence[Task], seed: int) -> tuple[str, ...] | None:
    """One answer of each kind, or None when there are not two tasks to borrow from."""
    others = [other for other in known if _may_lend(other, task)]
    wrong = _wrong(task, others, seed)
    if wrong is None:
        return None
    off_topic = _off_topic(task, [o for o in others if _plain(o.output) != _plain(wrong.output)], seed)
    if off_topic is None:
        return None
    evasion = min(EVASIONS, key=lambda phrase: _draw(seed, task.id, phrase))
    return task.output, wrong.output, off_topic.output, evasion, ""


def _may_lend(other: Task, task: Task) -> bool:
    accepted = {_plain(answer) for answer in (task.output, *task.answers)}
    return _plain(other.output) not in accepted and _plain(_asked(other)) != _plain(_asked(task))


def _wrong(task: Task, others: Sequence[Task], seed: int) -> Task | None:
    same = [other for other in others if task.category and other.category == task.category]
    if same:  # drawn, not the most alike: that may be the same question in other words, and its answer right
        return min(same, key=lambda other: _draw(seed, task.id, other.id))
    return max(others, key=lambda other: (_likeness(task, other), other.id), default=None)


def _off_topic(task: Task, others: Sequence[Task], seed: int) -> Task | None:
    apart = [other for other in others if other.category != task.category] or others
    ranked = sorted(apart, key=lambda other: (_likeness(task, other), other.id))
    least_like = ranked[: -(-len(ranked) // 4)]
    return min(least_like, key=lambda other: _draw(seed, task.id, other.id), default=None)


def _asked(task: Task) -> str:
    return request(task.instruction, task.input)


def _likeness(one: Task, two: Task) -> float:
    """ROUGE-L F1 of what the two ask."""
    return Indel.normalized_similarity(tokens(_asked(one)), tokens(_asked(two)))


def _plain(text: str) -> str:
    """Case, white space and a final full stop do not make another answer."""
    text = " ".join(text.casefold().split())
    return text.rstrip(". ") or text


def _draw(seed: int, *names: str) -> bytes:
    """A random key that only these decide, so that the order of tasks does not."""
    return hashlib.sha256("\0".join((str(seed), *names)).encode()).digest()


# ---------------------------------------------------------------- reading the scores


@dataclass(frozen=True, slots=True)
class ProbeScores:
    """What a judge gave one kind of planted answer."""

    kind: str
    count: int
    unreadable: int
    #: Mean of the readable scores; None without any.
    mean: float | None
    #: Chance that a right answer scores above one of this kind, ties half; None for `right` itself.
    auroc: float | None


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What a judge made of all planted answers."""

    kinds: tuple[ProbeScores, ...]
    #: Chance that a right answer scores above any other planted one; None when it cannot be known.
    auroc: float | None
    #: Kinds whose mean is not below that of the right answers: training on such scores would reward them.
    preferred: tuple[str, ...]
    #: The judge tells nothing: `auroc` below BLIND, or right answers not above the others on average. None when no
    #: right or no other answer has a readable score.
    blind: bool | None


def probe_report(scores: Mapping[str, float | None], auroc: Auroc) -> ProbeReport:
    """Read the scores of planted pairs, by pair id as `plant` makes them; None is unreadable.

    `auroc` is stats.auroc. Raises ValueError for an id that ends in no kind.
    """
    by_kind: dict[str, list[float | None]] = {kind: [] for kind in KINDS}
    for id, score in scores.items():
        kind = id.rpartition(":")[2]
        if kind not in by_kind:
            raise ValueError(f"{id!r} is not the id of a planted answer")
        by_kind[kind].append(score)
    readable = {kind: [s for s in given if s is not None] for kind, given in by_kind.items()}
    right = readable[RIGHT]
    others = [score for kind in KINDS if kind != RIGHT for score in readable[kind]]
    kinds = tuple(
        ProbeScores(
            kind,
            len(by_kind[kind]),
            len(by_kind[kind]) - len(readable[kind]),
            _mean(readable[kind]),
            None if kind == RIGHT else auroc(right, readable[kind]),
        )
        for kind in KINDS
    )
    apart = auroc(right, others)
    blind = None if apart is None else apart < BLIND or not _above(right, others)
    preferred = tuple(
        k for k in KINDS if k != RIGHT and right and readable[k] and not _above(right, readable[k])
    )
    return ProbeReport(kinds, apart, preferred, blind)


def _mean(scores: Sequence[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None


def _above(right: Sequence[float], others: Sequence[float]) -> bool:
    """Whether the first mean is the higher one."""
    return sum(right) / len(right) > sum(others) / len(others)
