"""One iteration of the loop as a competent person would first write it: the program that `iteration.py` compares with.

    python benchmarks/plain_loop.py 2000 FOLDER

The same algorithm and settings as `recipes/lamb.yaml`, by the libraries: texts by `model.generate` in batches
in arrival order; near-duplicates by `rouge_score` against every kept task, in a pool of processes; both scores written
by the model and read from its text; TRL's SFTTrainer; a merged copy of the model saved; and every step loads what it
needs. What a task, a rating and a layout look like is not what is compared: isheep's parsers and prompts are used.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from rouge_score.rouge_scorer import _score_lcs
from rouge_score.tokenize import tokenize
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from isheep import load_recipe
from isheep.files import PACKAGE, model_path
from isheep.stages.evaluate import is_correct
from isheep.stages.seeds import read_tasks
from isheep.text.parse import parse_rating, parse_task_list, stop_text
from isheep.text.prompts import LAYOUTS, judge_text, request, task_list
from isheep.text.rules import instruction_reason, response_reason

RECIPE = load_recipe("lamb").recipe
LAYOUT = LAYOUTS["question"]
BATCH = RECIPE.runtime.batch_size
#: Longest written verdict, in tokens (recipes/paper.yaml); the released code's judge may write 1000.
VERDICT_TOKENS = RECIPE.assessment.max_tokens


def load(folder: str) -> tuple[Any, Any]:
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    return AutoModelForCausalLM.from_pretrained(folder).eval(), tokenizer


def write(
    loaded: tuple[Any, Any],
    prompts: Sequence[str],
    tokens: int,
    stops: Sequence[str],
    temperature: float,
    top_p: float,
) -> list[str]:
    """What the model continues each prompt with, batch after batch."""
    model, tokenizer = loaded
    texts: list[str] = []
    how = (
        {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
        if temperature
        else {"do_sample": False}
    )
    for at in range(0, len(prompts), BATCH):
        inputs = tokenizer(
            list(prompts[at : at + BATCH]), return_tensors="pt", padding=True, return_token_type_ids=False
        )
        width = inputs["input_ids"].shape[1]
        room = model.config.max_position_embeddings - width
        with torch.inference_mode():
            out = model.generate(
                **inputs, **how, max_new_tokens=min(tokens, room), stop_strings=list(stops) or None,
                tokenizer=tokenizer, pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        for text in tokenizer.batch_decode(out[:, width:], skip_special_tokens=True):
            texts.append(
                text[: min((found for s in stops if (found := text.find(s)) >= 0), default=len(text))]
            )
    return texts


def highest(words: list[str], kept: Sequence[list[str]]) -> float:
    """ROUGE-L F1 with the nearest of the kept."""
    return max((_score_lcs(words, other).fmeasure for other in kept), default=0.0)


def instructions(base: str, count: int, pool: Any) -> list[tuple[str, str]]:
    """`count` new tasks from a few seed tasks."""
    s, loaded, rng = RECIPE.instructions, load(base), random.Random(0)
    seeds, _ = read_tasks(PACKAGE / "seeds" / "lamb.jsonl")
    header = (PACKAGE / "prompts" / "lamb" / "instructions.txt").read_text()
    words = [tokenize(request(seed.instruction, seed.input), None) for seed in seeds]
    found: list[tuple[str, str]] = []
    while len(found) < count:
        shots = [rng.sample(seeds, s.shots) for _ in range(s.lists_per_round)]
        prompts = [task_list(header, [(t.instruction, t.input) for t in drawn]) for drawn in shots]
        for text in write(
            loaded, prompts, s.max_tokens, (stop_text(s.list_length), "\n\n\n"), s.temperature, s.top_p
        ):
            for item in parse_task_list(text, s.shots + 1, s.list_length, finished=True):
                if item.problem or instruction_reason(
                    item.instruction, item.input, s.rules, s.min_words, s.max_words
                ):
                    continue
                new = tokenize(request(item.instruction, item.input), None)
                parts = pool.map(functools.partial(highest, new), [words[n::2] for n in range(2)])
                if max(parts) <= s.overlap.threshold and len(found) < count:
                    words.append(new)
                    found.append((item.instruction, item.input))
    return found


def responses(base: str, tasks: Sequence[tuple[str, str]]) -> list[str]:
    s = RECIPE.responses
    prompts = [LAYOUT.prompt(*task) for task in tasks]
    return [
        text.strip()
        for text in write(load(base), prompts, s.max_tokens, LAYOUT.stop_texts, s.temperature, s.top_p)
    ]


def scores(
    base: str, tasks: Sequence[tuple[str, str]], answers: Sequence[str], scale: str
) -> list[float | None]:
    """What the model writes as its score of each pair on one scale."""
    s = RECIPE.assessment
    template = (PACKAGE / "prompts" / "judge" / "lamb" / f"{scale}.txt").read_text()
    prompts = [judge_text(template, *task, answer) for task, answer in zip(tasks, answers, strict=True)]
    texts = write(load(base), prompts, VERDICT_TOKENS, ("||", "\n"), s.temperature, s.top_p)
    return [parse_rating(text) for text in texts]


def train(base: str, pairs: Sequence[tuple[tuple[str, str], str]], folder: Path) -> str:
    """LoRA on the pairs, and the merged model on the disk."""
    s = RECIPE.train
    model, tokenizer = load(base)
    lora = LoraConfig(
        r=s.lora.rank,
        lora_alpha=s.lora.alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, lora)
    rows = [
        {"prompt": LAYOUT.prompt(*task), "completion": LAYOUT.completion(answer)} for task, answer in pairs
    ]
    arguments = SFTConfig(
        output_dir=str(folder / "checkpoints"), per_device_train_batch_size=s.batch_size, learning_rate=s.learning_rate,
        lr_scheduler_type=s.scheduler, warmup_steps=s.warmup_steps, num_train_epochs=s.epochs, max_length=s.cutoff,
        use_cpu=True, report_to="none", disable_tqdm=True, save_strategy="no", logging_steps=50,
    )  # fmt: skip
    SFTTrainer(adapted, arguments, train_dataset=Dataset.from_list(rows), processing_class=tokenizer).train()
    adapted.merge_and_unload().save_pretrained(folder / "merged")
    tokenizer.save_pretrained(folder / "merged")
    return str(folder / "merged")


def accuracy(model: str) -> dict[str, float]:
    """Held-out questions, greedy and at temperature 1."""
    tests, _ = read_tasks(PACKAGE / "lamb" / "held_out.jsonl")
    prompts = [LAYOUT.prompt(t.instruction, t.input) for t in tests]
    found = {}
    for name, temperature in (("greedy", 0.0), ("sampled", 1.0)):
        texts = write(load(model), prompts, RECIPE.evaluate.max_tokens, LAYOUT.stop_texts, temperature, 1.0)
        right = [is_correct(text, test.answers) for text, test in zip(texts, tests, strict=True)]
        found[name] = sum(right) / len(right)
    return found


def main() -> int:
    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    base, spent, clock = model_path("lamb"), {}, time.perf_counter()

    def lap(name: str) -> None:
        nonlocal clock
        spent[name], clock = time.perf_counter() - clock, time.perf_counter()

    with multiprocessing.get_context("spawn").Pool(2) as pool:
        tasks = instructions(base, count, pool)
    lap("instructions")
    answers = responses(base, tasks)
    lap("responses")
    judged = [scores(base, tasks, answers, scale) for scale in ("quality", "following")]
    lap("assessment")
    both = [None if None in pair else sum(pair) / 2 for pair in zip(*judged, strict=True)]
    rules = RECIPE.filter.rules
    good = [
        n for n, (task, answer) in enumerate(zip(tasks, answers, strict=True))
        if both[n] is not None and not response_reason(*task, answer, "stop", rules)
    ]  # fmt: skip
    best = sorted(good, key=lambda n: -both[n])[: int((RECIPE.filter.keep_fraction or 1) * len(tasks))]
    lap("filter")
    made = train(base, [(tasks[n], answers[n]) for n in best], folder)
    lap("train")
    reached = accuracy(made)
    lap("evaluate")
    print(json.dumps({"seconds": spent, "tasks": len(tasks), "trained on": len(best), "accuracy": reached}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
