"""questions and contamination: a planted leak is found wherever it is planted, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.backends.outside import Examination
from isheep.records import Instruction, Leak, Measure, Question, Record, Task
from isheep.stages import contamination, questions
from isheep.stages.contamination import ContaminationSettings
from isheep.stages.questions import QuestionsSettings
from isheep.stages.stage import Context
from toy import context, pair, whole, write_lines

PROMPT = "List the seven bridges of our town by age, the oldest first, and say for each of them who built it and why."
ANSWER = "The oldest is the Mill Bridge, which the miller Hans Kolb paid for in 1621 after his cart fell into the Itz."
SHORT = "Which of the seven bridges is the oldest?"
QUESTIONS = [
    Question("ifeval/1", "ifeval", "1", PROMPT),
    Question("squad/2", "squad", "2", "Who paid?", ANSWER),
    Question("tests/tests:1", "tests", "tests:1", SHORT, "Mill Bridge"),
]


def instruction(id: str, text: str, input: str = "", reason: str | None = None) -> Instruction:
    return Instruction(id, text, input, (), "c", reason)


SEEDS = [Task("s1", "Name a red fruit.", "", "apple"), Task("s2", "Continue.", PROMPT.upper(), "")]
INSTRUCTIONS = [
    instruction("0.0.00", "Describe a bridge."),
    instruction("0.0.01", PROMPT.replace(",", "!").lower()),
    instruction("0.0.02", PROMPT, reason="near_duplicate"),
    instruction("0.0.03", "Say it:", SHORT),
]
PAIRS = [
    pair("0.0.00", f"Well... {ANSWER.upper()}"),
    pair("0.0.01", " ".join(ANSWER.split()[:12])),
    pair("0.0.03", "Mill Bridge"),
]


def ctx_for(
    folder: Path, journal: Sequence[Record] = (), given: Sequence[Question] = QUESTIONS, **rest: Any
) -> Context[Any]:
    inputs: dict[str, Sequence[Record]] = {
        "questions": given, "seeds": SEEDS, "instructions": INSTRUCTIONS, "responses": PAIRS,
    }  # fmt: skip
    settings = rest.pop("settings", ContaminationSettings())
    return context(settings, folder, {**inputs, **rest.pop("inputs", {})}, journal, **rest)


def told(ctx: Context[Any]) -> tuple[dict[str, Leak], dict[str, float | None]]:
    made = list(contamination.run(ctx))
    assert len({(type(r), r.id) for r in made}) == len(made)
    measures = {r.id: r.value for r in made if isinstance(r, Measure)}
    return {r.id: r for r in made if isinstance(r, Leak)}, measures


def test_planted_leaks_are_found_and_nothing_else(tmp_path: Path) -> None:
    notes: list[str] = []
    leaks, measures = told(ctx_for(tmp_path, note=notes.append))
    assert leaks.keys() == {
        "seed/s2/ifeval/1",
        "instruction/0.0.01/ifeval/1",
        "instruction/0.0.03/tests/tests:1",
        "response/0.0.00/squad/2",
    }
    one = leaks["response/0.0.00/squad/2"]
    assert (one.where, one.source, one.question, one.task) == ("response", "0.0.00", "squad/2", "squad")
    assert (one.kind, one.match.split()[:3]) == ("ngram", ["the", "oldest", "is"])
    assert leaks["instruction/0.0.03/tests/tests:1"].kind == "exact"
    assert measures == {
        "questions": 3.0,
        "seed/checked": 2.0, "seed/flagged": 1.0,
        "instruction/checked": 3.0, "instruction/flagged": 2.0,
        "response/checked": 3.0, "response/flagged": 1.0,
    }  # fmt: skip
    assert notes == [
        "1 of 2 seeds, 2 of 3 instructions, 1 of 3 responses share 13 words or a whole prompt with a benchmark"
    ]


def test_n_is_the_settings(tmp_path: Path) -> None:
    leaks, _ = told(ctx_for(tmp_path, settings=ContaminationSettings(n=12)))
    assert "response/0.0.01/squad/2" in leaks


def test_a_seed_is_looked_at_with_and_without_its_output(tmp_path: Path) -> None:
    seeds = [Task("a", "Who paid?", "", "The miller"), Task("b", "Say on:", "The oldest", ANSWER[15:])]
    leaks, measures = told(ctx_for(tmp_path, inputs={"seeds": seeds}))
    assert leaks["seed/a/squad/2"].kind == "exact"
    assert leaks["seed/b/squad/2"].kind == "ngram"
    assert measures["seed/checked"] == 2.0


def test_where_nothing_leaked_nothing_is_noted(tmp_path: Path) -> None:
    notes: list[str] = []
    leaks, measures = told(ctx_for(tmp_path, given=[], note=notes.append))
    assert (leaks, notes) == ({}, [])
    assert measures["questions"] == measures["response/flagged"] == 0.0


def test_an_interruption_anywhere_changes_nothing(tmp_path: Path) -> None:
    assert len(whole(contamination.run, lambda journal: ctx_for(tmp_path, journal))) == 4 + 7


# questions


def asked(folder: Path, settings: QuestionsSettings, **rest: Any) -> list[Question]:
    made = whole(
        questions.run,
        lambda journal: context(settings, folder, rest.get("inputs"), journal, **rest.get("more", {})),
    )
    assert all(isinstance(record, Question) for record in made)
    return [record for record in made if isinstance(record, Question)]


def test_questions_of_exact_match_tests(tmp_path: Path) -> None:
    tests = [
        Task("lamb:1", "Add.", "2 and 3", "5", ("5", "five")),
        Task("lamb:2", "Name a bird.", "", "", ("owl", "hen")),
        Task("other:1", "Explain."),
    ]
    assert asked(tmp_path, QuestionsSettings(), inputs={"tests": tests}) == [
        Question("lamb/lamb:1", "lamb", "lamb:1", "Add.\n2 and 3", "5"),
        Question("lamb/lamb:2", "lamb", "lamb:2", "Name a bird.", "owl"),
        Question("other/other:1", "other", "other:1", "Explain.", ""),
    ]


@pytest.mark.parametrize(("limit", "count"), [(None, 2), (1, 1)])
def test_questions_of_ifeval(tmp_path: Path, limit: int | None, count: int) -> None:
    rows = [
        {
            "key": n,
            "prompt": f"Say {n} without commas.",
            "instruction_id_list": ["punctuation:no_comma"],
            "kwargs": [{}],
        }
        for n in (7, 8)
    ]
    path = write_lines(tmp_path / "ifeval_input_data.jsonl", rows)
    found = asked(tmp_path, QuestionsSettings(ifeval="x", limit=limit), more={"files": {"ifeval": path}})
    assert found == [
        Question(f"ifeval/{n}", "ifeval", str(n), f"Say {n} without commas.") for n in (7, 8)[:count]
    ]


def test_questions_of_alpaca_eval_with_the_baselines_answers(tmp_path: Path) -> None:
    path = tmp_path / "alpaca_eval.json"
    path.write_text(json.dumps([{"instruction": "Name a bird.", "output": "An owl.", "generator": "g"}]))
    found = asked(tmp_path, QuestionsSettings(chat="x"), more={"files": {"chat": path}})
    assert found == [Question("alpaca_eval/0001/1", "alpaca_eval", "0001", "Name a bird.", "An owl.")]


def test_questions_of_mt_bench_are_its_turns(tmp_path: Path) -> None:
    rows = [
        {
            "question_id": 1,
            "category": "math",
            "turns": ["One and one?", "And one more?"],
            "reference": ["2", "3"],
        },
        {"question_id": 2, "category": "writing", "turns": ["Write.", "Again."]},
    ]
    path = write_lines(tmp_path / "question.jsonl", rows)
    files = {"chat": path}
    found = asked(tmp_path, QuestionsSettings(chat="x"), more={"files": files})
    assert [(q.id, q.task, q.prompt, q.text, q.answer) for q in found] == [
        ("mt_bench/1/1", "mt_bench", "1", "One and one?", "2"),
        ("mt_bench/1/2", "mt_bench", "1", "And one more?", "3"),
        ("mt_bench/2/1", "mt_bench", "2", "Write.", ""),
        ("mt_bench/2/2", "mt_bench", "2", "Again.", ""),
    ]
    references = write_lines(tmp_path / "references.jsonl", [{"id": "2", "references": ["A text."]}])
    files["references"] = references
    found = asked(tmp_path, QuestionsSettings(chat="x", references="y"), more={"files": files})
    assert [q.answer for q in found] == ["2", "3", "A text.", ""]


class Examiner:
    """Tells two questions, and what it was asked."""

    def __init__(self) -> None:
        self.what: Examination | None = None

    def questions(self, what: Examination) -> Iterator[Question]:
        self.what = what
        for n in range(2):
            yield Question(f"piqa/{n}", "piqa", str(n), f"question {n}", f"answer {n}")


def test_questions_of_the_harness_come_from_the_examiner(tmp_path: Path) -> None:
    examiner = Examiner()
    found = asked(
        tmp_path,
        QuestionsSettings(benchmarks=("piqa",), data_dir="x", limit=3),
        more={"files": {"data_dir": tmp_path}, "open_examiner": lambda: examiner},
    )
    assert [q.id for q in found] == ["piqa/0", "piqa/1"]
    assert examiner.what == Examination(("piqa",), tmp_path, 3)


def test_no_examiner_is_opened_for_other_sources(tmp_path: Path) -> None:
    def never() -> Any:
        raise AssertionError("opened")

    assert asked(tmp_path, QuestionsSettings(), more={"open_examiner": never}) == []
