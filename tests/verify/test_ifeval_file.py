"""The published file, in its own form: rows written for this test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from isheep.errors import RecipeError
from isheep.verify import demand
from isheep.verify.ifeval import FILE, IfevalPrompt, grade, needs_language, read_ifeval

ROW = {
    "key": 7,
    "prompt": "Name two rivers without a comma.",
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [{"num_words": None}, {"num_words": 2, "relation": "at least", "letter": None}],
}


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "prompts.jsonl"
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows), encoding="utf-8")
    return path


def test_read_with_nulls_dropped(tmp_path: Path) -> None:
    (found,) = read_ifeval(write(tmp_path, ROW, ""))
    words = demand("length_constraints:number_words", {"num_words": 2, "relation": "at least"})
    assert found == IfevalPrompt("7", ROW["prompt"], (demand("punctuation:no_comma", {}), words))  # type: ignore[arg-type]
    assert [(g.strict, g.loose) for g in grade(found, "Rhine, Elbe")] == [(False, False), (True, True)]
    assert not needs_language((found,))


def test_found_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path, ROW).rename(tmp_path / FILE)
    assert len(read_ifeval(tmp_path)) == 1


def test_a_byte_order_mark_and_a_line_separator_in_a_text_are_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    row = {
        **ROW,
        "prompt": "one\u2028two",
        "instruction_id_list": ["change_case:english_capital"],
        "kwargs": [{}],
    }
    path.write_text("\ufeff" + json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    found = read_ifeval(path)
    assert found[0].prompt == "one\u2028two"
    assert needs_language(found)


def test_all_mistakes_with_file_line_and_field(tmp_path: Path) -> None:
    zero = {**ROW, "key": 8, "kwargs": [{}, {"num_words": 0, "relation": "around"}]}
    path = write(
        tmp_path,
        ROW,
        "{",
        ROW,
        zero,
        {**ROW, "key": None, "prompt": " "},
        {**ROW, "key": 9, "kwargs": [{}]},
        {**ROW, "key": 10, "instruction_id_list": ["punctuation:nocomma", 3], "kwargs": [{}, []]},
        {"key": 11, "kwargs": []},
        "[1]",
        {**ROW, "key": 12, "instruction_id_list": []},
    )
    with pytest.raises(RecipeError) as error:
        read_ifeval(path)
    for said in (
        str(path),
        "line 2: not JSON",
        "line 3: key: 7 stands in the file twice",
        "line 4: kwargs[1]: length_constraints:number_words: `num_words` must be 1 or more, not 0",
        "line 4: kwargs[1]: length_constraints:number_words: `relation` must be",
        "line 5: key: must be a number or a name",
        "line 5: prompt: must be",
        "line 6: kwargs: must be a list of 2",
        "line 7: kwargs[0]: unknown instruction 'punctuation:nocomma'; did you mean",
        "line 7: kwargs[1]: must be an object",
        "line 8: prompt: is missing",
        "line 8: instruction_id_list: is missing",
        "line 9: must be a JSON object",
        "line 10: instruction_id_list: must be a list of at least one id",
    ):
        assert said in error.value.message
    assert "line 1:" not in error.value.message


def test_many_mistakes_are_counted(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"and 30 more"):
        read_ifeval(write(tmp_path, *["{"] * 50))


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "holds no prompt"), (b"\xff\xfe\x00", "not UTF-8"), (None, "No such file")]
)
def test_no_file_of_prompts(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "x.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError, match=said):
        read_ifeval(path)
