"""The records of the loop: tasks, answers, scores of a judge, decisions, models.

Numpy is imported only where a vector is opened: a plan is made without it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isheep.records.base import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Added to a pair's id to name the follow-up to it, and the answer to that.
FOLLOWS = "+"


@dataclass(frozen=True, slots=True)
class Task(Record):
    """A task written by people: a seed, or a held-out test. `output` is the reference; it is never shown when asking.

    `answers` are all accepted answers of a test that is graded by exact match.
    """

    instruction: str
    input: str = ""
    output: str = ""
    answers: tuple[str, ...] = ()
    category: str = ""


@dataclass(frozen=True, slots=True)
class Completion(Record):
    """What a model wrote for one request, untouched. `finish` is "stop" (by itself or at a stop text), "length"
    (at the token limit), or "too_long" (the prompt left no room in the model's context; nothing was written)."""

    text: str
    finish: str
    prompt_tokens: int
    tokens: int
    #: True when the model closed its turn with its own end token (not cut at a stop text).
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Instruction(Record):
    """A task the model wrote. `reason` is None when kept, else why it was dropped.

    `shots` are the ids of the seed tasks shown; `source` is the id of the completion it was read from.
    """

    instruction: str
    input: str
    shots: tuple[str, ...]
    source: str
    reason: str | None = None
    #: What was said before a follow-up: request, answer, request, answer ...; empty for a first turn.
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair(Record):
    """An instruction (same id) with the model's answer to it."""

    instruction: str
    input: str
    response: str
    finish: str
    ended: bool
    prompt_tokens: int
    tokens: int
    #: What was said before: request, answer, request, answer ...; empty for a first turn.
    history: tuple[str, ...] = ()

    @property
    def parent(self) -> str | None:
        """The id of the pair this one goes on from, in a conversation of several turns."""
        return self.id.removesuffix(FOLLOWS) if self.id.endswith(FOLLOWS) else None


@dataclass(frozen=True, slots=True)
class Verdict(Record):
    """One score of one pair on one scale. `score` is None when unreadable, never 0 or -1.

    The id is "<pair id>/<scale>", or "<pair id>/<scale>/<n>" for the n-th of several sampled scores.
    """

    pair: str
    scale: str
    score: float | None
    #: What the judge wrote (sampled reading); empty for the expected reading, which generates nothing.
    text: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    #: Expected reading: total probability of the ten scores; small when the judge was about to write something else.
    mass: float | None = None


@dataclass(frozen=True, slots=True)
class Likelihood(Record):
    """How probable a model finds a pair (same id): log-likelihoods in nats, summed over the tokens counted."""

    prompt_loglik: float
    prompt_tokens: int
    text_loglik: float
    text_tokens: int


@dataclass(frozen=True, slots=True)
class Vector(Record):
    """A pair's vector (same id): float16 numbers of a unit vector, little-endian, in base64.

    Float16 is plenty to cluster unit vectors, at an eighth of the size of numbers written out.
    """

    values: str
    prompt_tokens: int = 0

    @classmethod
    def of(cls, id: str, numbers: NDArray[np.float32], tokens: int = 0) -> Vector:
        """A record of these numbers, and of how many tokens were read for them."""
        return cls(id, base64.b64encode(numbers.astype("<f2").tobytes()).decode("ascii"), tokens)

    @property
    def numbers(self) -> NDArray[np.float32]:
        """The vector, shape [hidden size]."""
        import numpy as np

        return np.frombuffer(base64.b64decode(self.values), dtype="<f2").astype(np.float32)


@dataclass(frozen=True, slots=True)
class Preference(Record):
    """The best and the worst of a model's own answers to one instruction (same id), with their mean scores.

    `reason` is None when it is trained on, else why not; texts are empty and scores None where there are no two to
    compare.
    """

    instruction: str
    input: str
    chosen: str
    rejected: str
    chosen_score: float | None
    rejected_score: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Measure(Record):
    """A figure the review of an iteration looks at. `ok` is False when it breaks its limit, None without a limit.

    `value` is None when it cannot be known (no pair, no judge).
    """

    value: float | None
    limit: float | None = None
    ok: bool | None = None


@dataclass(frozen=True, slots=True)
class Outcome(Record):
    """What the review of an iteration came to: whether the run goes on, why not, and the best model so far."""

    stop: bool
    reason: str
    best: int


@dataclass(frozen=True, slots=True)
class Decision(Record):
    """Whether a pair (same id) is trained on. `reason` is None exactly when kept."""

    kept: bool
    reason: str | None
    quality: float | None
    following: float | None


@dataclass(frozen=True, slots=True)
class ModelRef(Record):
    """A tuned model: the folder of its adapter (within its step's artifact) and what it was trained on.

    Losses by step are in the artifact's losses.jsonl. `trained_tokens` counts every pass.
    """

    adapter: str
    layout: str
    pairs: int = 0
    trained_tokens: int = 0
    steps: int = 0
    first_loss: float | None = None
    last_loss: float | None = None


def kept_pairs(pairs: Iterable[Pair], decisions: Iterable[Decision]) -> list[Pair]:
    """The pairs a filter kept, in the order given."""
    kept = {d.id for d in decisions if d.kept}
    return [pair for pair in pairs if pair.id in kept]
