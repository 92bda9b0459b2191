"""What a stage may ask of those who test a model from outside: an examiner (fixed benchmarks) and a judge (chat).

Plain values and protocols like those of `base`; imports no heavy library.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from isheep.backends.base import Backend, ModelSpec, Progress
from isheep.records import Item, Question, Reply


@dataclass(frozen=True, slots=True)
class Examination:
    """What an examiner is to ask. `tasks` are single benchmarks by isheep's names, groups already resolved."""

    tasks: tuple[str, ...]
    #: Folder with local copies of the data; None: hub ids.
    data_dir: Path | None = None
    #: The first so many documents of each task (of each subject); None: all.
    limit: int | None = None
    #: Examples shown before each question; None: as the task says.
    shots: int | None = None
    #: Name of the layout each prompt is put in, "" for the prompt as the benchmark writes it.
    layout: str = ""
    #: Longest answer in tokens, where the model writes; None: as the task says.
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """Which judge. `url`: an OpenAI-compatible server's base ("http://localhost:8000/v1"); `key_env`: the environment
    variable that holds its key. `model`: the name the server knows, or for the project's own engine a model to load."""

    model: str
    url: str = ""
    key_env: str = "OPENAI_API_KEY"
    spec: ModelSpec | None = None
    #: The kind of engine that loads it.
    engine: str = "hf"
    #: Folder or file of scripted replies, for tests.
    script: str = ""
    timeout: float = 120.0


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One question to a judge: chat messages as (role, content). `top_logprobs` asks for the probabilities of the first
    token, where the judge can give them."""

    id: str
    messages: tuple[tuple[str, str], ...]
    max_tokens: int = 1024
    temperature: float = 0.0
    seed: int = 0
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class JudgeReply:
    """What the judge said. `text` is "" and `error` says why when it could not be asked after all retries.

    `logprobs` are (token, log-probability) of the first token's most probable values, empty when not given.
    """

    id: str
    text: str
    error: str = ""
    logprobs: tuple[tuple[str, float], ...] = ()
    prompt_tokens: int = 0
    tokens: int = 0
    #: Answered from the cache: nothing was asked, nothing paid.
    cached: bool = False


@runtime_checkable
class Examiner(Backend, Protocol):
    """Puts a model through fixed benchmarks."""

    def examine(
        self, what: Examination, folder: Path, progress: Progress, skip: Collection[str] = ()
    ) -> Iterator[Item | Reply]:
        """Every scored item of every task, and what the model wrote where it wrote something.

        Works in a process of its own: no random state or model of this process changes. `folder` is the step's own;
        what is needed to go on after an interruption is kept there, and removed when all is done. Items whose id is in
        `skip` are not yielded again. Raises BackendError, or MissingExtraError; RecipeError (data missing) before any
        model is loaded.
        """
        ...

    def questions(self, what: Examination) -> Iterator[Question]:
        """The prompts and references of the tasks, without loading a model."""
        ...


@runtime_checkable
class Judge(Backend, Protocol):
    """Answers chat messages: a function from messages to text."""

    #: What verdicts are signed with: the model's name as the judge itself tells it, where it does.
    name: str

    def judge(self, requests: Sequence[JudgeRequest], skip: Collection[str] = ()) -> Iterator[JudgeReply]:
        """Answer every request whose id is not in `skip`, in any order. A request that fails after all retries is
        answered with its error; what makes every request fail (a wrong key, no such model, no server) raises
        BackendError with the way out. The same request is answered from the cache where there is one."""
        ...
