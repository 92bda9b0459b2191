"""The shipped seed tasks, `src/isheep/seeds/general.jsonl`: complete, distinct, varied, plain text."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from rapidfuzz.distance import Indel

SEEDS = Path(__file__).parents[1] / "src" / "isheep" / "seeds" / "general.jsonl"
FIELDS = ["id", "category", "instruction", "input", "output"]
NOT_TEXT = re.compile(
    r"\b(image|picture|photo|video|audio|graph|plot|draw|map|file|music|flowchart|diagram)s?\b", re.IGNORECASE
)
AS_A_MACHINE = re.compile(r"\bas an AI\b|language model", re.IGNORECASE)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@pytest.fixture(scope="module")
def tasks() -> list[dict[str, str]]:
    return [json.loads(line) for line in SEEDS.read_text(encoding="utf-8").splitlines()]


def test_there_are_175_numbered_tasks(tasks: list[dict[str, str]]) -> None:
    assert [task["id"] for task in tasks] == [f"general_{n:03}" for n in range(1, 176)]


def test_every_task_has_the_fields_in_order_and_clean_text(tasks: list[dict[str, str]]) -> None:
    for task in tasks:
        assert list(task) == FIELDS
        assert all(isinstance(value, str) for value in task.values())
        assert all(task[field] for field in FIELDS if field != "input"), task["id"]
        for value in task.values():
            assert value == value.strip(), task["id"]
            assert not re.search(r"[ \t]\n", value), task["id"]


def test_instructions_are_one_paragraph_that_the_heuristics_keep(tasks: list[dict[str, str]]) -> None:
    for task in tasks:
        instruction = task["instruction"]
        assert "\n" not in instruction, task["id"]
        assert 4 <= len(instruction.split()) <= 60, task["id"]
        assert instruction[0].isalnum(), task["id"]
        assert not NOT_TEXT.search(instruction), task["id"]


def test_no_two_instructions_are_alike(tasks: list[dict[str, str]]) -> None:
    for one, other in combinations(tasks, 2):
        likeness = Indel.normalized_similarity(words(one["instruction"]), words(other["instruction"]))
        assert likeness < 0.7, (one["id"], other["id"])


def test_categories_and_inputs_are_spread(tasks: list[dict[str, str]]) -> None:
    sizes = Counter(task["category"] for task in tasks)
    assert len(sizes) >= 12
    assert all(8 <= size <= 15 for size in sizes.values()), sizes
    assert 0.35 <= sum(bool(task["input"]) for task in tasks) / len(tasks) <= 0.65


def test_no_answer_speaks_as_a_machine(tasks: list[dict[str, str]]) -> None:
    assert not [task["id"] for task in tasks if AS_A_MACHINE.search(task["output"])]
