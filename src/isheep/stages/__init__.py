"""The verbs of the paper, in order: the table of contents of the project.

A run reads the seeds, tests the base model, and then, iteration after iteration, lets the model write instructions,
answer them, judge its answers, keep the best and be trained on them, tests the result, and reviews what came out. The
report is drawn from what these steps left in the store. Stages marked "option" run only where a recipe asks for them.
"""

from __future__ import annotations

from typing import Any

from isheep.stages import (
    assessment,
    benchmarks,
    chat,
    contamination,
    evaluate,
    exam,
    filter,
    followups,
    ifeval,
    instructions,
    judged,
    likelihood,
    prefer,
    preferences,
    probes,
    questions,
    responses,
    review,
    seeds,
    train,
    vectors,
)
from isheep.stages.stage import Stage

STAGES: tuple[Stage[Any], ...] = (
    seeds.STAGE,  # D_s: the tasks people wrote
    instructions.STAGE,  # P_t: the model writes new tasks from a few of them
    responses.STAGE,  # R_t: it answers them
    followups.STAGE,  # option: it writes what the person says next, for conversations
    assessment.STAGE,  # S_t: it judges its answers
    probes.STAGE,  # planted answers, to judge the judge
    likelihood.STAGE,  # option: how probable it finds its answers
    vectors.STAGE,  # option: where they lie in its own space
    questions.STAGE,  # the prompts of every benchmark in use
    contamination.STAGE,  # what of all this is copied from them
    filter.STAGE,  # D_t: the best are kept
    train.STAGE,  # M_{t+1}: the base model is fine-tuned on them
    preferences.STAGE,  # option: the best against the worst of several answers
    prefer.STAGE,  # option: M_{t+1} is trained to prefer the best
    evaluate.STAGE,  # how good is M_{t+1} on prompts nobody trained on
    benchmarks.STAGE,  # option: the fixed benchmarks of the paper
    ifeval.STAGE,  # option: does it follow instructions a program can check
    chat.STAGE,  # option: it answers chat questions
    judged.STAGE,  # option: an outside judge compares or grades these answers
    exam.STAGE,  # questions with a known truth: does the judge in it know what it knows
    review.STAGE,  # is it collapsing, is it still getting better, which model is best
)

STAGE_BY_NAME = {stage.name: stage for stage in STAGES}
