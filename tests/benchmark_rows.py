"""Rows of all fixed benchmarks in the form they are published in, written for the tests; and where they are put."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LETTERS = ["A", "B", "C", "D", "E"]
_MEADOW = "A ewe and her lamb live on the wide meadow behind the mill. The shepherd counts them at dusk."


def _options(texts: Sequence[str]) -> dict[str, list[str]]:
    return {"text": list(texts), "label": LETTERS[: len(texts)]}


def _science(id: str, question: str, texts: Sequence[str], key: str) -> dict[str, Any]:
    return {"id": id, "question": question, "choices": _options(texts), "answerKey": key}


def _gpqa(question: str, *options: str) -> dict[str, str]:
    names = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
    return {"Question": question, **dict(zip(names, options, strict=True))}


def _squad(id: str, question: str, texts: Sequence[str]) -> dict[str, Any]:
    starts = [_MEADOW.index(text) for text in texts]
    answers = {"text": list(texts), "answer_start": starts}
    return {"id": id, "title": "Meadow", "context": _MEADOW, "question": question, "answers": answers}


def _human(number: int, name: str, does: str, check: str) -> dict[str, str]:
    return {
        "task_id": f"HumanEval/{number}",
        "prompt": f'def {name}(x):\n    """{does}"""\n',
        "canonical_solution": "    return x\n",
        "test": f"def check(candidate):\n    assert {check}\n",
        "entry_point": name,
    }


def _wino(sentence: str, option1: str, option2: str, answer: str) -> dict[str, str]:
    return {"sentence": sentence, "option1": option1, "option2": option2, "answer": answer}


def _mmlu(question: str, answer: int) -> dict[str, Any]:
    return {"question": question, "choices": ["wool", "milk", "grass", "rain"], "answer": answer}


_HUMAN = [
    _human(0, "same", "Give back x.", "candidate(3) == 3"),
    _human(1, "double", "Twice x.", "candidate(3) == 6"),
]

#: benchmark -> two or more rows; of mmlu by subject.
ROWS: Mapping[str, Any] = {
    "ifeval_harness": [
        {
            "key": 1,
            "prompt": "Describe a sheep without any commas, in at least 0 sentences.",
            "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_sentences"],
            "kwargs": [{}, {"num_sentences": 0, "relation": "at least"}],
        },
        {
            "key": 2,
            "prompt": "Write at most one sentence about wool in English.",
            "instruction_id_list": ["language:response_language"],
            "kwargs": [{"language": "en"}],
        },
    ],
    "boolq": [
        {"question": "does the lamb live on the meadow", "passage": _MEADOW, "idx": 0, "label": 1},
        {"question": "is the mill on a hill", "passage": _MEADOW, "idx": 1, "label": 0},
        {"question": "do goats climb", "passage": "Goats climb where sheep will not go.", "idx": 2, "label": 1},
    ],
    "piqa": [
        {"goal": "Dry a wet fleece.", "sol1": "Hang it in the wind.", "sol2": "Put it in the well.", "label": 0},
        {"goal": "Call a sheep dog.", "sol1": "Close the gate.", "sol2": "Whistle twice.", "label": 1},
    ],
    "social_iqa": [
        {
            "context": "Ada found a lost lamb.",
            "question": "What will Ada do next?",
            "answerA": "look for its mother",
            "answerB": "go swimming",
            "answerC": "sell her hat",
            "label": "1",
        },
        {
            "context": "Ben shared his bread.",
            "question": "How would you describe Ben?",
            "answerA": "sleepy",
            "answerB": "generous",
            "answerC": "late",
            "label": "2",
        },
    ],
    "gpqa_diamond": [
        _gpqa("Which gas do sheep breathe out most?", "nitrogen", "oxygen", "argon", "helium"),
        _gpqa("How many stomach chambers has a sheep?", "four", "one", "two", "six"),
        _gpqa("What is lanolin?", "a wax", "a salt", "a metal", "a gas"),
    ],
    "hellaswag": [
        {
            "activity_label": "Shearing sheep",
            "ctx_a": "A man holds a sheep.",
            "ctx_b": "he",
            "ctx": "A man holds a sheep. he",
            "endings": ["cuts its wool.", "eats the sky.", "sings to a boat.", "paints a door."],
            "label": "0",
        },
        {
            "activity_label": "Baking bread",
            "ctx_a": "She kneads the dough.",
            "ctx_b": "then she",
            "ctx": "She kneads the dough. then she",
            "endings": ["flies.", "lets it rest.", "reads it a law.", "sells the sea."],
            "label": "1",
        },
    ],
    "winogrande": [
        _wino("The dog chased the sheep because _ was bored.", "the dog", "the sheep", "1"),
        _wino("The fleece did not fit in the sack as _ was small.", "the fleece", "the sack", "2"),
    ],
    "arc_easy": [
        _science("e1", "What do sheep eat?", ["grass", "stones", "iron", "glass"], "A"),
        _science("e2", "What gives light by day?", ["the moon", "the sun", "a well", "a root"], "B"),
    ],
    "arc_challenge": [
        _science("c1", "Why is wool warm?", ["it holds air", "it is heavy", "it is white", "it is wet"], "A"),
        _science("c2", "What makes dew?", ["wind", "sand", "cooling air", "noise"], "C"),
    ],
    "openbookqa_fact": [
        {
            "id": "o1",
            "question_stem": "A lamb drinks",
            "choices": _options(["milk", "oil", "sand", "ink"]),
            "answerKey": "A",
            "fact1": "young mammals drink milk",
        },
        {
            "id": "o2",
            "question_stem": "Wool grows on",
            "choices": _options(["trees", "sheep", "walls", "fish"]),
            "answerKey": "B",
            "fact1": "sheep have wool",
        },
    ],
    "commonsense_qa": [
        _science("q1", "Where does a flock sleep?", ["fold", "oven", "drawer", "cloud", "cup"], "A"),
        _science("q2", "What opens a gate?", ["soup", "song", "latch", "rain", "bread"], "C"),
    ],
    "mmlu": {
        "anatomy": [_mmlu("What covers a sheep?", 0), _mmlu("What does an udder hold?", 1)],
        "virology": [_mmlu("What do viruses not eat?", 2), _mmlu("What wets the meadow?", 3)],
    },
    "humaneval": _HUMAN,
    "humaneval_plus": _HUMAN,
    "mbpp": [
        {
            "task_id": number,
            "text": f"Write a function to add {n} to a number.",
            "code": f"def add(x):\n    return x + {n}",
            "test_list": [f"assert add({k}) == {k + n}" for k in range(3)],
            "test_setup_code": "",
            "challenge_test_list": [],
        }
        for number, n in ((11, 1), (12, 2), (600, 3))
    ],
    "nq_open": [
        {"question": "what do sheep give", "answer": ["wool", "milk"]},
        {"question": "who counts the flock", "answer": ["the shepherd"]},
    ],
    "triviaqa": [
        {"question": "What is a young sheep called", "answer": {"value": "lamb", "aliases": ["lamb", "a lamb"]}},
        {"question": "What is sheep meat called", "answer": {"value": "mutton", "aliases": ["mutton"]}},
    ],
    "squadv2": [
        _squad("s1", "Where do they live?", ["the wide meadow", "on the wide meadow"]),
        _squad("s2", "Who built the mill?", []),
    ],
}  # fmt: skip

#: Documents asked of each: mbpp's row 600 is no test problem.
ASKED = {name: len(rows) if name != "mmlu" else 4 for name, rows in ROWS.items()} | {"mbpp": 2}


def write_rows(path: Path, rows: Sequence[Any]) -> Path:
    """JSON lines, gzipped where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def write_snapshots(folder: Path) -> Path:
    """Two benchmarks as the hub keeps them: hellaswag in parquet, gpqa_diamond in CSV."""
    import csv

    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "Rowan" / "hellaswag" / "data").mkdir(parents=True)
    table = pa.Table.from_pylist(ROWS["hellaswag"])
    pq.write_table(table, folder / "Rowan/hellaswag/data/validation-00000-of-00001.parquet")
    (folder / "hellaswag.jsonl").unlink()
    (folder / "Idavidrein" / "gpqa").mkdir(parents=True)
    with (folder / "Idavidrein/gpqa/gpqa_diamond.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS["gpqa_diamond"][0]))
        writer.writeheader()
        writer.writerows(ROWS["gpqa_diamond"])
    (folder / "gpqa_diamond.jsonl").unlink()
    return folder


def write_all(folder: Path) -> Path:
    """Every benchmark's rows, in a mixture of the accepted places; training rows for boolq and mmlu."""
    split = {"piqa": "validation", "social_iqa": "validation", "arc_easy": "test"}
    for name, rows in ROWS.items():
        if name == "mmlu":
            for subject, questions in rows.items():
                write_rows(folder / "mmlu" / subject / "test.jsonl", questions)
                write_rows(folder / "mmlu" / subject / "dev.jsonl", questions[::-1])
        elif name == "humaneval":
            write_rows(folder / "HumanEval.jsonl.gz", rows)
        elif name in split:
            write_rows(folder / name / f"{split[name]}.jsonl", rows)
        else:
            write_rows(folder / f"{name}.jsonl", rows)
    write_rows(folder / "boolq" / "train.jsonl", ROWS["boolq"])
    return folder
