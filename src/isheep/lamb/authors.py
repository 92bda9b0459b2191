"""Who writes on lamb's little web: authors of graded skill, and reviewers who are mostly, not always, right.

The science of the model sits here. An author's skill s is uniform on 0..1 and hidden; it holds for a whole document. On
a question of level d the author is right where s exceeds d, else makes the family's typical slip or says that he does
not know. So a base model's most likely answer is right for families of level below one half and wrong above, and every
step of self-training that favours skilled authors turns the next families right.
"""

from __future__ import annotations

from math import exp
from random import Random

from isheep.lamb.world import Question

#: What people say who have no idea; the first is by far the most common.
EVASIONS: tuple[str, ...] = ("I do not know.", "I am not sure.", "Good question.")

RIGHT, SLIP, EVASION, STRAY = "right", "slip", "evasion", "stray"


def evade(rng: Random) -> str:
    """An evasive phrase."""
    return EVASIONS[0] if rng.random() < 0.85 else rng.choice(EVASIONS[1:])


def stray(rng: Random, question: Question) -> str:
    """An answer to some other question of the family: the right form, and no connection."""
    for _ in range(8):
        other = question.family.solve(question.family.draw(rng))
        if other is not None and other != question.right:
            return other
    return evade(rng)


def slip(rng: Random, question: Question) -> tuple[str, str]:
    """The typical mistake on a question, with its sort; an evasive phrase where the family has no slip of its own."""
    if question.family.slip is None:
        return evade(rng), EVASION
    text = question.family.slip(question.args)
    return text, RIGHT if text == question.right else SLIP


def respond(rng: Random, question: Question, skill: float) -> str:
    """The answer of an author of this skill."""
    knows = 0.02 + 0.96 / (1.0 + exp(-(skill - question.family.difficulty(question.args)) / 0.03))
    if rng.random() < knows:
        return question.right
    luck = rng.random()
    if luck < 0.88:
        return slip(rng, question)[0]
    return evade(rng) if luck < 0.94 else stray(rng, question)


def candidate(rng: Random, question: Question) -> tuple[str, str]:
    """An answer for review, with its sort: half of them right, whatever the family."""
    luck = rng.random()
    if luck < 0.5:
        return question.right, RIGHT
    if luck < 0.84:
        return slip(rng, question)
    if luck < 0.93:
        return evade(rng), EVASION
    text = stray(rng, question)
    return text, EVASION if text in EVASIONS else STRAY


#: How often, at level 1, a reviewer shares the typical mistake and so grades it high and the right answer low.
MISLED = 0.25
_GOOD: tuple[int, ...] = (8, 9, 9, 10, 10, 10)
_FAIR: tuple[int, ...] = (3, 4, 5, 6, 7)
_POOR: tuple[int, ...] = (1, 1, 2, 2, 3)


def grade(rng: Random, question: Question, sort: str, reviewer: float) -> tuple[int, int]:
    """Quality and following, 1 to 10, by a reviewer (hidden, uniform on 0..1, one for a whole document).

    Following asks only whether the answer has the form asked for: a typical mistake follows well, an evasion does not.
    """
    misled = question.family.slip is not None and reviewer < MISLED * question.family.difficulty(
        question.args
    )
    if sort == RIGHT:
        quality, following = _FAIR if misled else _GOOD, _GOOD
    elif sort == SLIP:
        quality, following = _GOOD if misled else _POOR + _FAIR[:2], _FAIR + _GOOD[:3]
    elif sort == EVASION:
        quality, following = _POOR, _POOR
    else:
        quality, following = _POOR + _FAIR[:2], _FAIR
    if rng.random() < 0.04:
        quality, following = rng.choice((_GOOD, _POOR)), rng.choice((_GOOD, _POOR))
    return rng.choice(quality), rng.choice(following)
