"""Roughly how much a plan will read, write and keep: for `isheep plan`, before anything runs.

An estimate, not a promise: how long answers are is known only afterwards. Every assumption is a named constant.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from isheep.files import model_path
from isheep.plan import Plan, Step
from isheep.recipe import Recipe

#: Tokens of one task in a list, and of one request (the 175 shipped seed tasks: about 30 words with their input).
TASK_TOKENS = 40
#: Tokens of one answer where max_tokens allows them (paper.md: median answer 57 words in iteration 0 of the 72B).
ANSWER_TOKENS = 80
#: Share of the tasks in a list that are new and pass the rules.
LIST_YIELD = 0.6
#: Share of pairs kept when a fixed threshold decides (released data, Qwen-72B: 20 to 40 % an iteration).
KEPT_SHARE = 0.3
#: Bytes per record on disk, with its text.
RECORD_BYTES = 600
#: Bytes of a recipe's test answer.
ANSWER_BYTES = 300


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens read and written (or trained on) and bytes kept by one step."""

    read: int = 0
    written: int = 0
    bytes: int = 0


def estimate(plan: Plan) -> dict[str, Estimate]:
    """Step name -> estimate."""
    tests = sum(_lines(step.files["file"]) for step in plan.steps if step.name.startswith("tests."))
    return {step.name: _step(step, plan.recipe, tests) for step in plan.steps}


def _step(step: Step, recipe: Recipe, tests: int) -> Estimate:
    count = recipe.instructions.count
    answer = min(ANSWER_TOKENS, recipe.responses.max_tokens)
    match step.stage:
        case "seeds":
            return Estimate(bytes=_size(step.files["file"]))
        case "instructions":
            s = recipe.instructions
            new = max(1, s.list_length - s.shots)
            lists = math.ceil(count / (new * LIST_YIELD))
            candidates = lists * new
            return Estimate(
                lists * s.shots * TASK_TOKENS,
                lists * min(s.max_tokens, new * TASK_TOKENS),
                candidates * RECORD_BYTES,
            )
        case "responses":
            return Estimate(count * TASK_TOKENS, count * answer, count * RECORD_BYTES)
        case "assessment":
            a = recipe.assessment
            asked = count * {"none": 0, "both": 2}.get(a.level, 1)
            written = asked * min(a.max_tokens, 8) if a.reading == "sampled" else 0
            return Estimate(asked * (2 * TASK_TOKENS + answer), written, asked * 150)
        case "filter":
            return Estimate(bytes=count * 120)
        case "train":
            kept = min(int(count * _kept(recipe)), recipe.train.max_samples or count)
            tokens = int(kept * (TASK_TOKENS + answer) * recipe.train.epochs)
            return Estimate(tokens, 0, _adapter_bytes(recipe))
        case _:
            layouts = 1 if step.adapter else len({*recipe.evaluate.base_layouts, recipe.model.layout})
            asked = tests * layouts * len(recipe.evaluate.decodings)
            return Estimate(
                asked * TASK_TOKENS, asked * min(answer, recipe.evaluate.max_tokens), asked * ANSWER_BYTES
            )


def _kept(recipe: Recipe) -> float:
    if recipe.filter.keep_fraction is not None:
        return recipe.filter.keep_fraction
    threshold = recipe.filter.threshold
    return KEPT_SHARE if threshold is not None and threshold > 0 else 1.0


def _adapter_bytes(recipe: Recipe) -> int:
    """Float32 adapter on all linear layers of a Llama-like model, from its config where it is at hand; else 0."""
    path = Path(model_path(recipe.model.base)).expanduser() / "config.json"
    try:
        config = json.loads(path.read_bytes())
        hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
        layers = int(config["num_hidden_layers"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return 0
    rows = 4 * 2 * hidden + 3 * (hidden + inner)  # q, k, v, o; gate, up, down
    return 4 * recipe.train.lora.rank * rows * layers


def _lines(path: Path) -> int:
    if path.is_dir():
        return sum(map(_lines, path.glob("*.jsonl")))
    return sum(bool(line.strip()) for line in path.read_bytes().split(b"\n"))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
