"""What the harness leaves to chance or to the network, and that it does so no longer: each pin beside its absence.

The harness is imported and patched in a process of its own, which reports what it saw.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = r"""
import json, random, sys
import evaluate, langdetect, nltk
nltk.data.path[:] = []  # whatever this machine happens to have
asked = []
nltk.download = lambda *a, **k: asked.append(a)
facts = {}

TEXT = "sheep lamb 12 wolle grün lana meadow"
def languages():
    return sorted({langdetect.detect(TEXT) for _ in range(60)})
facts["languages before"] = languages()
try:
    import lm_eval.tasks.humaneval.utils
    facts["code_eval before"] = "found"
except Exception as error:
    facts["code_eval before"] = type(error).__name__

from isheep.backends import lm_eval_pins as pins
pins.apply()
facts["downloads"] = asked
facts["languages after"] = languages()
import lm_eval.tasks.humaneval.utils, lm_eval.tasks.mbpp.utils
facts["examples of mbpp"] = len(lm_eval.tasks.mbpp.utils.list_fewshot_samples())

from lm_eval.tasks.ifeval import instructions_util, utils
def attempt(work):
    try:
        return work()
    except LookupError:
        return "LookupError"
facts["sentences before"] = attempt(lambda: len(instructions_util._get_sentence_tokenizer().tokenize("One. Two.")))
facts["sentences after"] = attempt(lambda: instructions_util.count_sentences("One. Dr. Two is here. Three?"))
facts["words after"] = attempt(lambda: instructions_util.nltk.word_tokenize("SHEEP eat. GRASS grows."))

def ifeval(check, name, arguments, response):
    doc = {"key": 1, "prompt": "p", "instruction_id_list": [name], "kwargs": [arguments]}
    random.seed(len(seen)); seen.append(1)
    return check(doc, [response])["prompt_level_strict_acc"]
seen = []
BULLETS = ("detectable_format:number_bullet_lists", {"num_bullets": 0}, "No list at all.")
facts["zero before"] = sorted({ifeval(utils.process_results, *BULLETS) for _ in range(5)})
facts["zero after"] = sorted({ifeval(pins.ifeval_results, *BULLETS) for _ in range(5)})
DRAWN = ("keywords:letter_frequency", {"let_frequency": 2, "let_relation": "at least", "letter": None}, "eel eel etui")
facts["drawn before"] = sorted({ifeval(utils.process_results, *DRAWN) for _ in range(60)})
facts["drawn after"] = sorted({ifeval(pins.ifeval_results, *DRAWN) for _ in range(60)})

import datasets
from lm_eval.tasks.gpqa.zeroshot.utils import process_docs
rows = [{"Question": f"Question {n}?", "Correct Answer": f"right {n}",
         **{f"Incorrect Answer {k}": f"wrong {n} {k}" for k in (1, 2, 3)}} for n in range(12)]
def orders(work, rows):
    found = work(datasets.Dataset.from_list(rows))
    return [[row[f"choice{k}"] for k in (1, 2, 3, 4)] + [row["answer"]] for row in found]
def seeded(work, seed):
    random.seed(seed)
    return orders(work, rows)
facts["gpqa before"] = seeded(process_docs, 1) == seeded(lambda d: process_docs(d.add_column("x", [0] * 12)), 2)
facts["gpqa after"] = seeded(pins.gpqa_docs, 1) == seeded(pins.gpqa_docs, 2) == orders(pins.gpqa_docs, rows[::-1])[::-1]
facts["gpqa right"] = [o["ABCD".index(o[4][1])] == f"right {n}" for n, o in enumerate(seeded(pins.gpqa_docs, 1))]
facts["gpqa places"] = sorted({o[4] for o in seeded(pins.gpqa_docs, 1)})
ids = datasets.Dataset.from_list([{"task_id": n} for n in (2, 10, 11, 510, 511)])
facts["mbpp"] = pins.mbpp_docs(ids)["task_id"][:]
print("facts " + json.dumps(facts))
"""


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("facts "))
    found: dict[str, Any] = json.loads(line.removeprefix("facts "))
    return found


def test_language_detection_is_seeded(facts: dict[str, Any]) -> None:
    assert len(facts["languages before"]) > 1
    assert len(facts["languages after"]) == 1


def test_zero_arguments_are_kept_and_missing_ones_drawn_by_the_prompt(facts: dict[str, Any]) -> None:
    assert facts["zero before"] == [False]  # some other number of bullets was wanted
    assert facts["zero after"] == [True]
    assert facts["drawn before"] == [False, True]
    assert len(facts["drawn after"]) == 1


def test_sentences_and_words_need_no_download(facts: dict[str, Any]) -> None:
    assert facts["downloads"] == []
    assert facts["sentences before"] == "LookupError"
    assert facts["sentences after"] == 3
    assert facts["words after"] == ["SHEEP", "eat.", "GRASS", "grows", "."]


def test_options_of_gpqa_lie_in_an_order_of_their_own(facts: dict[str, Any]) -> None:
    assert not facts["gpqa before"]
    assert facts["gpqa after"]
    assert all(facts["gpqa right"])
    assert len(facts["gpqa places"]) > 1


def test_code_tasks_load_without_the_hub(facts: dict[str, Any]) -> None:
    assert facts["code_eval before"] != "found"
    assert facts["examples of mbpp"] == 3
    assert facts["mbpp"] == [11, 510]
