"""Where named files are: what is shipped, and what a path points to."""

from __future__ import annotations

from pathlib import Path

import pytest

from isheep.files import LAMB_MODEL, PACKAGE, is_folder, locate, model_path, shipped


def test_shipped_names() -> None:
    assert {"general", "lamb"} <= set(shipped("seeds", ".jsonl"))
    assert {"general", "lamb"} <= set(shipped("prompts", "/instructions.txt"))
    assert {"combined", "lamb"} <= set(shipped("prompts/judge", "/quality.txt"))
    for name, path in shipped("prompts", "/instructions.txt").items():
        assert path == PACKAGE / "prompts" / name / "instructions.txt"
        assert path.is_file()


def test_a_path_a_neighbour_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, first, second = tmp_path / "here", tmp_path / "first", tmp_path / "second"
    for folder in (here, first, second):
        folder.mkdir()
    monkeypatch.chdir(here)
    (second / "a.jsonl").write_text("2")
    assert locate("a.jsonl", "seeds", ".jsonl", (first, second)) == second / "a.jsonl"
    (first / "a.jsonl").write_text("1")
    assert locate("a.jsonl", "seeds", ".jsonl", (first, second)) == first / "a.jsonl"
    (here / "a.jsonl").write_text("0")
    assert locate("a.jsonl", "seeds", ".jsonl", (first, second)) == here / "a.jsonl"
    assert locate(str(second / "a.jsonl"), "seeds", ".jsonl") == second / "a.jsonl"
    assert locate("general", "seeds", ".jsonl", (first,)) == PACKAGE / "seeds" / "general.jsonl"


def test_a_shipped_name_is_not_hidden_by_a_file_that_lies_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "general").write_text("mine")
    assert locate("general", "seeds", ".jsonl") == PACKAGE / "seeds" / "general.jsonl"
    assert locate("./general", "seeds", ".jsonl") == tmp_path / "general"


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.jsonl").write_text("")
    assert locate("~/a.jsonl", "seeds", ".jsonl") == tmp_path / "a.jsonl"
    assert is_folder("~")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("genral", "no file 'genral'; did you mean 'general'?"),
        ("zzz", "no file 'zzz'; shipped names: general, lamb"),
        ("x" * 5000, "is no path: File name too long"),
        ("~nobody-of-this-name/a", "is no path: "),
        ("a\0b", "no file"),
        ("", "no file ''"),
    ],
)
def test_what_is_not_there_is_said_in_words(name: str, said: str) -> None:
    found = locate(name, "seeds", ".jsonl")
    assert isinstance(found, str)
    assert said in found
    assert name == "" or not is_folder(name)


def test_a_folder_wants_a_slash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert locate("mine", "seeds", ".jsonl") == "no file 'mine'; for the folder write './mine'"
    assert locate("./mine", "seeds", ".jsonl") == tmp_path / "mine"


def test_model_path() -> None:
    assert model_path("lamb") == str(LAMB_MODEL)
    assert model_path("Qwen/Qwen1.5-7B") == "Qwen/Qwen1.5-7B"
