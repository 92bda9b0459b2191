"""LoRA fine-tuning: tokens per second of isheep's trainer against a bare PyTorch loop.

    python benchmarks/sft.py
    python benchmarks/sft.py --pairs 64 --rounds 1        # a quick look

The bare loop is the shortest that learns the same: PEFT's LoRA on the same model, the same rows in the same order,
batches padded to their longest row, AdamW, clipped gradients, a cosine schedule. It logs nothing, saves no checkpoint
and cannot be resumed. Both must end with the same losses, or this program fails. Timed is everything from texts to the
adapter on disk, but for loading the model; ways alternate, and the median of the rounds counts.

Two models: lamb with its own recipe's settings, where a step is so small that what surrounds it shows; and a model of
42M parameters with random weights and texts of some 200 tokens.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate.data_loader import SeedableRandomSampler
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Qwen2Config,
    Qwen2ForCausalLM,
    get_cosine_schedule_with_warmup,
    set_seed,
)

from isheep import load_recipe
from isheep.backends.base import Example, ModelSpec, Runtime, TrainSpec
from isheep.backends.trl import TRLTrainer
from isheep.backends.trl_rows import tokenise
from isheep.files import PACKAGE, model_path
from isheep.stages.seeds import read_tasks
from isheep.text.prompts import LAYOUTS

LAYOUT = LAYOUTS["question"]
#: Hidden size, inner size, layers, heads of the larger model.
SHAPE = (512, 1376, 8, 8)


def lamb(pairs: int) -> tuple[str, TrainSpec, list[Example]]:
    """The embedded model, its recipe's settings, and pairs as the loop would write them."""
    train = load_recipe("lamb").recipe.train
    seeds, _ = read_tasks(PACKAGE / "seeds" / "lamb.jsonl")
    tasks = [seeds[n % len(seeds)] for n in range(pairs)]
    examples = [
        Example(str(n), LAYOUT.prompt(t.instruction, t.input), LAYOUT.completion(t.output))
        for n, t in enumerate(tasks)
    ]
    spec = TrainSpec(
        rank=train.lora.rank, alpha=train.lora.alpha, dropout=0.0, target_modules="all-linear",
        learning_rate=train.learning_rate, scheduler="cosine", warmup_steps=train.warmup_steps, epochs=train.epochs,
        batch_size=train.batch_size, accumulation=1, cutoff=train.cutoff, weight_decay=0.0, max_grad_norm=1.0,
        save_steps=train.save_steps, merge=False, seed=0,
    )  # fmt: skip
    return str(model_path("lamb")), spec, examples


def larger(folder: Path, pairs: int) -> tuple[str, TrainSpec, list[Example]]:
    """A model with random weights in `folder`, and texts of 100 to 300 tokens."""
    hidden, inner, layers, heads = SHAPE
    config = Qwen2Config(
        vocab_size=32_000, hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=1024, tie_word_embeddings=True,
    )  # fmt: skip
    set_seed(0)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(model_path("lamb")).save_pretrained(folder)
    _, spec, _ = lamb(1)
    examples = [
        Example(
            str(n),
            LAYOUT.prompt(f"Count from {n}"),
            LAYOUT.completion("1" * (100 + 200 * (7 * n % 16) // 16)),
        )
        for n in range(pairs)
    ]
    return str(folder), replace(spec, epochs=1, batch_size=4, cutoff=512), examples


# ---------------------------------------------------------------- the two ways


def ours(base: str, spec: TrainSpec, examples: Sequence[Example]) -> tuple[float, list[float]]:
    trainer = TRLTrainer(ModelSpec(base), Runtime(device="cpu"))
    trainer._load(torch.float32)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        trained = trainer.train(examples, spec, LAYOUT, Path(folder), lambda done, total: None)
        return time.perf_counter() - start, [loss for _, loss in trained.losses]


def bare(base: str, spec: TrainSpec, examples: Sequence[Example]) -> tuple[float, list[float]]:
    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        rows, _ = tokenise(tokenizer, examples, LAYOUT, spec.cutoff)
        set_seed(spec.seed)
        lora = LoraConfig(
            r=spec.rank, lora_alpha=spec.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        tuned = get_peft_model(model, lora).train()
        weights = [p for p in tuned.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(weights, lr=spec.learning_rate, weight_decay=spec.weight_decay)
        batches = list(epochs(rows, spec))
        schedule = get_cosine_schedule_with_warmup(optimiser, spec.warmup_steps, len(batches))
        losses = []
        for batch in batches:
            loss = tuned(**batch, use_cache=False).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, spec.max_grad_norm)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            losses.append(float(loss.detach()))
        tuned.save_pretrained(folder)
        return time.perf_counter() - start, losses


def epochs(rows: Sequence[dict[str, list[int]]], spec: TrainSpec) -> Iterator[dict[str, Any]]:
    """All batches of the training, in the order that the trainer's own sampler gives."""
    sampler = SeedableRandomSampler(range(len(rows)), data_seed=spec.seed)
    for epoch in range(int(spec.epochs)):
        sampler.set_epoch(epoch)
        order = [rows[n] for n in sampler]
        for at in range(0, len(order), spec.batch_size):
            yield collate(order[at : at + spec.batch_size])


def collate(rows: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    """Padded to the longest; only the answers have labels."""
    width = max(len(row["input_ids"]) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for n, row in enumerate(rows):
        size = len(row["input_ids"])
        ids[n, :size], mask[n, :size] = torch.tensor(row["input_ids"]), 1
        learned = torch.tensor(row["completion_mask"], dtype=torch.bool)
        labels[n, :size] = torch.where(learned, ids[n, :size], -100)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


# ---------------------------------------------------------------- the table


def compare(name: str, base: str, spec: TrainSpec, examples: Sequence[Example], rounds: int) -> bool:
    """One row; were the losses equal?"""
    rows, _ = tokenise(AutoTokenizer.from_pretrained(base), examples, LAYOUT, spec.cutoff)
    tokens = sum(len(row["input_ids"]) for row in rows) * spec.epochs
    warm = examples[: 4 * spec.batch_size]
    ours(base, spec, warm), bare(base, spec, warm)
    taken: dict[str, list[float]] = {"ours": [], "bare": []}
    equal = True
    for _ in range(rounds):
        seconds, losses = ours(base, spec, examples)
        taken["ours"].append(seconds)
        seconds, expected = bare(base, spec, examples)
        taken["bare"].append(seconds)
        # Trainers log rounded losses; sums in another order differ a little more with every step.
        equal &= len(losses) == len(expected)
        equal &= all(abs(a - b) < 0.02 + 0.02 * b for a, b in zip(losses, expected, strict=False))
    ours_s, bare_s = (statistics.median(taken[way]) for way in ("ours", "bare"))
    print(f"{name:<26}{len(losses):>7}{tokens / ours_s:>12,.0f}{tokens / bare_s:>12,.0f}{bare_s / ours_s:>8.2f}"
          f"   first and last loss {losses[0]:.3f} {losses[-1]:.3f}, bare {expected[0]:.3f} {expected[-1]:.3f}",
          flush=True)  # fmt: skip
    return equal


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pairs", type=int, default=400, help="texts for lamb; the larger model gets a sixteenth"
    )
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{'model':<26}{'steps':>7}{'isheep':>12}{'bare':>12}{'ratio':>8}   (tokens/s)")
    equal = compare("lamb, its recipe", *lamb(arguments.pairs), arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        case = larger(Path(folder), max(8, arguments.pairs // 16))
        equal &= compare("42M, texts of 200 tokens", *case, arguments.rounds)
    print(f"losses equal: {equal}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
