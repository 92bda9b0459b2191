"""How a model can be spread over the devices at hand, and whether it fits.

Serving: copies of the model side by side, each on one GPU or on several. Training: the whole model on each device
(DDP), its weights sharded over them (FSDP2, ZeRO-3), or in the host's memory (ZeRO-3 with offload).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from isheep.capacity.gpus import GPU
from isheep.capacity.memory import Parts, cache, serving, training
from isheep.capacity.shape import Shape
from isheep.capacity.speed import MACHINE, Engine, Seconds, load_training, serve, train

#: Texts vLLM works on at once at most (`max_num_seqs`; its documentation).
VLLM_TEXTS = 256
#: Tokens of the longest text (prompt and answer) there must be room for, where the recipe has no `model.context`.
#: Ours: a list of tasks of 1000 tokens behind its prompt, twice.
LONGEST_TEXT = 2048


@dataclass(frozen=True, slots=True)
class Room:
    """What there is: a number of GPUs of one model, and how of them vLLM may use."""

    gpu: GPU
    devices: int
    vllm_share: float = 0.9

    def bytes(self, engine: str) -> float:
        """Of each GPU, for this engine."""
        return self.gpu.memory * 2**30 * (self.vllm_share if engine == "vllm" else 1.0)


@dataclass(frozen=True, slots=True)
class Work:
    """What a step asks of a model: requests (or texts to train on), and tokens read and written for all of them."""

    requests: int
    read: int
    written: int = 0

    @property
    def length(self) -> float:
        """Mean tokens of a request and its answer."""
        return (self.read + self.written) / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Serving:
    """A way to write and read."""

    engine: Engine
    fits: bool
    #: For one text of the longest kind: what must fit for anything to run.
    least: Parts

    def texts(self, shape: Shape, room: Room, work: Work, batch: int) -> int:
        """Texts at once in each copy of the model: as many as asked for, as there are, as the memory holds."""
        engine = self.engine
        most = max(1, min(batch if engine.kind == "hf" else VLLM_TEXTS, -(-work.requests // engine.workers)))
        if engine.kind == "vllm":
            parts = self.parts(shape, work, most)
            free = room.bytes("vllm") - sum(parts.values()) + parts["KV cache"]
            return max(1, min(most, int(free / max(1.0, cache(shape, work.length, engine.gpus)))))
        while most > 1 and sum(self.parts(shape, work, most).values()) > room.bytes(engine.kind):
            most = -(-most // 2)  # as the engine does when memory runs out
        return most

    def parts(self, shape: Shape, work: Work, texts: int) -> Parts:
        """Bytes on each GPU."""
        prompt = work.read / work.requests if work.requests else 0.0
        engine = self.engine
        return serving(shape, engine.weights, engine.kind, engine.gpus, texts, work.length, prompt)

    def seconds(self, shape: Shape, room: Room, work: Work, batch: int) -> Seconds:
        """Without starting the engine."""
        texts = self.texts(shape, room, work, batch)
        return serve(shape, room.gpu, self.engine, work.requests, work.read, work.written, texts)


def servings(
    shape: Shape, room: Room, kind: str, weights: str, gpus: int = 0, longest: int = 0
) -> Iterator[Serving]:
    """Every way to serve the model here, on few GPUs a copy first. `gpus`: only on so many."""
    for many in (gpus,) if gpus else range(1, min(room.devices, MACHINE) + 1):
        if many > room.devices or (kind == "vllm" and (many & (many - 1) or shape.heads % many)):
            continue  # vLLM splits heads evenly; powers of two are what machines have
        text = longest or LONGEST_TEXT
        least = serving(shape, weights, kind, many, 1, text, text / 2)
        engine = Engine(kind, many, room.devices // many, weights)
        yield Serving(engine, sum(least.values()) <= room.bytes(kind), least)


@dataclass(frozen=True, slots=True)
class Task:
    """A training: batch and longest text are the recipe's, the adapter its parameters."""

    adapter: int
    batch: int
    cutoff: int
    recompute: bool
    accumulation: int = 1


@dataclass(frozen=True, slots=True)
class Training:
    """A way to train."""

    #: "plain", "ddp", "fsdp2" or "zero3_offload".
    how: str
    devices: int
    weights: str
    fits: bool
    parts: Parts = field(default_factory=dict)

    def seconds(self, shape: Shape, gpu: GPU, task: Task, work: Work) -> Seconds:
        """From the start of the process to the adapter."""
        gather = {"fsdp2": "link", "zero3_offload": "host"}.get(self.how, "")
        trained = train(
            shape,
            gpu,
            self.weights,
            self.devices,
            gather,
            work.requests,
            work.read,
            task.batch,
            task.recompute,
        )
        return load_training(shape) + trained

    @property
    def config(self) -> str:
        """What `runtime.launch` calls it."""
        return f"{self.how}_{self.devices}"


def trainings(shape: Shape, room: Room, weights: str, task: Task) -> Iterator[Training]:
    """Every way to train the model here, the simplest first.

    Processes share the batch out, so their number divides `accumulation`. Weights in 8 or 4 bit are not sharded.
    """
    many = max(n for n in range(1, room.devices + 1) if task.accumulation % n == 0)
    tokens = task.batch * task.cutoff
    ways = [("plain", 1, 1, False)] if many == 1 else [("ddp", many, 1, False), ("fsdp2", many, many, False)]
    if many == 1:
        ways.append(("zero3_offload", 1, 1, True))
    for how, devices, shards, offload in ways:
        if weights in ("8bit", "4bit") and (shards > 1 or offload):
            continue
        parts = training(shape, weights, shards, tokens, task.adapter, task.recompute, offload)
        yield Training(how, devices, weights, sum(parts.values()) <= room.bytes("train"), parts)
