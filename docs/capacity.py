"""The tables and outputs in docs/capacity.md, written by the very functions and commands they show.

python docs/capacity.py                   # rewrites the page; a test asserts that it is up to date
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from isheep import cli
from isheep.capacity.fit import Room, Task, Work, servings, trainings
from isheep.capacity.gpus import GPUS, find_gpu
from isheep.capacity.memory import cache, gib, weights
from isheep.capacity.shape import SHAPES
from isheep.capacity.speed import Engine, forward, serve
from isheep.report.numbers import duration

PAGE = Path(__file__).parent / "capacity.md"
_BLOCK = re.compile(r"(<!-- (?P<what>\w+)(?: (?P<words>[^>]*?))? -->\n).*?(<!-- end -->)", re.DOTALL)
_LLAMA = "meta-llama/Llama-2-{}-hf"
#: Throughput on A100 80 GB in 16 bits as published: model, GPUs, texts at once, prompt, answer, tokens written per
#: second. TensorRT-LLM 0.6.1, docs/source/performance.md (per GPU there); lmdeploy 0.2.0,
#: docs/en/benchmark/a100_fp16.md (real conversations of 247 and 233 tokens in the mean).
PUBLISHED = (
    ("TensorRT-LLM", "7b", 1, 384, 128, 128, 5586),
    ("TensorRT-LLM", "7b", 1, 60, 128, 2048, 1928),
    ("TensorRT-LLM", "7b", 1, 52, 2048, 128, 591),
    ("TensorRT-LLM", "70b", 4, 1280, 128, 128, 4 * 670),
    ("TensorRT-LLM", "70b", 4, 240, 128, 2048, 4 * 525),
    ("TensorRT-LLM", "70b", 4, 120, 2048, 128, 4 * 79),
    ("lmdeploy", "7b", 1, 256, 247, 233, 3387),
    ("lmdeploy", "13b", 1, 128, 247, 233, 1850),
    ("lmdeploy", "70b", 4, 256, 247, 233, 1683),
)
#: Milliseconds to the first token, same source: model, GPUs, prompt, published.
FIRST_TOKENS = (("7b", 1, 128, 16), ("7b", 1, 2048, 133), ("70b", 4, 128, 47), ("70b", 4, 2048, 377))
SIZES = ("7B", "14B", "32B", "72B")
CARDS = ("a100-40gb", "a6000", "a100-80gb")


def published() -> str:
    """Rates as published and as reckoned here."""
    lines = [
        _line(
            [
                "source",
                "Llama 2",
                "GPUs",
                "texts at once",
                "prompt + answer",
                "published",
                "reckoned",
                "ratio",
            ]
        )
    ]
    lines.append(_line(["---"] * 8))
    a100 = find_gpu("a100-80gb")
    for source, size, gpus, texts, prompt, answer, rate in PUBLISHED:
        shape = SHAPES[_LLAMA.format(size)]
        engine = Engine("vllm", gpus)
        ours = texts * answer / serve(shape, a100, engine, texts, texts * prompt, texts * answer, texts).total
        told = [f"{rate:,} tokens/s", f"{ours:,.0f} tokens/s", f"{ours / rate:.2f}"]
        lines.append(_line([source, size, str(gpus), str(texts), f"{prompt} + {answer}", *told]))
    for size, gpus, prompt, milliseconds in FIRST_TOKENS:
        ours = 1000 * forward(SHAPES[_LLAMA.format(size)], a100, Engine("vllm", gpus), prompt, 0).total
        told = [f"{milliseconds} ms", f"{ours:.0f} ms", f"{milliseconds / ours:.2f}"]
        lines.append(_line(["TensorRT-LLM", size, str(gpus), "1", f"{prompt} + 1", *told]))
    return "\n".join(lines) + "\n"


def sizes() -> str:
    """For each model on so many GPUs of each kind: how it is trained and GiB on each, GPUs an engine of vLLM needs."""
    lines = [_line(["model", "GPUs", *(f"{GPUS[card].memory:g} GB: training, serving" for card in CARDS)])]
    lines.append(_line(["---"] * 5))
    for size in SIZES:
        for devices in (1, 4, 8):
            lines.append(
                _line([f"Qwen1.5-{size}", str(devices), *(_cell(size, devices, card) for card in CARDS)])
            )
    return "\n".join(lines) + "\n"


def _cell(size: str, devices: int, card: str) -> str:
    shape, room = SHAPES[f"Qwen/Qwen1.5-{size}"], Room(find_gpu(card), devices)
    task = Task(shape.adapter(8), 1, 1024, True, 16)
    ways = [(w, bits) for bits in ("16bit", "4bit") for w in trainings(shape, room, bits, task) if w.fits]
    ways.sort(key=lambda found: found[0].how == "zero3_offload")  # where nothing else fits
    trained = "-"
    if ways:
        way, bits = ways[0]
        trained = f"`{way.config}`{' in 4 bit' * (bits == '4bit')}: {gib(sum(way.parts.values())):.1f}"
    fitting = ((w, bits) for bits in ("16bit", "4bit") for w in servings(shape, room, "vllm", bits) if w.fits)
    served = next(
        (f"{w.engine.workers} x {w.engine.gpus}{', 4 bit' * (bits == '4bit')}" for w, bits in fitting), "-"
    )
    return f"{trained}; {served}"


def gpus() -> str:
    """The table of GPUs."""
    lines = [_line(["`--gpu`", "GiB", "TFLOP/s", "GB/s", "link GB/s", "from"]), _line(["---"] * 6)]
    for gpu in GPUS.values():
        numbers = [f"{value:g}" for value in (gpu.memory, gpu.tflops, gpu.bandwidth, gpu.link)]
        lines.append(_line([f"`{gpu.name}`", *numbers, gpu.source]))
    return "\n".join(lines) + "\n"


def plan(words: str) -> str:
    """A plan's last lines, as printed."""
    said = _said(words).splitlines()
    first = next(i for i, line in enumerate(said) if " steps, " in line)
    return "```\n" + "\n".join([f"$ isheep plan {words}", *said[first:]]) + "\n```\n"


def steps(words: str) -> str:
    """A plan's steps that load a model, from its JSON."""
    lines = [
        _line(["step", "tokens read", "written", "time", "most of it", "memory/GPU"]),
        _line(["---"] * 6),
    ]
    for row in json.loads(_said(f"{words} --json"))["steps"]:
        if row["seconds"]:
            told = [f"{row['read']:,}", f"{row['written']:,}", duration(row["seconds"]), row["limit"]]
            lines.append(_line([f"`{row['step']}`", *told, f"{gib(row['memory']):.1f} GiB"]))
    return "\n".join(lines) + "\n"


def judging() -> str:
    """The largest figure of the paper's check, by hand: 20,000 verdicts of 1000 tokens behind prompts of 1080."""
    shape, room = SHAPES["Qwen/Qwen1.5-72B"], Room(find_gpu("a800-80gb"), 8)
    way = next(w for w in servings(shape, room, "vllm", "16bit", gpus=8))
    work = Work(20_000, 20_000 * 1080, 20_000 * 1000)
    texts = way.texts(shape, room, work, 0)
    step = forward(shape, room.gpu, way.engine, texts, texts * 1580)
    moved = (weights(shape, "16bit") + cache(shape, texts * 1580)) / 1e9
    writing = 20_000 / texts * 1000 * step.total / 3600
    whole = way.seconds(shape, room, work, 0).total / 3600
    each = [f"{1000 * seconds:.0f} ms" for seconds in (step.bandwidth, step.launch, step.link, step.total)]
    text, files = f"{cache(shape, 2080) / 1e9:.2f} GB", f"{gib(weights(shape, '16bit')):.1f} GiB"
    lines = [
        f"- Keys and values of a token take 2 x 2 bytes x 80 layers x 8192 = {shape.cache_bytes / 1e6:.2f} MB, as this",
        f"  model has no grouped heads; those of a text of 2080 tokens {text}. Beside the weights ({files}) the",
        f"  8 x 72 GiB that vLLM takes hold {texts} such texts.",
        "- A step for all of them reads the weights and, in the mean, 1580 tokens of cache each:",
        f"  {moved:.0f} GB. From eight memories of 2039 GB/s at 60 % that takes {each[0]}; starting the pass",
        f"  {each[1]}, 160 all-reduces {each[2]}.",
        f"- 20,000 / {texts} x 1000 steps of {each[3]} are {writing:.1f} hours; with reading the prompts {whole:.1f}.",
    ]
    return "\n".join(lines) + "\n"


def _said(words: str) -> str:
    """What `isheep plan` prints, with an empty store."""
    with tempfile.TemporaryDirectory() as store, contextlib.redirect_stdout(io.StringIO()) as out:
        os.environ.pop("COLUMNS", None)  # as wide as a file is, whoever runs this
        cli.app(["plan", *shlex.split(words), "--store", store], standalone_mode=False)
    return out.getvalue()


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def rewritten(page: str) -> str:
    """The page with every block written anew."""
    tables = {"published": published, "sizes": sizes, "gpus": gpus, "judging": judging}
    outputs = {"plan": plan, "steps": steps}

    def block(found: re.Match[str]) -> str:
        what = found["what"]
        made = tables[what]() if what in tables else outputs[what](found["words"])
        return f"{found[1]}{made}{found[4]}"

    return _BLOCK.sub(block, page)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
