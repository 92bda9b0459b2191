"""What a stage may ask of a backend, and nothing about how it is done.

A few small protocols (write, score, train) and the plain values they exchange. Imports no heavy library, so
stages, plan and recipe can name these types for free.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from isheep.backends.spec import ModelSpec as ModelSpec
from isheep.backends.spec import Runtime as Runtime
from isheep.backends.spec import ServerSpec as ServerSpec
from isheep.records import Completion, Likelihood
from isheep.text.prompts import Layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to decode. `temperature` 0 is greedy. `top_p` and `top_k` (0 = off) restrict before drawing.

    `stops` are texts before which the completion is cut. `until` is a regular expression: writing ends as soon as it
    is found, and the text is cut right after the first match (a score that is complete needs no more tokens).
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    stops: tuple[str, ...] = ()
    until: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to continue. `seed` alone fixes its random draws, whatever batch it lands in."""

    id: str
    prompt: str
    sampling: Sampling
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """One prompt whose continuation is scored, not written: which of `choices` comes next, how probably."""

    id: str
    prompt: str
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer to a Query: probabilities over its choices (sum 1), and the share of all mass they held.

    `mass` near 0 means the model was not about to choose at all; a stage may then call the score unreadable.
    """

    id: str
    probabilities: tuple[float, ...]
    mass: float
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that is read, not written: how probable is `text` behind `prompt`, or what vector does the whole have."""

    id: str
    prompt: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """The vector of a passage: float32, unit length (all zeros for an empty or too long text)."""

    id: str
    values: NDArray[np.float32]
    #: Tokens read for it.
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Preferred:
    """One preference: behind the same `prompt`, `chosen` is to become more probable than `rejected`."""

    id: str
    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class Example:
    """One training text: `prompt` is read, `completion` (and the end token) is learned."""

    id: str
    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """LoRA fine-tuning settings, resolved. Units: steps are optimiser steps, cutoff is tokens."""

    rank: int
    alpha: int
    dropout: float
    target_modules: str | tuple[str, ...]
    learning_rate: float
    scheduler: str
    warmup_steps: int
    epochs: float
    batch_size: int
    accumulation: int
    cutoff: int
    weight_decay: float
    max_grad_norm: float
    save_steps: int
    merge: bool
    seed: int
    dtype: str = "auto"


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training run reports. `losses` are (optimiser step, mean loss since the last entry)."""

    losses: tuple[tuple[int, float], ...]
    steps: int
    tokens: int
    truncated: int


Progress = Callable[[int, int], None]


@runtime_checkable
class Backend(Protocol):
    """What all of them have: a device to be named in the manifest, a size, and an end."""

    device_name: str
    #: Parameters of the model with its adapter, for the ledger's estimate of FLOPs; None when nobody can know.
    parameters: int | None

    def close(self) -> None: ...


#: What an engine works on.
Items = Sequence[Request] | Sequence[Query] | Sequence[Passage]


@runtime_checkable
class Generator(Backend, Protocol):
    """Writes text."""

    @property
    def context(self) -> int:
        """Tokens a prompt and its continuation may have together."""
        ...

    def layout(self, name: str) -> Layout:
        """Resolve a layout's name ("auto" and "chat" need the tokenizer) to the layout itself."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        ...

    def turn_to(self, model: ModelSpec) -> bool:
        """Serve this model from now on, if that needs no loading anew; False when it does, and nothing changed.

        True for the model it serves already; an engine that swaps adapters says True for others on the same base.
        """
        ...

    def batches(self, items: Items) -> list[list[int]]:
        """Which items run together, by index; each stands in exactly one batch.

        Handing over one batch alone, in any order, gives the results of handing over all, to the last bit: so work can
        be divided among several engines.
        """
        ...

    def generate(self, requests: Sequence[Request], skip: Collection[str] = ()) -> Iterator[Completion]:
        """Continue every prompt whose id is not in `skip`; ids come back as record ids, in any order.

        Batches are planned over ALL requests and only then thinned by `skip`: a resumed call sees the same
        batches, so its texts are the same to the last bit. A stop that is exactly one special token of the
        tokenizer (a layout's `end`) is an end token: the completion is `ended`. A prompt that leaves no room in
        the model's context is not fatal: its completion is empty, with finish "too_long". Raises BackendError
        when the model cannot run.
        """
        ...


@runtime_checkable
class Scorer(Backend, Protocol):
    """Reads probabilities instead of writing."""

    def layout(self, name: str) -> Layout: ...

    def score(self, queries: Sequence[Query], skip: Collection[str] = ()) -> Iterator[Choice]:
        """Probability of each choice as the continuation of each prompt.

        A choice is joined to its prompt by one space, unless the prompt ends in white space or a special token.
        A choice that is the beginning of another ("1" and "10") counts only where the longer one does not
        follow. Same contract on `skip` as generate. A prompt too long for the model has mass 0.
        """
        ...


@runtime_checkable
class Reader(Backend, Protocol):
    """Reads what is written: how probable a text is."""

    def layout(self, name: str) -> Layout: ...

    def likelihood(self, passages: Sequence[Passage], skip: Collection[str] = ()) -> Iterator[Likelihood]:
        """Log-likelihood of each text behind its prompt, and of the prompt itself, in nats, summed over tokens.

        The first token of a text is predicted from its prompt, so a text of one token has a likelihood. The prompt's
        own first token is predicted only where the tokenizer puts a begin token before it; else it is not counted.
        The end token is not part of the text. A passage too long for the model, or with an empty text, is not read:
        all its numbers are 0.
        Same contract on `skip` and batches as generate.
        """
        ...


@runtime_checkable
class Embedder(Backend, Protocol):
    """Shows hidden states. Not every engine can."""

    def layout(self, name: str) -> Layout: ...

    def embed(
        self, passages: Sequence[Passage], pooling: Literal["mean", "last"], skip: Collection[str] = ()
    ) -> Iterator[Embedding]:
        """Vector of each whole passage, prompt and text: the last hidden states' mean, or the last token's.

        The hidden states are those behind the final norm, the ones the next token is told from. Same contract on
        `skip` and batches as generate.
        """
        ...


@runtime_checkable
class Engine(Generator, Scorer, Reader, Protocol):
    """Writes, scores and reads with one loaded model."""


@runtime_checkable
class Trainer(Backend, Protocol):
    """Fine-tunes."""

    def layout(self, name: str) -> Layout: ...

    def train(
        self, examples: Sequence[Example], spec: TrainSpec, layout: Layout, folder: Path, progress: Progress
    ) -> Trained:
        """Train an adapter on `examples` and write it to folder/"adapter".

        Resumes from folder/"checkpoints" if present, and removes that folder when done.
        """
        ...

    def prefer(
        self,
        examples: Sequence[Preferred],
        spec: TrainSpec,
        beta: float,
        layout: Layout,
        folder: Path,
        progress: Progress,
    ) -> Trained:
        """Direct preference optimisation (DPO), going on from the model's adapter; same contract as train.

        The reference is the model as it is given (base and adapter), not the bare base. The LoRA shape is that of the
        given adapter, or `spec`'s where there is none; dropout is off, so that the two start as one. `beta` is DPO's
        strength of the pull towards the reference. Of the report, `tokens` counts both answers, each behind its prompt,
        and `truncated` the examples that had an answer cut.
        """
        ...
