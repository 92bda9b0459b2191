"""A chat benchmark small enough to be judged by a function: questions, replies, and the records of a judged step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from isheep.chat.prompts import FolderPrompts, Messages, Shown
from isheep.chat.protocols import grade_items, graded, pairwise, preference_items
from isheep.chat.questions import ChatQuestion
from isheep.files import PACKAGE
from isheep.records import Item, Judgment

OURS = PACKAGE / "prompts" / "chat" / "isheep"
TASK = "toy_chat"


def question(id: str, turns: int = 1, category: str = "") -> ChatQuestion:
    return ChatQuestion(id, tuple(f"Question {id}, part {n}?" for n in range(1, turns + 1)), category)


@dataclass(frozen=True)
class Judged:
    items: list[Item]
    judgments: list[Judgment]
    #: (question id, turn) -> characters of the baseline's answer.
    baseline: dict[tuple[str, int], int]


class Bare(FolderPrompts):
    """Prompts that show nothing but the answers, so that a function can judge them."""

    def __init__(self) -> None:
        super().__init__("bare", {})

    def messages(self, kind: str, shown: Shown) -> Messages:
        return tuple(("user", answers[-1]) for answers in shown.answers)


def compared(
    ours: Mapping[tuple[str, int], str],
    baseline: Mapping[tuple[str, int], str],
    judge: Callable[[str, str], float | None],
    questions: Sequence[ChatQuestion],
) -> Judged:
    """What a judged step writes when `judge(first, second)` gives the share won by the text shown first."""
    judgments = []
    for asking in pairwise(questions, ours, baseline, Bare()):
        value = None
        if not asking.why:
            value = judge(asking.messages[0][1], asking.messages[1][1])
            value = 1 - value if asking.swapped and value is not None else value
        judgments.append(asking.judgment(TASK, "toy", "said", value))
    by_id = {j.id: j for j in judgments}
    items = list(preference_items(questions, ours, baseline, by_id, TASK, "toy"))
    return Judged(items, judgments, {key: len(text) for key, text in baseline.items()})


def marked(
    ours: Mapping[tuple[str, int], str],
    judge: Callable[[str], float | None],
    questions: Sequence[ChatQuestion],
) -> list[Item]:
    """The items of a graded step when `judge(answer)` gives the grade."""
    asked = graded(questions, ours, Bare())
    by_id = {a.id: a.judgment(TASK, "toy", "said", judge(a.messages[0][1])) for a in asked}
    return list(grade_items(questions, ours, by_id, TASK, "toy"))


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
