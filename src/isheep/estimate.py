"""Roughly how much a plan will read, write and keep: for `isheep plan`, before anything runs.

An estimate, not a promise: how long answers are is known only afterwards. Every assumption is a named constant.
`LONGEST` in place of `TYPICAL` gives an upper bound: every text as long as the recipe lets it be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from isheep.benchmarks import BENCHMARKS
from isheep.capacity.shape import Shape, shape_of
from isheep.chat.questions import read_questions
from isheep.errors import RecipeError
from isheep.plan import Plan, Step
from isheep.recipe import Recipe
from isheep.stages.assessment import AssessmentSettings
from isheep.stages.benchmarks import BenchmarksSettings
from isheep.stages.chat import ChatSettings
from isheep.stages.evaluate import EvaluateSettings
from isheep.stages.exam import ExamSettings
from isheep.stages.followups import FollowupsSettings
from isheep.stages.ifeval import IfevalSettings
from isheep.stages.instructions import InstructionsSettings
from isheep.stages.judged import JudgedSettings
from isheep.stages.likelihood import LikelihoodSettings
from isheep.stages.prefer import PreferSettings
from isheep.stages.responses import ResponsesSettings
from isheep.stages.seeds import SeedsSettings
from isheep.stages.train import TrainSettings
from isheep.stages.vectors import VectorsSettings
from isheep.store import Store

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
#: Tokens of a benchmark's document with one of its choices (a guess between a riddle of 30 and a passage of 200).
DOCUMENT_TOKENS = 100
#: Choices of a benchmark whose probabilities are read (most have four).
CHOICES = 4
#: Tokens of a judge's instructions (ours have 200 to 300 words), and of the reasons before its verdict.
RUBRIC_TOKENS = 350
REASON_TOKENS = 100
#: Documents in the split of each benchmark that is asked, as published on the hub.
DOCUMENTS: Mapping[str, int] = {
    "ifeval_harness": 541, "boolq": 3270, "piqa": 1838, "social_iqa": 1954, "gpqa_diamond": 198, "hellaswag": 10042,
    "winogrande": 1267, "arc_easy": 2376, "arc_challenge": 1172, "openbookqa_fact": 500, "commonsense_qa": 1221,
    "mmlu": 14042, "humaneval": 164, "humaneval_plus": 164, "mbpp": 500, "nq_open": 3610, "triviaqa": 17944,
    "squadv2": 11873,
}  # fmt: skip


#: Longer than any max_tokens: what is asked for is then what is written.
_ENDLESS = 1 << 40


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of what a model writes where max_tokens allows them: an answer, a sampled score, a judge's reasons."""

    answer: int = ANSWER_TOKENS
    score: int = SCORE_TOKENS
    reason: int = REASON_TOKENS


TYPICAL = Lengths()
LONGEST = Lengths(_ENDLESS, _ENDLESS, _ENDLESS)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens read and written (or trained on) and bytes kept by one step, and in how many requests (or texts)."""

    read: int = 0
    written: int = 0
    bytes: int = 0
    requests: int = 0


def plan_rows(plan: Plan, store: Store, lengths: Lengths = TYPICAL) -> list[dict[str, Any]]:
    """A row per step: its key, how far the store has it ("done", "7 records", "to do"), and its estimate."""
    guessed = estimate(plan, lengths)
    rows = []
    for step in plan.steps:
        begun = store.journalled(step.stage, step.key)
        state = "done" if store.find(step.stage, step.key) else f"{begun} records" if begun else "to do"
        told = asdict(guessed[step.name])
        del told["requests"]
        rows.append({"step": step.name, "key": step.key, "state": state, **told})
    return rows


def estimate(plan: Plan, lengths: Lengths = TYPICAL) -> dict[str, Estimate]:
    """Step name -> estimate."""
    tests = {step.key: _lines(step.files["file"]) for step in plan.steps if step.name.startswith("tests.")}
    return {step.name: _step(step, plan.recipe, tests, lengths) for step in plan.steps}


def _step(step: Step, recipe: Recipe, tests: Mapping[str, int], long: Lengths) -> Estimate:
    answer = min(long.answer, recipe.responses.max_tokens)
    pairs = _pairs(step, recipe)
    settings = step.settings
    match settings:
        case SeedsSettings():
            return Estimate(bytes=_size(step.files["file"]))
        case InstructionsSettings():
            return _lists(settings, long)
        case ResponsesSettings():
            return Estimate(pairs * TASK_TOKENS, pairs * answer, pairs * RECORD_BYTES, pairs)
        case FollowupsSettings():
            asked = settings.max_tokens if long is LONGEST else min(TASK_TOKENS, settings.max_tokens)
            return Estimate(pairs * (TASK_TOKENS + answer), pairs * asked, 2 * pairs * RECORD_BYTES, pairs)
        case AssessmentSettings():
            asked = pairs * {"none": 0, "both": 2}.get(settings.level, 1) * settings.samples
            written = asked * min(settings.max_tokens, long.score) if settings.reading == "sampled" else 0
            return Estimate(asked * (2 * TASK_TOKENS + answer), written, asked * VERDICT_BYTES, asked)
        case LikelihoodSettings():
            return Estimate(pairs * (TASK_TOKENS + answer), 0, pairs * VERDICT_BYTES, pairs)
        case VectorsSettings():
            read = TASK_TOKENS + (answer if settings.of == "pair" else 0)
            shape = known_shape(recipe)
            width = shape.hidden if shape else 0
            return Estimate(
                pairs * read, 0, pairs * (VERDICT_BYTES + width * 8 // 3), pairs
            )  # float16 in base64
        case TrainSettings():
            kept = min(int(pairs * _kept(recipe)), settings.max_samples or pairs)
            text = min(TASK_TOKENS + answer, settings.cutoff)
            return Estimate(
                int(kept * text * settings.epochs), 0, _adapter_bytes(recipe), int(kept * settings.epochs)
            )
        case PreferSettings():
            text = min(TASK_TOKENS + answer, settings.cutoff)
            tokens, texts = int(pairs * 2 * text * settings.epochs), int(pairs * 2 * settings.epochs)
            return Estimate(tokens, 0, _adapter_bytes(recipe), texts)
        case EvaluateSettings():
            layouts = 1 if step.adapter else len({*settings.base_layouts, recipe.model.layout})
            asked = sum(tests[ref.key] for ref in step.inputs["tests"]) * layouts * len(settings.decodings)
            wrote = asked * min(answer, settings.max_tokens)
            return Estimate(asked * TASK_TOKENS, wrote, asked * ANSWER_BYTES, asked)
        case BenchmarksSettings():
            return _benchmarks(settings, long)
        case IfevalSettings():
            asked = int(min(_lines(step.files["file"]), settings.limit or math.inf))
            return _answers(asked, min(long.answer, settings.max_tokens))
        case ChatSettings():
            answers = min(long.answer, settings.max_tokens)
            before = sum(turns * (turns - 1) // 2 for turns in _turns(step, settings.limit))
            plain = _answers(sum(_turns(step, settings.limit)), answers)
            return replace(plain, read=plain.read + before * (TASK_TOKENS + answers))
        case JudgedSettings():
            return _judged(step, settings, recipe, long)
        case ExamSettings():
            return Estimate(bytes=pairs * RECORD_BYTES)
        case _:  # filter, preferences, probes, review, questions, contamination: views
            return Estimate(bytes=pairs * 120)


def _answers(asked: int, answer: int) -> Estimate:
    return Estimate(asked * TASK_TOKENS, asked * answer, asked * RECORD_BYTES, asked)


def _benchmarks(settings: BenchmarksSettings, long: Lengths) -> Estimate:
    """By the published sizes; a folder of one's own may hold fewer documents."""
    total = Estimate()
    for name in settings.tasks:
        benchmark = BENCHMARKS[name]
        most = (settings.limit or math.inf) * max(1, len(benchmark.subjects))
        asked = int(min(DOCUMENTS[name], most))
        read = asked * DOCUMENT_TOKENS * (1 + (settings.shots or 0)) * (1 if benchmark.writes else CHOICES)
        # A task's own limit is not known here: for it, the typical length stands.
        longest = ANSWER_TOKENS if settings.max_tokens is None else min(long.answer, settings.max_tokens)
        size = asked * ANSWER_BYTES * len(benchmark.metrics)
        total = Estimate(
            total.read + read,
            total.written + benchmark.writes * asked * longest,
            total.bytes + size,
            total.requests + asked * (1 if benchmark.writes else CHOICES),
        )
    return total


def _turns(step: Step, limit: int | None) -> list[int]:
    """How many turns each question has."""
    return [len(question.turns) for question in read_questions(step.files["file"])[:limit]]


def _judged(step: Step, settings: JudgedSettings, recipe: Recipe, long: Lengths) -> Estimate:
    answer = min(long.answer, recipe.chat.max_tokens)
    turns = _turns(step, recipe.chat.limit)
    pairwise = settings.protocol == "pairwise"
    asked = 2 * len(turns) if pairwise else sum(turns)  # both orders; every turn
    read = asked * (RUBRIC_TOKENS + TASK_TOKENS + (2 if pairwise else 1) * answer)
    reasons = 1 if settings.asks == "label" else min(long.reason, settings.max_tokens)
    return Estimate(read, asked * reasons, asked * RECORD_BYTES, asked)


def _pairs(step: Step, recipe: Recipe) -> int:
    """Pairs a step works on: an iteration's, those of all iterations so far, several answers, planted or exam ones."""
    many = recipe.iterations if recipe.train.start == "direct" else 1
    count = recipe.instructions.count * many
    if step.stage == "probes" or step.name.startswith("probe_scores."):
        return 5 * recipe.probes.count
    if step.name.startswith("exam"):
        return recipe.exam.questions + recipe.exam.constraints
    if step.name.startswith(("candidates.", "candidate_scores.")):
        return count * recipe.preferences.samples
    if step.stage in ("preferences", "prefer"):
        return count
    if step.stage in ("responses", "followups"):
        return count * recipe.responses.samples
    so_far = step.iteration + 1 if step.stage == "train" and recipe.train.start == "total_base" else 1
    return count * recipe.responses.samples * recipe.followups.turns * so_far


def _lists(settings: InstructionsSettings, long: Lengths) -> Estimate:
    new = max(1, settings.list_length - settings.shots)
    lists = math.ceil(settings.count / (new * LIST_YIELD))
    wrote = settings.max_tokens if long is LONGEST else min(settings.max_tokens, new * TASK_TOKENS)
    return Estimate(lists * settings.shots * TASK_TOKENS, lists * wrote, lists * new * RECORD_BYTES, lists)


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


def adapter_parameters(recipe: Recipe) -> int:
    """Of the LoRA adapter; 0 where the model's shape is not known."""
    shape = known_shape(recipe)
    return shape.adapter(recipe.train.lora.rank, recipe.train.lora.target_modules) if shape else 0


def _adapter_bytes(recipe: Recipe) -> int:
    """On disk, in float32."""
    return 4 * adapter_parameters(recipe)


def known_shape(recipe: Recipe) -> Shape | None:
    """The base model's, where it is known without a download and is one that can be reckoned with."""
    try:
        return shape_of(recipe.model.base)
    except RecipeError:
        return None


def _lines(path: Path) -> int:
    if path.is_dir():
        return sum(map(_lines, path.glob("*.jsonl")))
    return sum(bool(line.strip()) for line in path.read_bytes().split(b"\n"))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
