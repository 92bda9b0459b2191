"""The verbs of the paper, in order: the table of contents of the project.

A run reads the seeds, tests the base model, and then, iteration after iteration, lets the model write instructions,
answer them, judge its answers, keep the best and be trained on them, and tests the result. The report is drawn from
what these steps left in the store.
"""

from __future__ import annotations

from typing import Any

from isheep.stages import assessment, evaluate, filter, instructions, responses, seeds, train
from isheep.stages.stage import Stage

STAGES: tuple[Stage[Any], ...] = (
    seeds.STAGE,  # D_s: the tasks people wrote
    instructions.STAGE,  # P_t: the model writes new tasks from a few of them
    responses.STAGE,  # R_t: it answers them
    assessment.STAGE,  # S_t: it judges its answers
    filter.STAGE,  # D_t: the best are kept
    train.STAGE,  # M_{t+1}: the base model is fine-tuned on them
    evaluate.STAGE,  # how good is M_t on prompts nobody trained on
)

STAGE_BY_NAME = {stage.name: stage for stage in STAGES}
