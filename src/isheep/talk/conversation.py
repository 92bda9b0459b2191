"""A conversation with several models at once: each has its own history, and all are asked the same.

Knows: turns, histories, how a question becomes a request. Does not know: who shows the answers, or how.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isheep.backends.base import Request, Sampling
from isheep.backends.streaming import Streamer
from isheep.records import Completion
from isheep.talk.models import TalkModel

#: Told (which model by its place, the next piece of its answer).
TellOf = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Decoding:
    """How answers are drawn. The same question in the same place of a conversation gets the same answer."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model said. `note` says what the reader should know of it, such as that it was cut."""

    text: str
    tokens: int
    note: str = ""


class Models:
    """Loaded models to talk to, one answer at a time."""

    def __init__(self, streamer: Streamer, models: Sequence[TalkModel], decoding: Decoding) -> None:
        self.models = tuple(models)
        self.decoding = decoding
        self.layout = streamer.layout
        self._streamer = streamer
        numbers = iter(range(len(self.models)))
        self._adapters = [None if model.adapter is None else next(numbers) for model in self.models]
        self._turn = threading.Lock()

    def ask(
        self, place: int, history: Sequence[str], question: str, draw: str, tell: Callable[[str], None]
    ) -> Answer:
        """The answer of the model in this place. `draw` names the random draw."""
        how = self.decoding
        sampling = Sampling(how.max_tokens, how.temperature, how.top_p, stops=self.layout.stop_texts)
        prompt = self.layout.prompt(question, "", history)
        with self._turn:  # one model in memory, turned from adapter to adapter
            done = self._streamer.answer(
                self._adapters[place], Request("talk", prompt, sampling, _seed(f"{how.seed}/{draw}")), tell
            )
        return Answer(done.text.strip(), done.tokens, _note(done))


class Conversation:
    """The turns so far. A turn that is broken off (an error, Ctrl-C) leaves no trace."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.reset()

    @property
    def turns(self) -> int:
        return len(self._asked)

    def reset(self) -> None:
        """Forget everything that was said."""
        self._asked: list[str] = []
        self._said: list[list[Answer]] = []
        self._again = 0

    def ask(self, question: str, tell: TellOf) -> list[Answer]:
        """What each model answers, in order; they are asked one after the other."""
        said = self._answers(question, self._said, 0, tell)
        self._asked.append(question)
        self._said.append(said)
        self._again = 0
        return said

    def retry(self, tell: TellOf) -> list[Answer]:
        """The last question once more, drawn anew, in place of its answers. Needs a turn to go back to."""
        said = self._answers(self._asked[-1], self._said[:-1], self._again + 1, tell)
        self._said[-1] = said
        self._again += 1
        return said

    def last_question(self) -> str:
        return self._asked[-1]

    def _answers(
        self, question: str, before: Sequence[Sequence[Answer]], again: int, tell: TellOf
    ) -> list[Answer]:
        draw = f"{len(before)}/{again}"  # the same random numbers for every model

        def one(place: int) -> Answer:
            turns = zip(self._asked, before, strict=False)
            history = [text for asked, said in turns for text in (asked.strip(), said[place].text)]
            return self._models.ask(place, history, question, draw, lambda piece: tell(place, piece))

        return [one(place) for place in range(len(self._models.models))]


def _note(done: Completion) -> str:
    if done.finish == "too_long":
        return "no room left in the model's context: /reset begins anew"
    return "cut at --max-tokens" if done.finish == "length" else ""


def _seed(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode(errors="surrogatepass")).digest()[:8], "big")
