"""What a GPU does with models of real size: tokens per second and peak memory, against its arithmetic limits.

    python benchmarks/gpu.py --gpu h200           # writes benchmarks/gpu.md with the device's name and the date
    python benchmarks/gpu.py --tiny --device cpu  # the same code on a tiny model, to see that it runs

Models of Qwen1.5's shapes (1.8B and 7B) with random weights, made on the device from a config: nothing is downloaded,
and speed does not depend on what the weights say. Writing: the engine `hf`, 256 prompts of 256 tokens, 128 new ones
each, greedy. Training: LoRA with the paper's settings (rank 8 on all linear layers, texts of 1024 tokens, 16 a step).
The limits beside them: 2 FLOP a parameter and token written, 6 trained with recomputed activations, over the peak
in bfloat16; for writing also its memory bandwidth over the bytes of the weights.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from isheep.backends import open_engine, open_trainer
from isheep.backends.base import Example, ModelSpec, Request, Runtime, Sampling, TrainSpec
from isheep.capacity.gpus import find_gpu
from isheep.files import model_path
from isheep.text.prompts import LAYOUTS

#: Hidden size, inner size, layers, heads (the hub's config.json of Qwen1.5-1.8B and -7B).
SHAPES = {"1.8B": (2048, 5504, 24, 16), "7B": (4096, 11008, 32, 32), "tiny": (64, 128, 2, 4)}
VOCABULARY = 151_936
PAPER = TrainSpec(
    rank=8, alpha=16, dropout=0.05, target_modules="all-linear", learning_rate=5e-5, scheduler="cosine",
    warmup_steps=20, epochs=1, batch_size=1, accumulation=16, cutoff=1024, weight_decay=0.0, max_grad_norm=1.0,
    save_steps=1000, merge=False, seed=0,
)  # fmt: skip


def make(name: str, folder: Path, device: str) -> str:
    """A model of this shape with random weights, and lamb's tokenizer, in a folder."""
    hidden, inner, layers, heads = SHAPES[name]
    config = Qwen2Config(
        vocab_size=1024 if name == "tiny" else VOCABULARY, hidden_size=hidden, intermediate_size=inner,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=32768,
    )  # fmt: skip
    with torch.device(device):
        model = Qwen2ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(model_path("lamb")).save_pretrained(folder)
    return str(folder)


def writing(spec: ModelSpec, runtime: Runtime, prompts: int, new: int) -> dict[str, float]:
    engine = open_engine("hf", spec, runtime)
    text = " ".join(str(n % 10) for n in range(128))
    requests = [Request(f"{n:04}", f"{n} {text}", Sampling(new, temperature=0.0)) for n in range(prompts)]
    list(engine.generate(requests[:4]))
    _reset()
    start = time.perf_counter()
    done = list(engine.generate(requests))
    seconds = time.perf_counter() - start
    parameters = engine.parameters or 0
    engine.close()
    return {
        "tokens/s": sum(c.tokens for c in done) / seconds,
        "read": sum(c.prompt_tokens for c in done) / len(done),
        "parameters": parameters,
        "GiB": _peak(),
    }


def training(spec: ModelSpec, runtime: Runtime, texts: int, length: int, folder: Path) -> dict[str, float]:
    trainer = open_trainer("trl", spec, runtime)
    words = " ".join(str(n % 10) for n in range(length))
    examples = [Example(f"{n:04}", f"{n}", words) for n in range(texts)]
    layout = LAYOUTS["plain"]
    _reset()
    start = time.perf_counter()
    trained = trainer.train(examples, PAPER, layout, folder, lambda done, total: None)
    seconds = time.perf_counter() - start
    trainer.close()
    return {"tokens/s": trained.tokens / seconds, "GiB": _peak()}


def _reset() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()


def _peak() -> float:
    return torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0


def rows(name: str, device: str, gpu: str) -> list[dict[str, Any]]:
    """Writing and training of one shape, with the limits."""
    few = name == "tiny"
    runtime = Runtime(batch_size=256, device=device)
    with tempfile.TemporaryDirectory() as made:
        spec = ModelSpec(make(name, Path(made) / "model", device), dtype="bfloat16")
        wrote = writing(spec, runtime, 8 if few else 256, 8 if few else 128)
        learned = training(spec, runtime, 16 if few else 64, 32 if few else 1024, Path(made) / "out")
    card = find_gpu(gpu)
    parameters = wrote["parameters"]
    compute = card.tflops * 1e12
    bandwidth = card.bandwidth * 1e9 / (2 * parameters) * runtime.batch_size
    return [
        {"work": f"{name}, writing", **wrote, "limit": min(compute / (2 * parameters), bandwidth)},
        {"work": f"{name}, LoRA training", **learned, "limit": compute / (6 * parameters)},
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--gpu", default="h200", help="the card's name in `isheep plan --gpu`, for the limits"
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    lines = ["| work | tokens/s | peak GiB | arithmetic limit, tokens/s | share |", "|---|---|---|---|---|"]
    for name in ("tiny",) if arguments.tiny else ("1.8B", "7B"):
        for row in rows(name, arguments.device, arguments.gpu):
            share = row["tokens/s"] / row["limit"]
            lines.append(
                f"| {row['work']} | {row['tokens/s']:,.0f} | {row['GiB']:.1f} | {row['limit']:,.0f} | {share:.1%} |"
            )
    print("\n".join(lines))
    if arguments.device != "cpu":
        where = f"{torch.cuda.get_device_name()}, {datetime.date.today()}, torch {torch.__version__}"
        head = f"# On a GPU\n\n{where}; `python {' '.join(sys.argv)}`\n\n"
        (Path(__file__).parent / "gpu.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
