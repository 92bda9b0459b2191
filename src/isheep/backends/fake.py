"""A model that is none: deterministic text in the shape of the real thing, without torch.

It writes numbered task lists when asked with an open list, ratings when asked for a score, answers otherwise,
with the defects real models have (empty, endless, copied, too short) at fixed rates. Same request, same text,
everywhere. Used by tests and to try a recipe's shape in a second.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isheep.backends.base import (
    Choice,
    Embedding,
    Items,
    ModelSpec,
    Passage,
    Query,
    Request,
    Runtime,
    Sampling,
)
from isheep.backends.names import named_layout
from isheep.errors import BackendError
from isheep.records import Completion, Likelihood
from isheep.text.prompts import Layout

_OPEN_LIST = re.compile(r"(?:^|\n)(\d+)\. Task:\s*$")
_SHOWN_TASK = re.compile(r"^\d+\. Task: (.+)$", re.MULTILINE)
_ASKS_SCORE = re.compile(r"\b(score|rating|rate|1 to 10)\b", re.IGNORECASE)
_TOKEN = re.compile(r"\s*\w+|\s*[^\w\s]|\s+$")

_VERBS = (
    "Describe",
    "Summarize",
    "Explain",
    "Compare",
    "Rewrite",
    "Translate",
    "Classify",
    "List",
    "Suggest",
    "Find",
)
_KINDS = (
    "short",
    "formal",
    "funny",
    "simple",
    "careful",
    "clear",
    "detailed",
    "friendly",
    "strict",
    "modern",
)
_THINGS = (
    "recipe", "letter", "poem", "story", "speech", "plan", "review", "sentence", "report", "question",
    "riddle", "list", "song", "essay", "rule", "contract", "diary", "menu", "slogan", "manual",
)  # fmt: skip
_TOPICS = (
    "sheep", "rivers", "winter", "trains", "bread", "music", "mountains", "history", "gardens", "oceans",
    "chess", "birds", "cities", "stars", "health", "money", "school", "travel", "weather", "language",
    "friendship", "coffee", "sleep", "insects", "bridges",
)  # fmt: skip
_ENDS = (
    "in two sentences",
    "for a child",
    "without any adjectives",
    "step by step",
    "as a table",
    "in your own words",
)


#: A context no shipped prompt fills.
CONTEXT = 4096

#: Parameters it claims to have, so that an estimate made of them can be checked by hand.
PARAMETERS = 1000

#: Numbers in a vector.
WIDTH = 16


class FakeEngine:
    """Writes, scores and reads from hashes of (model, text, seed)."""

    device_name = "none"
    parameters: int | None = PARAMETERS

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        self.turn_to(model)

    def layout(self, name: str) -> Layout:
        return layout_named(name)

    @property
    def context(self) -> int:
        return CONTEXT

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(tokens_of(text)) for text in texts]

    def turn_to(self, model: ModelSpec) -> bool:
        self._model = f"{model.name or model.base}\x1f{adapter_digest(model.adapter)}"
        return True

    def batches(self, items: Items) -> list[list[int]]:
        return [[n] for n in range(len(items))]

    def generate(self, requests: Sequence[Request], skip: Collection[str] = ()) -> Iterator[Completion]:
        for request in sorted(requests, key=lambda r: (len(r.prompt), r.id)):
            if request.id not in skip:
                yield self._complete(request)

    def score(self, queries: Sequence[Query], skip: Collection[str] = ()) -> Iterator[Choice]:
        for query in sorted(queries, key=lambda q: (len(q.prompt), q.id)):
            if query.id not in skip:
                yield self._choose(query)

    def likelihood(self, passages: Sequence[Passage], skip: Collection[str] = ()) -> Iterator[Likelihood]:
        for passage in passages:
            if passage.id not in skip:
                yield self._likelihood(passage)

    def embed(
        self, passages: Sequence[Passage], pooling: Literal["mean", "last"], skip: Collection[str] = ()
    ) -> Iterator[Embedding]:
        for passage in passages:
            if passage.id not in skip:
                read = len(tokens_of(passage.prompt + passage.text))
                yield Embedding(passage.id, self._vector(passage, pooling), read)

    def close(self) -> None:
        pass

    def _complete(self, request: Request) -> Completion:
        greedy = request.sampling.temperature == 0
        rng = _rng(self._model, request.prompt, "greedy" if greedy else f"{request.seed}")
        text, endless = _write(rng, request.prompt)
        tokens = tokens_of(text)
        cut, finish, ended = _cut(tokens, endless, request.sampling)
        return Completion(
            id=request.id,
            text=cut,
            finish=finish,
            prompt_tokens=len(tokens_of(request.prompt)),
            tokens=min(len(tokens_of(cut)) + ended, request.sampling.max_tokens),
            ended=ended,
        )

    def _choose(self, query: Query) -> Choice:
        rng = _rng(self._model, query.prompt, "score")
        middle = rng.betavariate(3, 1.5) * (len(query.choices) - 1)
        weights = [math.exp(-abs(k - middle)) for k in range(len(query.choices))]
        return Choice(
            id=query.id,
            probabilities=tuple(w / sum(weights) for w in weights),
            mass=rng.uniform(0.6, 1.0),
            prompt_tokens=len(tokens_of(query.prompt)),
        )

    def _likelihood(self, passage: Passage) -> Likelihood:
        """Perplexities mostly between 5 and 100; a prompt's does not depend on the text behind it."""
        if not _readable(passage):
            return Likelihood(passage.id, 0.0, 0, 0.0, 0)
        prompt, text = len(tokens_of(passage.prompt)), len(tokens_of(passage.text))
        before = _rng(self._model, passage.prompt, "likelihood").uniform(1.5, 4.7)
        after = _rng(self._model, passage.prompt, passage.text, "likelihood").uniform(1.5, 4.7)
        return Likelihood(passage.id, -before * prompt, prompt, -after * text, text)

    def _vector(self, passage: Passage, pooling: str) -> NDArray[np.float32]:
        """Around a centre that belongs to the first known topic of the whole text, or else to its longest word."""
        if not _readable(passage):
            return np.zeros(WIDTH, np.float32)
        words = re.findall(r"\w+", (passage.prompt + passage.text).lower()) or [""]
        word = next((w for w in words if w in _TOPICS), max(words, key=len))
        centre, own = _rng("topic", word), _rng(self._model, passage.prompt, passage.text, pooling)
        vector = np.array([centre.gauss() + 0.3 * own.gauss() for _ in range(WIDTH)], np.float32)
        vector /= np.linalg.norm(vector)
        return vector


def _readable(passage: Passage) -> bool:
    return 0 < len(tokens_of(passage.text)) <= CONTEXT - len(tokens_of(passage.prompt))


def layout_named(name: str) -> Layout:
    return named_layout({"auto": "question", "chat": "chatml"}.get(name, name))


def _write(rng: random.Random, prompt: str) -> tuple[str, bool]:
    """The text, and whether it would go on for ever."""
    opening = _OPEN_LIST.search(prompt)
    if opening:
        return _task_list(rng, int(opening[1]), _SHOWN_TASK.findall(prompt)), False
    if _ASKS_SCORE.search(prompt[-200:]):
        return f" {rng.randint(1, 10)}||The answer is {rng.choice(_KINDS)}.", False
    return _answer(rng)


def _task_list(rng: random.Random, first: int, shown: Sequence[str]) -> str:
    """A few items, from the open one on. Of ten items one is a copy, a stub or a broken line."""
    items = []
    for number in range(first, first + rng.randint(4, 9)):
        defect = rng.random()
        if defect < 0.04 and shown:
            task = rng.choice(shown)
        elif defect < 0.07:
            task = rng.choice(_VERBS)
        elif defect < 0.10:
            task = "\n\n"
        else:
            task = _task(rng)
        items.append(f" {task}" if number == first else f"{number}. Task: {task}")
    return "\n".join(items) + "\n"


def _task(rng: random.Random) -> str:
    verb, kind, thing, topic, end = (rng.choice(words) for words in (_VERBS, _KINDS, _THINGS, _TOPICS, _ENDS))
    task = f"{verb} a {kind} {thing} about {topic} {end}."
    if rng.random() < 0.3:
        task += f"\nInput: {rng.choice(_TOPICS)} and {rng.choice(_TOPICS)}, {rng.randint(2, 99)} pages"
    return task


def _answer(rng: random.Random) -> tuple[str, bool]:
    defect = rng.random()
    if defect < 0.04:
        return "", False
    sentences = [_sentence(rng) for _ in range(rng.randint(1, 4))]
    if defect < 0.08:
        return " " + " ".join(sentences * 400), True
    if defect < 0.12:
        return f" {sentences[0]}\nQuestion: {_task(rng)}\nAnswer: {sentences[-1]}", False
    return " " + " ".join(sentences), False


def _sentence(rng: random.Random) -> str:
    kind, thing, topic = rng.choice(_KINDS), rng.choice(_THINGS), rng.choice(_TOPICS)
    return f"The {kind} {thing} about {topic} is number {rng.randint(1, 999)}."


def _cut(tokens: list[str], endless: bool, sampling: Sampling) -> tuple[str, str, bool]:
    """(text, finish, ended) after the token limit, the stop texts and the pattern."""
    fits = len(tokens) < sampling.max_tokens and not endless
    text = "".join(tokens[: sampling.max_tokens])
    found = [at for stop in sampling.stops if stop and (at := text.find(stop)) >= 0]
    if sampling.until and (match := re.search(sampling.until, text)):
        found.append(match.end())
    if found:
        return text[: min(found)], "stop", False
    return text, "stop" if fits else "length", fits


def tokens_of(text: str) -> list[str]:
    return _TOKEN.findall(text)


def _rng(*parts: str) -> random.Random:
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


def adapter_digest(adapter: str | None) -> str:
    if adapter is None:
        return ""
    path = Path(adapter) / "adapter_config.json"
    if not path.is_file():
        raise BackendError(f"no adapter at {adapter}", "the folder must hold adapter_config.json")
    return str(json.loads(path.read_text(encoding="utf-8")).get("digest", ""))
