"""The toy run with every evaluation on: rows of our own for each kind, and the settings that ask for them.

The fake examiner needs no data, and the scripted judge holds with the longer answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toy import write_lines

#: Three prompts in IFEval's published form, two demands in the last.
IFEVAL = [
    {
        "key": 1,
        "prompt": "Describe a sheep without any commas.",
        "instruction_id_list": ["punctuation:no_comma"],
        "kwargs": [{}],
    },
    {
        "key": 2,
        "prompt": "Say something about wool in at least three words.",
        "instruction_id_list": ["length_constraints:number_words"],
        "kwargs": [{"relation": "at least", "num_words": 3}],
    },
    {
        "key": 3,
        "prompt": "Write about the meadow in small letters only, and mention the word grass.",
        "instruction_id_list": ["change_case:english_lowercase", "keywords:existence"],
        "kwargs": [{}, {"keywords": ["grass"]}],
    },
]
#: AlpacaEval's form: a question and another model's answer.
PAIRS = [
    {
        "instruction": "Name a river in Germany.",
        "output": "The Rhine.",
        "generator": "old",
        "dataset": "ours",
    },
    {
        "instruction": "What is wool good for?",
        "output": "It keeps a body warm, as it holds air between its hairs.",
    },
    {"instruction": "Tell a shepherd good night.", "output": "Good night, and may the wolf sleep too."},
]
#: MT-Bench's form: two turns, a category, references where it is exact.
TALK = [
    {"question_id": 81, "category": "writing", "turns": ["Write a note to a lamb.", "Make it shorter."]},
    {
        "question_id": 111,
        "category": "math",
        "turns": ["How much is two and two?", "And three more?"],
        "reference": ["four", "seven"],
    },
]
#: Exact match, in a file of one's own.
ASKED = [
    {"id": "m1", "instruction": "Say yes.", "answers": ["yes"]},
    {"id": "m2", "instruction": "Say no.", "answers": ["no"]},
]


def write_evaluations(folder: Path) -> tuple[str, ...]:
    """Write the files; the overrides that switch every evaluation on."""
    rows: dict[str, Sequence[Any]] = {"prompts": IFEVAL, "pairs": PAIRS, "talk": TALK, "more": ASKED}
    files = {name: write_lines(folder / f"{name}.jsonl", lines) for name, lines in rows.items()}
    return (
        f"evaluate.also=[{files['more']}]",
        "benchmarks={tasks: [boolq, squadv2], limit: 3}",
        f"ifeval.file={files['prompts']}",
        f"chat={{pairwise: [{files['pairs']}], graded: [{files['talk']}], baseline: base}}",
        "judge={kind: scripted, script: longer}",
        "exam={questions: 3, constraints: 3}",
    )
