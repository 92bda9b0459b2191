"""Where local copies are looked for, and what is said when they are not there or not what they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark_rows import ROWS, write_all, write_rows
from isheep.benchmarks import BENCHMARKS, LocalData, find_data
from isheep.errors import RecipeError


def one(name: str, folder: Path, **given: Any) -> LocalData:
    (found,) = find_data([name], folder, **given)[name].values()
    return found


def test_every_benchmark_is_found_among_all(tmp_path: Path) -> None:
    found = find_data(list(BENCHMARKS), write_all(tmp_path))
    assert set(found) == set(BENCHMARKS)
    assert found["humaneval"][""].rows == (tmp_path / "HumanEval.jsonl.gz",)
    assert set(found["mmlu"]) == set(ROWS["mmlu"])
    assert found["mmlu"]["anatomy"].shots == (tmp_path / "mmlu" / "anatomy" / "dev.jsonl",)
    assert found["boolq"][""] == LocalData(
        "json", (tmp_path / "boolq.jsonl",), (tmp_path / "boolq" / "train.jsonl",)
    )
    assert found["piqa"][""].shots == ()


PLACES: dict[str, tuple[str, str]] = {
    "one file": ("piqa", "piqa.jsonl"),
    "gzip": ("piqa", "piqa.jsonl.gz"),
    "by split": ("piqa", "piqa/validation.jsonl"),
    "by split, gzip": ("piqa", "piqa/validation.jsonl.gz"),
    "snapshot": ("piqa", "baber/piqa/data/validation.jsonl"),
    "snapshot in a flat name": ("piqa", "baber__piqa/validation-00000.jsonl"),
    "snapshot of a configuration": ("arc_easy", "allenai/ai2_arc/ARC-Easy/test.jsonl"),
    "configuration and split folders": ("arc_easy", "allenai/ai2_arc/ARC-Easy/test/0000.jsonl"),
    "one file named after its configuration": ("gpqa_diamond", "Idavidrein/gpqa/gpqa_diamond.jsonl"),
    "one file of any name": ("ifeval_harness", "google/IFEval/ifeval_input_data.jsonl"),
    "the published file": ("ifeval_harness", "ifeval_input_data.jsonl"),
    "hub cache": ("winogrande", "datasets--allenai--winogrande/snapshots/ab1/winogrande_xl/validation.jsonl"),
}


@pytest.mark.parametrize("case", PLACES)
def test_accepted_places(tmp_path: Path, case: str) -> None:
    name, place = PLACES[case]
    file = write_rows(tmp_path / place, ROWS[name])
    assert one(name, tmp_path) == LocalData("json", (file,))


def test_parquet_and_shots_of_a_snapshot(tmp_path: Path) -> None:
    root = tmp_path / "tau" / "commonsense_qa" / "data"
    root.mkdir(parents=True)
    names = ("validation-00000-of-00002", "validation-00001-of-00002", "train-00000-of-00001", "test-00000")
    for name in names:
        (root / f"{name}.parquet").touch()  # only names are looked at here
    found = one("commonsense_qa", tmp_path, shots=3)
    assert found.reader == "parquet"
    assert [p.stem for p in found.rows] == list(names[:2])
    assert [p.stem for p in found.shots] == [names[2]]


def test_the_hub_cache_follows_its_own_reference(tmp_path: Path) -> None:
    cache = tmp_path / "datasets--baber--piqa"
    for revision in ("aa", "bb", "cc"):
        write_rows(cache / "snapshots" / revision / "validation.jsonl", ROWS["piqa"])
    assert "cc" in one("piqa", tmp_path).rows[0].parts
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("bb\n", encoding="utf-8")
    assert "bb" in one("piqa", tmp_path).rows[0].parts


def test_another_configurations_files_never_stand_in(tmp_path: Path) -> None:
    write_rows(tmp_path / "allenai/ai2_arc/ARC-Challenge/test.jsonl", ROWS["arc_challenge"])
    with pytest.raises(RecipeError, match="arc_easy: no file"):
        find_data(["arc_easy"], tmp_path)
    write_rows(tmp_path / "allenai/winogrande/winogrande_xs/validation.jsonl", ROWS["winogrande"])
    with pytest.raises(RecipeError, match="winogrande: no file"):
        find_data(["winogrande"], tmp_path)


def test_mmlu_in_one_file_and_by_subject(tmp_path: Path) -> None:
    rows = [{**row, "subject": subject} for subject, rows in ROWS["mmlu"].items() for row in rows]
    file = write_rows(tmp_path / "mmlu.jsonl", [*rows, {**rows[0], "subject": "sheep"}])
    found = find_data(["mmlu"], tmp_path)["mmlu"]
    assert found == {s: LocalData("json", (file,), (), s) for s in ("anatomy", "virology")}
    file.unlink()
    write_rows(file, [{**rows[0], "subject": "sheep"}])
    with pytest.raises(RecipeError, match="names no known subject"):
        find_data(["mmlu"], tmp_path)
    alone = write_rows(tmp_path / "mmlu" / "virology.jsonl", ROWS["mmlu"]["virology"])
    assert find_data(["mmlu"], tmp_path)["mmlu"] == {"virology": LocalData("json", (alone,))}


def _without(field: str) -> Callable[[Path], object]:
    row = {k: v for k, v in ROWS["piqa"][0].items() if k != field}
    return lambda path: write_rows(path, [row])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a field is missing": (_without("sol2"), "lacks the fields sol2; it has goal, sol1, label"),
    "nothing in it": (lambda path: path.write_text("\n\n"), "is empty"),
    "no JSON": (lambda path: path.write_text("goal,sol1\n"), "cannot be read"),
    "nested too deep": (lambda path: path.write_text("[" * 100_000), "cannot be read"),
    "a list": (lambda path: path.write_text("[1, 2]\n"), "but a list"),
    "not text": (lambda path: path.write_bytes(b"\xff\xfe{}"), "cannot be read"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, case: str) -> None:
    write, words = BROKEN[case]
    write(tmp_path / "piqa.jsonl")
    with pytest.raises(RecipeError) as caught:
        find_data(["piqa"], tmp_path)
    assert f"piqa: {tmp_path / 'piqa.jsonl'}" in caught.value.message
    assert words in caught.value.message


def test_a_torn_gzip_and_missing_files_are_told_together(tmp_path: Path) -> None:
    whole = write_rows(tmp_path / "piqa.jsonl.gz", ROWS["piqa"]).read_bytes()
    (tmp_path / "piqa.jsonl.gz").write_bytes(whole[:40])
    with pytest.raises(RecipeError) as caught:
        find_data(["piqa", "squadv2", "mmlu"], tmp_path)
    lines = caught.value.message.splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["piqa", "squadv2", "mmlu"]
    for path in ("squadv2.jsonl[.gz]", "squadv2/validation.jsonl[.gz]", "lighteval/squad_v2", "mmlu.jsonl"):
        assert str(tmp_path / path) in caught.value.message


def test_examples_need_rows_to_be_taken_from(tmp_path: Path) -> None:
    write_all(tmp_path)
    assert one("piqa", tmp_path, shots=0).shots == ()
    assert find_data(["boolq", "mmlu", "mbpp", "gpqa_diamond"], tmp_path, 5)
    with pytest.raises(RecipeError, match="piqa: examples are to be shown, but there is no train split"):
        find_data(["piqa", "boolq"], tmp_path, 5)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="is no folder"):
        find_data(["piqa"], tmp_path / "nowhere")


def test_rows_in_the_documentation_are_accepted(tmp_path: Path) -> None:
    """docs/benchmarks.md shows one row of each benchmark; each is used here as it stands there."""
    text = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    shown: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("### `"):
            name = line.split("`")[1]
        elif line.startswith("{") and name:
            shown.setdefault(name, line)
    assert set(shown) == set(BENCHMARKS)
    for name, line in shown.items():
        row = json.loads(line)
        write_rows(tmp_path / (f"{name}.jsonl" if name != "mmlu" else "mmlu/anatomy.jsonl"), [row])
    assert set(find_data(list(BENCHMARKS), tmp_path)) == set(BENCHMARKS)
