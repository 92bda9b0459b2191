"""What a stage is, and what it may lean on.

A stage is a verb of the paper: a name, a version, its settings, and a `run` that turns records into records. It is
handed a `Context` and nothing else: no paths to guess, no global seed, no store.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from isheep.backends.base import Embedder, Generator, ModelSpec, Reader, Scorer, Trainer
from isheep.backends.outside import Examiner, Judge
from isheep.records import R, Record
from isheep.text.prompts import fields


class Settings(BaseModel):
    """Base of every stage's settings: unknown keys are errors, values are checked once and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class OutsideFile:
    """Marks a setting that names a file: a name shipped in isheep/`folder` (with `suffix`), or a path.

    The file's digest enters the step's key in place of its name, so moving a file changes nothing and editing it
    changes the key.
    """

    folder: str
    suffix: str
    #: The {fields} it must have, if it is a template.
    fields: frozenset[str] = frozenset()
    #: The {fields} it may have besides.
    optional: frozenset[str] = frozenset()
    #: Data may also be a folder of files; a prompt is one file of text.
    is_data: bool = False

    def problem(self, path: Path) -> str | None:
        """What makes a file useless for this setting, in words; known before any model is loaded."""
        if self.is_data:
            return "is an empty folder" if path.is_dir() and not any(path.iterdir()) else None
        if path.is_dir():
            return "is a folder, expected a text file"
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return "is not UTF-8 text"
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        if self.fields and (wrong := (fields(text) - self.optional) ^ self.fields):
            names = " and ".join(f"{{{name}}}" for name in sorted(self.fields))
            return f"needs exactly the fields {names}; missing or unknown: {', '.join(sorted(wrong))}"
        return None

    def place(self, found: Path) -> Path:
        """What the setting stands for, once its file is found."""
        return found


@dataclass(frozen=True, slots=True)
class OutsideFolder(OutsideFile):
    """Marks a setting that names a folder of templates: `suffix` is "/" and the one file by which it is known."""

    #: The templates it must hold; each is held to `fields` and `optional`.
    templates: tuple[str, ...] = ()

    def place(self, found: Path) -> Path:
        return found if found.is_dir() else found.parent

    def problem(self, path: Path) -> str | None:
        for name in self.templates:
            if not (path / name).is_file():
                return f"holds no {name}"
            found = OutsideFile.problem(self, path / name)
            if found is not None:
                return f"holds a {name} that {found}"
        return None


S = TypeVar("S", bound=Settings)


@dataclass(slots=True)
class Context(Generic[S]):
    """Everything a running step may touch."""

    settings: S
    key: str
    iteration: int
    #: role -> what reads that input's records of one type, sorted by id. A role with several inputs gives them joined.
    inputs: Mapping[str, Callable[[type[Any]], Iterable[Any]]]
    #: Records this very step had already written before an interruption, by type.
    journal: Callable[[type[Any]], list[Any]]
    #: The step's own folder for files that are not records (an adapter, losses).
    folder: Path
    #: Setting name -> the outside file it names.
    files: Mapping[str, Path] = field(default_factory=dict)
    model: ModelSpec | None = None
    layout: str = "auto"
    open_engine: Callable[[], Any] | None = None
    open_trainer: Callable[[], Any] | None = None
    open_examiner: Callable[[], Any] | None = None
    open_judge: Callable[[], Any] | None = None
    #: (done, total, what is counted) -> shown as progress with rate and time left.
    report: Callable[[int, int, str], None] = lambda done, total, unit: None
    #: A remark for the manifest and the terminal ("3 lists could not be parsed").
    note: Callable[[str], None] = lambda text: None

    def read(self, role: str, cls: type[R]) -> list[R]:
        """Records of one type from an input, sorted by id; an absent role reads as empty."""
        return list(self.stream(role, cls))

    def stream(self, role: str, cls: type[R]) -> Iterator[R]:
        """The same, one after the other, for a stage that need not hold all of them at once."""
        yield from self.inputs[role](cls) if role in self.inputs else ()

    def written(self, cls: type[R]) -> dict[str, R]:
        """What this step had already written, by id."""
        return {record.id: record for record in self.journal(cls)}

    def seed(self, *parts: object) -> int:
        """A 63-bit seed from the step's key and a record's id: the same after an interruption, whatever the order."""
        text = "\x1f".join([self.key, *map(str, parts)])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

    def generator(self) -> Generator:
        """The backend that writes; loaded at the first call."""
        assert self.open_engine is not None, "this stage was not given a model"
        engine: Generator = self.open_engine()
        return engine

    def scorer(self) -> Scorer:
        """The backend that reads probabilities; the same loaded model as `generator` where the backend can do both."""
        assert self.open_engine is not None, "this stage was not given a model"
        engine: Scorer = self.open_engine()
        return engine

    def reader(self) -> Reader:
        """The backend that reads likelihoods; the same loaded model as `generator`."""
        assert self.open_engine is not None, "this stage was not given a model"
        engine: Reader = self.open_engine()
        return engine

    def embedder(self) -> Embedder:
        """The backend that shows hidden states: the engine where it can, else transformers."""
        assert self.open_engine is not None, "this stage was not given a model"
        engine: Embedder = self.open_engine()
        return engine

    def trainer(self) -> Trainer:
        """The backend that fine-tunes."""
        assert self.open_trainer is not None, "this stage was not given a trainer"
        trainer: Trainer = self.open_trainer()
        return trainer

    def examiner(self) -> Examiner:
        """Who puts the model through fixed benchmarks; the model is loaded only when an examination begins."""
        assert self.open_examiner is not None, "this stage was not given an examiner"
        examiner: Examiner = self.open_examiner()
        return examiner

    def judge(self) -> Judge:
        """Who reads answers and gives verdicts on them; opened at the first call."""
        assert self.open_judge is not None, "this stage was not given a judge"
        judge: Judge = self.open_judge()
        return judge


@dataclass(frozen=True)
class Stage(Generic[S]):
    """One verb: `run` yields records, each journalled as it comes."""

    name: str
    #: Raised by hand when the meaning of the output changes; part of every key.
    version: int
    settings: type[S]
    run: Callable[[Context[S]], Iterator[Record]]
    #: Types of records it writes, in the order they are listed in the artifact.
    writes: Sequence[type[Record]]
    #: "" (no model), "engine" (writes or scores), "hidden" (an engine that shows hidden states), "train", "examiner"
    #: (fixed benchmarks), "questions" (those of an examiner: no model is loaded), "judge".
    needs: str = ""
    #: Whether it lays out requests; only then does the layout enter its key.
    lays_out: bool = True


def outside_files(settings: type[BaseModel]) -> Iterable[tuple[str, OutsideFile]]:
    """The settings of a stage that name outside files."""
    for name, info in settings.model_fields.items():
        for mark in info.metadata:
            if isinstance(mark, OutsideFile):
                yield name, mark


def known_names(
    names: tuple[str, ...], known: Collection[str], also: Collection[str] = ()
) -> tuple[str, ...]:
    """For validators: refuse names that are not in `known`, and name the nearest one; no name may stand twice.

    `also` are names that could have been meant and stand for several of `known`.
    """
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} stands in the list twice")
        if name not in known:
            near = difflib.get_close_matches(name, [*also, *known], 1)
            offer = f"did you mean {near[0]!r}?" if near else f"known: {', '.join([*also, *known])}"
            raise ValueError(f"unknown name {name!r}; {offer}")
    return names
