"""A streamer without a model, that tells what it was asked."""

from __future__ import annotations

from isheep.backends.base import Request
from isheep.backends.streaming import Tell
from isheep.records import Completion
from isheep.talk.models import TalkModel
from isheep.text.prompts import LAYOUTS

BASE, ONE, TWO = TalkModel(0, None), TalkModel(1, "x"), TalkModel(2, "y")


class Echo:
    """A streamer that answers with its adapter's number and how often it was asked; `asked` is what it saw."""

    device_name = "none"
    layout = LAYOUTS["question"]

    def __init__(self, finish: str = "stop") -> None:
        self.asked: list[tuple[int | None, Request]] = []
        self.finish = finish

    def answer(self, adapter: int | None, request: Request, tell: Tell) -> Completion:
        self.asked.append((adapter, request))
        text = f"{adapter}.{len(self.asked)}"
        tell(text)
        return Completion(request.id, f" {text} ", self.finish, 3, 2)

    def close(self) -> None:
        pass
