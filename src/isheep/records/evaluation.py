"""The records of an evaluation: what was asked, what was said, how it was scored."""

from __future__ import annotations

from dataclasses import dataclass

from isheep.records.base import Record


@dataclass(frozen=True, slots=True)
class Question(Record):
    """A prompt of a benchmark as it is asked, and its reference: what contamination is looked for against."""

    task: str
    prompt: str
    text: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Reply(Record):
    """What a model said to a benchmark's prompt, untouched; `turn` counts from 1."""

    task: str
    prompt: str
    text: str
    finish: str
    ended: bool
    turn: int = 1
    prompt_tokens: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Judgment(Record):
    """One raw verdict of a judge. `value` is None when it cannot be read; it is then missing, never a number.

    Pairwise: `value` is the share won by the first of the two texts compared (1, 0.5 for a tie, 0), whichever place it
    was shown in; `swapped` says that it was shown second. Single: the grade.
    """

    task: str
    prompt: str
    turn: int
    judge: str
    text: str
    value: float | None
    swapped: bool = False
    #: sha256 of what the judge was shown.
    prompt_hash: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    #: Why there is no text, when the judge could not be asked.
    error: str = ""


@dataclass(frozen=True, slots=True)
class Item(Record):
    """One scored item of an evaluation: what every score and every comparison is computed from.

    Two models are compared only on items with the same `task`, `metric`, `prompt` and `item`, and only where
    `prompt_hash` is the same. `value` is None where there is none (an unreadable verdict): missing, never a number.
    """

    task: str
    #: The prompt's id within its task, and what of it was scored ("" for the whole: else an instruction, a turn).
    prompt: str
    item: str
    #: Items of one cluster are not independent (one prompt's instructions, one passage's questions).
    cluster: str
    metric: str
    value: float | None
    #: sha256 of what was asked, before any layout.
    prompt_hash: str
    #: Of the response, in characters; None where the model wrote none (a choice read from probabilities).
    length: int | None
    #: Who scored, with a version: "isheep.verify 1", "lm_eval 0.4.13", "judge NAME".
    scorer: str
    #: Category or subject, for tables within a task.
    group: str = ""
    layout: str = ""
    decoding: str = ""
    #: Which run, seed and model: known where records of several are brought together, empty in a step's own files.
    arm: str = ""
    seed: int | None = None
    iteration: int | None = None


@dataclass(frozen=True, slots=True)
class Leak(Record):
    """A text of ours that shares words with a benchmark's prompt. The id is "<text id>/<question id>".

    `where` is "seed", "instruction" or "response"; `source` is the id of that seed, instruction or pair; `question`
    that of the Question; `kind` "ngram" (`match` is the shared run of normalised words) or "exact".
    """

    where: str
    source: str
    question: str
    task: str
    kind: str
    match: str


@dataclass(frozen=True, slots=True)
class Constraint(Record):
    """How an exam question (same id) is graded without a judge: accepted `answers`, or `checks`, a JSON list of
    [IFEval instruction id, arguments]."""

    answers: tuple[str, ...] = ()
    checks: str = ""


@dataclass(frozen=True, slots=True)
class Answer(Record):
    """One graded answer to one evaluation prompt."""

    task: str
    item: str
    layout: str
    decoding: str
    response: str
    correct: bool
    ended: bool
    prompt_tokens: int
    tokens: int
    group: str = ""


@dataclass(frozen=True, slots=True)
class Score(Record):
    """A figure with its 95 % interval. `value` is in 0..1 for accuracies; `n` is the number of items behind it."""

    task: str
    metric: str
    value: float
    n: int
    ci_low: float
    ci_high: float
    layout: str = ""
    decoding: str = ""
