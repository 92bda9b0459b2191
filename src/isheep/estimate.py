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
from isheep.stages.assessment import AssessmentSettings
from isheep.stages.evaluate import EvaluateSettings
from isheep.stages.followups import FollowupsSettings
from isheep.stages.instructions import InstructionsSettings
from isheep.stages.likelihood import LikelihoodSettings
from isheep.stages.prefer import PreferSettings
from isheep.stages.responses import ResponsesSettings
from isheep.stages.seeds import SeedsSettings
from isheep.stages.train import TrainSettings
from isheep.stages.vectors import VectorsSettings

#: Tokens of one task in a list, and of one request (the 175 shipped seed tasks: about 30 words with their input).
TASK_TOKENS = 40
#: Tokens of one answer where max_tokens allows them (paper.md: median answer 57 words in iteration 0 of the 72B).
ANSWER_TOKENS = 80
#: Share of the tasks in a list that are new and pass the rules.
LIST_YIELD = 0.6
#: Share of pairs kept when a fixed threshold decides (released data, Qwen-72B: 20 to 40 % an iteration).
KEPT_SHARE = 0.3
#: Tokens of a sampled score: it ends as soon as the number is complete.
SCORE_TOKENS = 8
#: Bytes per record on disk, with its text.
RECORD_BYTES = 600
#: Bytes of a record of figures.
VERDICT_BYTES = 150
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
    answer = min(ANSWER_TOKENS, recipe.responses.max_tokens)
    pairs = _pairs(step, recipe)
    settings = step.settings
    match settings:
        case SeedsSettings():
            return Estimate(bytes=_size(step.files["file"]))
        case InstructionsSettings():
            return _lists(settings)
        case ResponsesSettings():
            return Estimate(pairs * TASK_TOKENS, pairs * answer, pairs * RECORD_BYTES)
        case FollowupsSettings():
            asked = min(TASK_TOKENS, settings.max_tokens)
            return Estimate(pairs * (TASK_TOKENS + answer), pairs * asked, 2 * pairs * RECORD_BYTES)
        case AssessmentSettings():
            asked = pairs * {"none": 0, "both": 2}.get(settings.level, 1) * settings.samples
            written = asked * min(settings.max_tokens, SCORE_TOKENS) if settings.reading == "sampled" else 0
            return Estimate(asked * (2 * TASK_TOKENS + answer), written, asked * VERDICT_BYTES)
        case LikelihoodSettings():
            return Estimate(pairs * (TASK_TOKENS + answer), 0, pairs * VERDICT_BYTES)
        case VectorsSettings():
            read = TASK_TOKENS + (answer if settings.of == "pair" else 0)
            hidden, _, _ = _shape(recipe)
            return Estimate(pairs * read, 0, pairs * (VERDICT_BYTES + hidden * 8 // 3))  # float16 in base64
        case TrainSettings():
            kept = min(int(pairs * _kept(recipe)), settings.max_samples or pairs)
            tokens = int(kept * (TASK_TOKENS + answer) * settings.epochs)
            return Estimate(tokens, 0, _adapter_bytes(recipe))
        case PreferSettings():
            tokens = int(pairs * 2 * (TASK_TOKENS + answer) * settings.epochs)
            return Estimate(tokens, 0, _adapter_bytes(recipe))
        case EvaluateSettings():
            layouts = 1 if step.adapter else len({*settings.base_layouts, recipe.model.layout})
            asked = tests * layouts * len(settings.decodings)
            return Estimate(
                asked * TASK_TOKENS, asked * min(answer, settings.max_tokens), asked * ANSWER_BYTES
            )
        case _:  # filter, preferences, probes, review: views
            return Estimate(bytes=pairs * 120)


def _pairs(step: Step, recipe: Recipe) -> int:
    """Pairs a step works on: an iteration's, those of all iterations so far, several answers, or planted ones."""
    many = recipe.iterations if recipe.train.start == "direct" else 1
    count = recipe.instructions.count * many
    if step.stage == "probes" or step.name.startswith("probe_scores."):
        return 5 * recipe.probes.count
    if step.name.startswith(("candidates.", "candidate_scores.")):
        return count * recipe.preferences.samples
    if step.stage in ("preferences", "prefer"):
        return count
    if step.stage in ("responses", "followups"):
        return count * recipe.responses.samples
    so_far = step.iteration + 1 if step.stage == "train" and recipe.train.start == "total_base" else 1
    return count * recipe.responses.samples * recipe.followups.turns * so_far


def _lists(settings: InstructionsSettings) -> Estimate:
    new = max(1, settings.list_length - settings.shots)
    lists = math.ceil(settings.count / (new * LIST_YIELD))
    return Estimate(
        lists * settings.shots * TASK_TOKENS,
        lists * min(settings.max_tokens, new * TASK_TOKENS),
        lists * new * RECORD_BYTES,
    )


def _kept(recipe: Recipe) -> float:
    """Share of the pairs that are trained on."""
    chosen = recipe.filter
    share = 1.0
    if chosen.threshold is not None and chosen.threshold > 0:
        share *= KEPT_SHARE
    if chosen.density is not None:
        pool = max(1, recipe.instructions.count)
        clusters = chosen.density.clusters or round((chosen.density.share or 0) * pool)
        share = min(share, clusters * chosen.density.per_cluster / pool)
    return share * (chosen.keep_fraction or 1.0)


def _adapter_bytes(recipe: Recipe) -> int:
    """Float32 adapter on all linear layers of a Llama-like model; 0 where its shape is not known."""
    hidden, inner, layers = _shape(recipe)
    rows = 4 * 2 * hidden + 3 * (hidden + inner)  # q, k, v, o; gate, up, down
    return 4 * recipe.train.lora.rank * rows * layers


def _shape(recipe: Recipe) -> tuple[int, int, int]:
    """Hidden size, inner size and layers, from the model's config where it is at hand; else zeros."""
    path = Path(model_path(recipe.model.base)).expanduser() / "config.json"
    try:
        config = json.loads(path.read_bytes())
        return (
            int(config["hidden_size"]),
            int(config["intermediate_size"]),
            int(config["num_hidden_layers"]),
        )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return 0, 0, 0


def _lines(path: Path) -> int:
    if path.is_dir():
        return sum(map(_lines, path.glob("*.jsonl")))
    return sum(bool(line.strip()) for line in path.read_bytes().split(b"\n"))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
