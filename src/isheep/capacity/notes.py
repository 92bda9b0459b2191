"""What a person is told of a model on devices: how it is spread, the arithmetic of its memory, and what would fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from isheep.capacity.fit import Room, Serving, Task, Training, servings, trainings
from isheep.capacity.gpus import GPU, GPUS
from isheep.capacity.memory import gib, told, weights
from isheep.capacity.shape import Shape
from isheep.launch import CONFIGS

_NAMES = {"vllm": "vLLM", "hf": "transformers"}
_HOW = {
    "plain": "one GPU",
    "ddp": "a whole model on each",
    "fsdp2": "weights sharded",
    "zero3_offload": "one GPU, weights in the machine's memory",
}
_Way = TypeVar("_Way", Serving, Training)


def serving_notes(
    shape: Shape, room: Room, kind: str, longest: int, serving: Mapping[str, Serving]
) -> Iterator[str]:
    """How writing and reading is spread, by engine; where the model does not fit, what would help.

    `kind` is that of the weights, as in memory.WEIGHT_BYTES.
    """
    for engine, way in serving.items():
        has = f"{gib(room.bytes(engine)):.1f}"
        if not way.fits:
            yield f"{_NAMES[engine]} has no room: {told(way.least)}{_each(way.engine.gpus)}, where {has} are free"
            yield from _offers(_would_serve(shape, room, engine, kind, longest))
            continue
        yield (
            f"{_NAMES[engine]}: {way.engine.workers} x {way.engine.gpus} GPU{'s' * (way.engine.gpus > 1)}"
            f"{_settings(way)}; one text of the longest kind takes {told(way.least)} of {has}"
        )


def training_notes(shape: Shape, room: Room, kind: str, task: Task, training: Training) -> Iterator[str]:
    """The same of training."""
    has = f"{room.gpu.memory:g}"
    if not training.fits:
        yield f"training has no room: {told(training.parts)}{_each(training.devices)}, where {has} are free"
        yield from _offers(_would_train(shape, room, kind, task))
        return
    yield (
        f"training: {_HOW[training.how]}, {training.devices} of {room.devices} GPUs{launched(training)}; "
        f"{told(training.parts)} of {has}"
    )
    if training.how == "zero3_offload":
        yield f"this needs {gib(weights(shape, kind)):.0f} GiB of the machine's memory, and is slow"
        yield from (f"faster: {offer}" for offer in _would_train(shape, room, kind, task))


def launched(training: Training) -> str:
    """The setting that starts a training so, in words where no shipped configuration does."""
    if training.how == "plain":
        return ""
    if training.config in CONFIGS:
        return f" --set runtime.launch={training.config}"
    if training.how == "ddp":
        return f" --set 'runtime.launch=torchrun --nproc-per-node {training.devices}'"
    return f" (a copy of the shipped fsdp2_8 with num_processes: {training.devices})"


def _would_serve(shape: Shape, room: Room, engine: str, kind: str, longest: int) -> Iterator[str]:
    """What would make a model that does not fit be served: fewer bits, more GPUs, larger ones."""

    def first(place: Room, bits: str) -> Serving | None:
        return _first(servings(shape, place, engine, bits, longest=longest))

    for bits in _fewer_bits(kind):
        if way := first(room, bits):
            yield f"--set model.load_in={bits}{_settings(way)}: {told(way.least)}"
            break
    for more in (2, 4, 8):
        if more > room.devices and (way := first(replace(room, devices=more), kind)):
            yield f"{more} x {room.gpu.name}{_settings(way)}: {told(way.least)}{_each(way.engine.gpus)}"
            break
    for gpu in _larger(room.gpu):
        if way := first(replace(room, gpu=gpu), kind):
            yield f"{room.devices} x {gpu.name} ({gpu.memory:g} GiB){_settings(way)}: {told(way.least)}"
            break


def _would_train(shape: Shape, room: Room, kind: str, task: Task) -> Iterator[str]:
    """What would make a model that does not fit be trained: fewer bits, shorter texts, more GPUs, larger ones."""

    def first(place: Room, bits: str, what: Task) -> Training | None:
        ways = trainings(shape, place, bits, what)
        return _first(way for way in ways if way.how != "zero3_offload")

    for bits in _fewer_bits(kind):
        if way := first(room, bits, task):
            yield f"--set model.load_in={bits}{' (QLoRA)' * (bits == '4bit')}{launched(way)}: {told(way.parts)}"
            break
    for cutoff in (task.cutoff // 2, task.cutoff // 4):
        if way := first(room, kind, replace(task, cutoff=cutoff)):
            yield f"--set train.cutoff={cutoff}{launched(way)}: {told(way.parts)}"
            break
    for more in (2, 4, 8, 16):
        if more > room.devices and (
            way := first(replace(room, devices=more), kind, replace(task, accumulation=more))
        ):
            yield f"{more} x {room.gpu.name}{launched(way)}: {told(way.parts)} on each"
            break
    for gpu in _larger(room.gpu):
        if way := first(replace(room, gpu=gpu), kind, task):
            yield f"{room.devices} x {gpu.name} ({gpu.memory:g} GiB){launched(way)}: {told(way.parts)}"
            break


def _first(ways: Iterable[_Way]) -> _Way | None:
    return next((way for way in ways if way.fits), None)


def _fewer_bits(kind: str) -> tuple[str, ...]:
    return {"32bit": ("8bit", "4bit"), "16bit": ("8bit", "4bit"), "8bit": ("4bit",)}.get(kind, ())


def _larger(gpu: GPU) -> list[GPU]:
    return sorted(
        (other for other in GPUS.values() if other.memory > gpu.memory), key=lambda other: other.memory
    )


def _settings(way: Serving) -> str:
    found = f" --set runtime.workers={way.engine.workers}" if way.engine.workers > 1 else ""
    if way.engine.gpus > 1:
        vllm = way.engine.kind == "vllm"
        found += f" --set runtime.{f'tensor_parallel={way.engine.gpus}' if vllm else 'device_map=true'}"
    return found


def _each(gpus: int) -> str:
    return f" on each of {gpus} GPUs" if gpus > 1 else ""


def _offers(found: Iterator[str]) -> Iterator[str]:
    offers: Sequence[str] = list(found)
    yield from (f"would fit: {offer}" for offer in offers)
    if not offers:
        yield "nothing in the table of GPUs would hold it, of 8 or less: a smaller model, or more machines"
