"""seeds: every form of file people keep tasks in, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from isheep.errors import RecipeError
from isheep.records import Task
from isheep.stages.seeds import SeedsSettings, read_tasks, run
from toy import context, write_lines

ALPACA = [
    {"instruction": "Count the words.", "input": "a b c", "output": "3"},
    {"instruction": "Name a colour.", "input": "", "output": "red"},
]
READ = [("Count the words.", "a b c", "3"), ("Name a colour.", "", "red")]


def seen(path: Path) -> list[tuple[str, str, str]]:
    tasks, problems = read_tasks(path)
    assert problems == []
    return [(task.instruction, task.input, task.output) for task in tasks]


def test_self_instruct_jsonl(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"seed_task_{i}",
            "name": f"n{i}",
            "instruction": row["instruction"],
            "instances": [{"input": row["input"], "output": row["output"]}],
            "is_classification": False,
        }
        for i, row in enumerate(ALPACA)
    ]
    path = write_lines(tmp_path / "seed_tasks.jsonl", rows)
    assert seen(path) == READ
    assert [task.id for task in read_tasks(path)[0]] == ["seed_task_0", "seed_task_1"]


def test_alpaca_jsonl(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "alpaca.jsonl", ALPACA)
    assert seen(path) == READ
    assert [task.id for task in read_tasks(path)[0]] == ["line_00001", "line_00002"]


@pytest.mark.parametrize("indent", [None, 2])
def test_alpaca_json(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "alpaca.json"
    path.write_text("\n" + json.dumps(ALPACA, indent=indent), encoding="utf-8")
    assert seen(path) == READ
    assert [task.id for task in read_tasks(path)[0]] == ["row_00001", "row_00002"]


def test_chat_jsonl(tmp_path: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Name a colour."},
                {"role": "assistant", "content": "red"},
            ]
        }
    ]
    assert seen(write_lines(tmp_path / "chat.jsonl", rows)) == [("Name a colour.", "", "red")]


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_folder_in_hub_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "hub" / "data"
    folder.mkdir(parents=True)
    datasets.Dataset.from_list(ALPACA).to_parquet(folder / f"{split}-00000-of-00001.parquet")
    assert seen(tmp_path / "hub") == READ


def test_a_folder_that_is_no_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "picture.bin").write_bytes(b"\0")
    with pytest.raises(RecipeError, match="is not a data set folder"):
        read_tasks(folder)


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c"])
def test_line_separators_inside_strings_do_not_break_a_line(tmp_path: Path, separator: str) -> None:
    row = {"instruction": f"one{separator}two"}
    text = json.dumps(row, ensure_ascii=separator in "\x0b\x0c")
    path = tmp_path / "a.jsonl"
    path.write_text(f"{text}\r\n{text}\r\n", encoding="utf-8", newline="")
    assert [instruction for instruction, _, _ in seen(path)] == [f"one{separator}two"] * 2


@pytest.mark.parametrize("text", [json.dumps(ALPACA), "".join(json.dumps(row) + "\n" for row in ALPACA)])
def test_a_byte_order_mark_does_no_harm(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8-sig")
    assert seen(path) == READ


def refusal(path: Path) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        list(run(context(SeedsSettings(), path.parent, files={"file": path})))
    assert caught.value.hint
    return caught.value


def test_bad_lines_are_named_with_number_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"instruction": "fine"}\n\n{"instruction": 3}\nnot json\n{"a": 1}\n', encoding="utf-8")
    assert refusal(path).message.split("\n") == [
        "mine.jsonl holds 3 rows that are not tasks:",
        "  line 3: 'instruction' must be text, found int",
        "  line 4: not JSON: Expecting value at column 1",
        "  line 5: no field 'instruction' (Alpaca, Self-Instruct) and no field 'messages' (chat)",
    ]


def test_one_bad_line_is_one_row(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("oops\n", encoding="utf-8")
    assert refusal(path).message.startswith("mine.jsonl holds 1 row that is not a task:\n  line 1: ")


def test_many_bad_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("oops\n" * 100, encoding="utf-8")
    lines = refusal(path).message.split("\n")
    assert len(lines) == 22
    assert lines[-1] == "  ... and 80 more"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]", b" "])
def test_a_file_without_tasks(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    assert refusal(path).message == "empty.jsonl holds no task"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"instruction": "größer"}\n'.encode("latin-1"), "not UTF-8 text: invalid"),
        (b"PAR1\xff\xfe", "not UTF-8 text: invalid"),
        (b'[{"instruction": "a"},\n oops]', "not JSON: Expecting value at line 2"),
        (b"[" * 100_000, "not JSON: "),
        (b'["a", 3]', "row 1: expected a JSON object, found str"),
        (b"[3", "not JSON: "),
        (b'{"id": "a", "instruction": "x"}\n{"id": "a", "instruction": "y"}', "id 'a' occurs twice"),
    ],
)
def test_a_file_that_is_no_task_file(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_bytes(content)
    assert said in refusal(path).message


def test_the_prefix_keeps_files_apart(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": "a", "instruction": "x"}]
    path = write_lines(tmp_path / "a.jsonl", rows)
    records = list(run(context(SeedsSettings(prefix="a:"), tmp_path, files={"file": path})))
    assert records == [Task("a:a", "x")]
