"""A run small enough to be done hundreds of times: no model, a dozen tasks, two iterations."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isheep.backends.base import (
    Choice,
    Embedding,
    Example,
    ModelSpec,
    Passage,
    Preferred,
    Query,
    Request,
    Runtime,
    Trained,
    TrainSpec,
)
from isheep.backends.fake import FakeEngine
from isheep.backends.fake_trainer import FakeTrainer
from isheep.recipe import Loaded, load_recipe
from isheep.records import Completion, Likelihood, Pair, Record, Task
from isheep.runs import Run
from isheep.stages.filter import decide
from isheep.stages.sieves import FilterSettings, Pool
from isheep.stages.stage import Context, Settings
from isheep.text.prompts import LAYOUTS, Layout

SEEDS = [
    {"id": "s1", "instruction": "Name three fruits that are red.", "output": "apple, cherry, strawberry"},
    {
        "id": "s2",
        "instruction": "Turn this sentence into a question.",
        "input": "It rains.",
        "output": "Does it?",
    },
    {"id": "s3", "instruction": "Explain why the sky is blue to a child.", "output": "Light scatters."},
    {"id": "s4", "instruction": "Write a haiku about a lazy cat.", "output": "Cat on a warm stone"},
    {"id": "s5", "instruction": "Give the plural of the word.", "input": "sheep", "output": "sheep"},
    {"id": "s6", "instruction": "Suggest a name for a small bakery.", "output": "Crumbs"},
]
TESTS = [
    {"id": "t1", "instruction": "What is the opposite of hot?", "answers": ["cold"], "category": "opposite"},
    {"id": "t2", "instruction": "Which animal says moo?", "answers": ["cow", "a cow"], "category": "sound"},
    {"id": "t3", "instruction": "Add the numbers.", "input": "2 and 3", "answers": ["5"], "category": "sum"},
]


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def toy_recipe(folder: Path) -> dict[str, Any]:
    """The recipe as a mapping; its seeds and tests are written into `folder`. The judge is not put on trial."""
    return {
        "name": "toy",
        "iterations": 2,
        "model": {"base": "toy-base", "layout": "question"},
        "backend": {"engine": "fake", "trainer": "fake"},
        "seeds": {"file": str(write_lines(folder / "toy_seeds.jsonl", SEEDS))},
        "instructions": {"count": 12, "shots": 3, "list_length": 9, "lists_per_round": 2},
        "responses": {"max_tokens": 200},
        "filter": {"threshold": None, "keep_fraction": 0.5, "min_kept": 1},
        "train": {"batch_size": 2, "accumulation": 1},
        "evaluate": {
            "tasks": [str(write_lines(folder / "toy_tests.jsonl", TESTS))],
            "base_layouts": ["plain"],
        },
        "exam": {"questions": 0, "constraints": 0},
        "runtime": {"isolation": "none"},
    }


def toy(folder: Path, *overrides: str, **changes: Any) -> Loaded:
    """The toy recipe, checked. `overrides` as for `--set`."""
    return load_recipe(toy_recipe(folder), overrides, **changes)


class Script:
    """An engine that writes what it is told to: `write` maps a request to a text or a whole Completion."""

    context = 4096

    def __init__(self, write: Callable[[Request], str | Completion] = lambda request: " fine") -> None:
        self.write = write
        self.asked: list[str] = []  # ids, in the order asked
        self.prompts: dict[str, str] = {}
        self.queries: list[Query] = []
        self.passages: list[Passage] = []
        self.pooling = ""

    def layout(self, name: str) -> Layout:
        return LAYOUTS[{"auto": "question", "chat": "chatml"}.get(name, name)]

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def generate(self, requests: Sequence[Request], skip: Collection[str] = ()) -> Iterator[Completion]:
        for request in reversed(requests):  # any order is allowed
            if request.id not in skip:
                self.asked.append(request.id)
                self.prompts[request.id] = request.prompt
                made = self.write(request)
                if isinstance(made, str):
                    made = Completion(
                        request.id, made, "stop", len(request.prompt.split()), len(made.split())
                    )
                yield made

    def score(self, queries: Sequence[Query], skip: Collection[str] = ()) -> Iterator[Choice]:
        for query in reversed(queries):
            if query.id not in skip:
                self.queries.append(query)
                yield Choice(query.id, (0.0,) * 7 + (0.5, 0.5, 0.0), 0.8, 11)

    def likelihood(self, passages: Sequence[Passage], skip: Collection[str] = ()) -> Iterator[Likelihood]:
        for passage in reversed(passages):
            if passage.id not in skip:
                self.passages.append(passage)
                yield Likelihood(passage.id, -1.0, 1, -4.0, 2)

    def embed(
        self, passages: Sequence[Passage], pooling: str, skip: Collection[str] = ()
    ) -> Iterator[Embedding]:
        self.pooling = pooling
        for passage in reversed(passages):
            if passage.id not in skip:
                self.passages.append(passage)
                yield Embedding(passage.id, np.array([0.6, 0.8], np.float32))

    def close(self) -> None:
        pass


class Recorder:
    """A trainer that writes down what it is given, and reports these losses."""

    def __init__(self, losses: Sequence[float] = (2.0, 1.0), truncated: int = 0) -> None:
        self.trained = Trained(tuple(enumerate(losses, 1)), len(losses), 99, truncated)
        self.examples: list[Example] = []
        self.preferred: list[Preferred] = []
        self.spec: TrainSpec | None = None
        self.beta = 0.0

    def layout(self, name: str) -> Layout:
        return LAYOUTS[name]

    def train(
        self, examples: Sequence[Example], spec: TrainSpec, layout: Layout, folder: Path, progress: Any
    ) -> Trained:
        self.examples, self.spec = list(examples), spec
        (folder / "adapter").mkdir(exist_ok=True)
        progress(1, 2)
        return self.trained

    def prefer(
        self,
        examples: Sequence[Preferred],
        spec: TrainSpec,
        beta: float,
        layout: Layout,
        folder: Path,
        progress: Any,
    ) -> Trained:
        self.preferred, self.spec, self.beta = list(examples), spec, beta
        (folder / "adapter").mkdir(exist_ok=True)
        progress(1, 2)
        return self.trained

    def close(self) -> None:
        pass


def context(
    settings: Settings,
    folder: Path,
    inputs: Mapping[str, Sequence[Record]] | None = None,
    journal: Sequence[Record] = (),
    **rest: Any,
) -> Context[Any]:
    """What a stage would be handed: `inputs` by role, `journal` as written before an interruption."""

    def reader(records: Sequence[Record]) -> Callable[[type[Any]], list[Any]]:
        return lambda cls: sorted((r for r in records if type(r) is cls), key=lambda r: r.id)

    given: dict[str, Any] = {
        "key": "0" * 64,
        "iteration": 0,
        "layout": "question",
        "model": ModelSpec("toy-base"),
        "open_engine": lambda: FakeEngine(ModelSpec("toy-base"), Runtime()),
        "open_trainer": lambda: FakeTrainer(ModelSpec("toy-base"), Runtime()),
    }
    return Context(
        settings=settings,
        inputs={role: reader(records) for role, records in (inputs or {}).items()},
        journal=lambda cls: [r for r in journal if type(r) is cls],
        folder=folder,
        **{**given, **rest},
    )


def whole(
    run: Callable[[Context[Any]], Iterator[Record]], make: Callable[[Sequence[Record]], Context[Any]]
) -> list[Record]:
    """What a stage writes; interrupted after any record, it is the same. `make` gives its context, from a journal."""
    unbroken = list(run(make(())))
    for cut in range(len(unbroken) + 1):
        rest = list(run(make(unbroken[:cut])))
        assert Counter([*unbroken[:cut], *rest]) == Counter(unbroken), f"interrupted after {cut} records"
    return unbroken


def pair(id: str, response: str = "A fine answer.", **changes: Any) -> Pair:
    """A pair that breaks no rule, unless told to."""
    given = {"instruction": f"Describe thing {id}.", "input": "", "finish": "stop", "history": (), **changes}
    return Pair(
        id, given["instruction"], given["input"], response, given["finish"], True, 1, 1, given["history"]
    )


def decided(
    pairs: Sequence[Pair],
    scores: Mapping[str, Mapping[str, float | None]] | None = None,
    held_out: Sequence[Task] = (),
    matched: int | None = None,
    ties: Mapping[str, int] | None = None,
    known: Mapping[str, Any] | None = None,
    **settings: Any,
) -> dict[str, str | None]:
    """What the filter decides: pair id -> reason (None: kept). `known`: what else a Pool holds."""
    ties = ties or {p.id: n for n, p in enumerate(pairs)}
    reasons = decide(
        FilterSettings(**settings), Pool(pairs, scores or {}, ties, **(known or {})), held_out, matched
    )
    assert reasons.keys() <= {p.id for p in pairs}
    assert all(reasons.values()), "every dropped pair has its reason"
    return {p.id: reasons.get(p.id) for p in pairs}


def kept(reasons: Mapping[str, str | None]) -> list[str]:
    """The ids without a reason."""
    return [id for id, reason in reasons.items() if reason is None]


def toy_file(folder: Path, **changes: Any) -> Path:
    """The toy recipe as a file, for the command line (JSON is YAML)."""
    path = folder / "toy.yaml"
    path.write_text(json.dumps({**toy_recipe(folder), **changes}), encoding="utf-8")
    return path


def contents(run: Run) -> dict[str, str]:
    """Step -> the digest of all it made. Equal results have equal digests, wherever and whenever they were made."""
    found = {step.name: run.artifact(step) for step in run.steps}
    return {name: artifact.manifest["content"] for name, artifact in found.items() if artifact}
