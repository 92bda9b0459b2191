"""The two protocols: what a judge is asked about a model's replies, and how its verdicts become scored items.

Pairwise (AlpacaEval): ours against a baseline's, every pair in both orders. Graded (MT-Bench): each turn on its own,
from 1 to 10. Pure; does not know who judges.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from isheep.chat.prompts import Kind, Messages, Prompts, Shown
from isheep.chat.questions import ChatQuestion
from isheep.records import Item, Judgment, Reply

#: The metrics of the items.
PREFERENCE, GRADE = "preference", "grade"

#: Who a verdict is by that no judge was asked for.
RULE = "rule"

#: (question id, turn) -> a model's answer.
Answers = Mapping[tuple[str, int], str]


@dataclass(frozen=True, slots=True)
class Asking:
    """One question to a judge. Where a rule settles it nobody is asked: `settled` is the verdict, `why` the rule."""

    id: str
    prompt: str
    turn: int
    messages: Messages = ()
    swapped: bool = False
    settled: float | None = None
    why: str = ""

    @property
    def prompt_hash(self) -> str:
        """sha256 of what the judge is shown; "" where nobody is asked."""
        text = json.dumps(self.messages, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest() if self.messages else ""

    def judgment(self, task: str, judge: str = "", text: str = "", value: float | None = None) -> Judgment:
        """The record of its verdict; that of the rule, where there is one."""
        if self.why:
            judge, text, value = RULE, self.why, self.settled
        return Judgment(
            self.id, task, self.prompt, self.turn, judge, text, value, self.swapped, self.prompt_hash
        )


def answers_of(replies: Iterable[Reply]) -> dict[tuple[str, int], str]:
    """A model's replies by question and turn, without the white space around them."""
    return {(reply.prompt, reply.turn): reply.text.strip() for reply in replies}


def outputs_of(questions: Iterable[ChatQuestion], task: str) -> Iterator[Reply]:
    """The baseline's answers that stand in the question file itself, as replies."""
    for q in questions:
        if q.output:
            yield Reply(f"{q.id}/1", task, q.id, q.output.strip(), "stop", True)


def pairwise(
    questions: Sequence[ChatQuestion],
    ours: Answers,
    baseline: Answers,
    prompts: Prompts,
    kind: Kind = "pairwise",
) -> Iterator[Asking]:
    """Every turn that both have answered, in both orders: id "<question>/<turn>", and "/swapped" with ours second.

    Two equal answers tie, as in AlpacaEval, and an answer without text loses to any other: no judge is asked then.
    """
    for q, turn in answered(questions, ours, baseline):
        first, second = _said(q, turn, ours), _said(q, turn, baseline)
        settled, why = _rule(first[-1], second[-1], same=first == second)
        for swapped in (False, True):
            asking = Asking(f"{q.id}/{turn}{'/swapped' * swapped}", q.id, turn, (), swapped, settled, why)
            if not why:
                pair = (second, first) if swapped else (first, second)
                shown = Shown(q.turns[:turn], pair, q.shown_references(turn))
                asking = replace(asking, messages=prompts.messages(kind, shown))
            yield asking


def _rule(ours: str, theirs: str, same: bool) -> tuple[float | None, str]:
    if same or not (ours or theirs):
        return 0.5, "the two answers are equal"
    if not ours:
        return 0.0, "our answer is empty"
    return (1.0, "the baseline's answer is empty") if not theirs else (None, "")


def graded(questions: Sequence[ChatQuestion], ours: Answers, prompts: Prompts) -> Iterator[Asking]:
    """Every answered turn, each shown with the turns before it: id "<question>/<turn>".

    An answer without text is shown like any other, as FastChat does: what grade it deserves is the judge's to say.
    """
    for q, turn in answered(questions, ours):
        shown = Shown(q.turns[:turn], (_said(q, turn, ours),), q.shown_references(turn))
        yield Asking(f"{q.id}/{turn}", q.id, turn, prompts.messages("graded", shown))


def answered(questions: Sequence[ChatQuestion], *answers: Answers) -> Iterator[tuple[ChatQuestion, int]]:
    """The turns that all have answered, with all turns before them."""
    for q in questions:
        for turn in range(1, len(q.turns) + 1):
            if not all((q.id, turn) in of for of in answers):
                break
            yield q, turn


def _said(q: ChatQuestion, turn: int, answers: Answers) -> tuple[str, ...]:
    return tuple(answers[q.id, n] for n in range(1, turn + 1))


# ---------------------------------------------------------------- verdicts -> items


def preference_items(
    questions: Sequence[ChatQuestion],
    ours: Answers,
    baseline: Answers,
    judgments: Mapping[str, Judgment],
    task: str,
    scorer: str,
) -> Iterator[Item]:
    """Per judged turn: the share ours won, the mean of the two orders; None when either cannot be read.

    `judgments` are by id. `item` is the turn, or "" where there is only one. Where no word of the judge can be read,
    what rules settled is missing too: the empty answers are no sample of the others.
    """
    asked = [j.value for j in judgments.values() if j.judge != RULE]
    heard = not asked or any(value is not None for value in asked)
    for q, turn in answered(questions, ours, baseline):
        values = [judgments[f"{q.id}/{turn}{tail}"].value for tail in ("", "/swapped")]
        known = [value for value in values if value is not None]
        mean = sum(known) / 2 if len(known) == 2 and heard else None
        of = "" if len(q.turns) == 1 else str(turn)
        yield _item(q, turn, of, task, PREFERENCE, mean, len(ours[q.id, turn]), scorer)


def grade_items(
    questions: Sequence[ChatQuestion],
    ours: Answers,
    judgments: Mapping[str, Judgment],
    task: str,
    scorer: str,
) -> Iterator[Item]:
    """Per judged turn: its grade from 1 to 10, None when it cannot be read. `judgments` are by id."""
    for q, turn in answered(questions, ours):
        value = judgments[f"{q.id}/{turn}"].value
        yield _item(q, turn, str(turn), task, GRADE, value, len(ours[q.id, turn]), scorer)


def _item(
    q: ChatQuestion,
    turn: int,
    of: str,
    task: str,
    metric: str,
    value: float | None,
    length: int,
    scorer: str,
) -> Item:
    return Item(
        f"{q.id}/{turn}/{metric}",
        task,
        q.id,
        of,
        q.id,
        metric,
        value,
        q.prompt_hash,
        length,
        scorer,
        q.category,
    )
