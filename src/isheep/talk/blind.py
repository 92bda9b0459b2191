"""Two models under the names A and B, in an order the person does not know, and the vote between their answers.

Knows: orders and votes. Does not know: who shows the answers, or how. Every question stands alone: no answer is judged
by what the same model said before, which would give it away.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from isheep.errors import RecipeError
from isheep.runs import Run
from isheep.talk import preferences
from isheep.talk.conversation import Answer, Models, TellOf
from isheep.talk.preferences import Preferred, Tally, Vote

#: What the two answers are called.
SIDES = ("A", "B")


def order(seed: int, number: int, question: str, models: tuple[int, int]) -> tuple[int, int]:
    """Which model is A and which is B for this vote of a file: a coin that anybody can toss again from the file."""
    coin = hashlib.sha256(f"{seed}/{number}/{question}".encode(errors="surrogatepass")).digest()[0] & 1
    return (models[1], models[0]) if coin else models


@dataclass(frozen=True, slots=True)
class Round:
    """One question and its two answers, A's and B's, waiting for a vote."""

    number: int
    question: str
    order: tuple[int, int]
    answers: tuple[Answer, Answer]


class Blind:
    """A session of votes on two models of a run."""

    def __init__(self, run: Run, models: Models) -> None:
        self._run, self._models = run, models
        numbers = [model.iteration for model in models.models]
        check_pair(numbers)
        self.pair = (min(numbers), max(numbers))
        self._places = {t: place for place, t in enumerate(numbers)}
        self.session: list[Preferred] = []

    @property
    def path(self) -> Path:
        """Where the votes are kept."""
        return self._run.folder / preferences.FILE

    def ask(self, question: str, tell: TellOf) -> Round:
        """Both answers; `tell` hears of A as 0 and of B as 1."""
        number, seed = preferences.count(self.path), self._models.decoding.seed
        shown = order(seed, number, question, self.pair)

        def one(side: int) -> Answer:
            place = self._places[shown[side]]
            return self._models.ask(place, (), question, f"blind/{number}", lambda piece: tell(side, piece))

        return Round(number, question, shown, (one(0), one(1)))

    def vote(self, asked: Round, vote: Vote) -> None:
        """Write the vote down. When this returns, nothing can lose it."""
        how = self._models.decoding
        cast = Preferred(
            number=asked.number,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            run=self._run.name,
            models=self.pair,
            order=asked.order,
            seed=how.seed,
            question=asked.question,
            answers=(asked.answers[0].text, asked.answers[1].text),
            vote=vote,
            winner={"a": asked.order[0], "b": asked.order[1]}.get(vote),
            temperature=how.temperature,
            max_tokens=how.max_tokens,
        )
        preferences.append(self.path, cast)
        self._run.store.send_papers(self.path)
        self.session.append(cast)

    def tally(self) -> Tally:
        """All votes on this pair that the file holds, older sessions too."""
        return preferences.tally(preferences.read(self.path), self.pair)

    def closing(self) -> str:
        """What is said at the end."""
        counted = sum(vote.vote != "skip" for vote in self.session)
        found = self.tally()
        older = f" ({found.votes - counted} of the votes are from earlier sessions)"
        return found.sentence() + (older if found.votes > counted else "")


def check_pair(iterations: list[int]) -> None:
    """Raise RecipeError unless there are two models to choose between."""
    if len(iterations) != 2:
        raise RecipeError(
            f"--blind is between two models, and {len(iterations)} are chosen",
            "name two with --iterations, such as --iterations 0,3",
        )
