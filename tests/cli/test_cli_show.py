"""`isheep show`, `report`, `recipes` and `doctor`."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import yaml

from isheep.files import PACKAGE
from isheep.recipe import schema
from isheep.runs import Run, open_run
from isheep.view import visible
from said import Isheep


def test_show(isheep: Isheep, finished: Run) -> None:
    said = isheep("show", finished.name, "--store", str(finished.store.root), "--samples", "2")
    assert said.code == 0
    assert said.out.startswith(f"{finished.name}: recipe toy, model toy-base, complete\n")
    for part in (
        "scores in %",
        "funnel",
        "dropped, by reason",
        "not_in_best",
        "[0] kept  ",
        "[1] dropped: ",
    ):
        assert part in said.out
    assert said.out.count("[0] kept") == 2
    none = isheep("show", "last", "--store", str(finished.store.root), "--samples", "0")
    assert not re.search(r"\[\d\] (kept|dropped)", none.out)


def test_show_json_parses(isheep: Isheep, finished: Run) -> None:
    summary = json.loads(isheep("show", "--json", "--store", str(finished.store.root)).out)
    assert summary["run"] == finished.name
    for entry in summary["iterations"]:
        assert {"iteration", "scores", "instructions", "responses", "kept", "dropped", "assessment"} <= set(
            entry
        )


def test_show_verify_finds_one_flipped_byte(isheep: Isheep, tmp_path: Path) -> None:
    isheep("run", "toy.yaml", "--set", "iterations=1")
    fine = isheep("show", "--verify")
    assert (fine.code, fine.out) == (0, "14 artifacts checked, 0 problems\n")
    path = open_run("last").artifacts("responses")[0].path("pair.jsonl")
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    bad = isheep("show", "--verify")
    assert bad.code == 5
    assert re.match(r"responses\.0 \(\w{12}\): pair\.jsonl has other content", bad.err)
    assert bad.out.startswith("14 artifacts checked, ")


def test_show_of_an_unfinished_run(isheep: Isheep) -> None:
    isheep("run", "toy.yaml", "--set", "filter.threshold=9.99")
    said = isheep("show")
    assert said.code == 0
    assert "not complete" in said.out
    assert json.loads(isheep("show", "--json").out)["complete"] is False


def test_report_writes_the_page_again(isheep: Isheep, tmp_path: Path) -> None:
    isheep("run", "toy.yaml", "--set", "iterations=1")
    page = open_run("last").folder / "report.html"
    page.unlink()
    assert isheep("report").out.strip() == str(page)
    assert page.is_file()


def test_model_text_cannot_drive_the_terminal() -> None:
    text = "a\x1b[31mb\rc\u202ed\u2028e\x07f\ud800 é 🐑 [bold]"
    shown = visible(text)
    assert shown == "a\\x1b[31mb\\x0dc\\x202ed\\x2028e\\x07f\\xd800 é 🐑 [bold]"


# recipes


def test_recipes_are_listed(isheep: Isheep) -> None:
    said = isheep("recipes")
    for name in ("lamb", "fake", "one_gpu", "paper"):
        assert re.search(rf"^{name} +\S", said.out, re.MULTILINE)


def test_a_copy_speaks_of_itself_and_runs(isheep: Isheep, tmp_path: Path) -> None:
    said = isheep("recipes", "--copy", "fake", "my own.yaml")
    assert said.out == "my own.yaml\nrun it with: isheep run 'my own.yaml'\n"
    first, second, *_ = (tmp_path / "my own.yaml").read_text(encoding="utf-8").splitlines()
    assert first == "# isheep run 'my own.yaml'"
    assert second == f"# yaml-language-server: $schema={PACKAGE}/recipes/recipe.schema.json"
    assert isheep(*shlex.split(first.removeprefix("# isheep ")), "--set", "iterations=0").code == 0


def test_a_copy_of_each_recipe_loads(isheep: Isheep, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for path in sorted((PACKAGE / "recipes").glob("*.yaml")):
        assert isheep("recipes", "--copy", path.stem, "mine").code == 0
        copy = tmp_path / "mine" / path.name
        assert isheep("plan", str(copy)).code == 0
        assert yaml.safe_load(copy.read_text(encoding="utf-8"))["name"] == path.stem


def test_the_schema_is_printed(isheep: Isheep) -> None:
    printed = json.loads(isheep("recipes", "--schema").out)
    assert printed == schema()
    jsonschema.Draft202012Validator.check_schema(printed)


# doctor


def test_doctor(isheep: Isheep) -> None:
    said = isheep("doctor", "--store", "nowhere")
    assert said.code == 0
    for part in ("python", "device", "free disk", "will be made", "torch", "pydantic", "lm_eval"):
        assert part in said.out


def test_doctor_names_what_is_missing(isheep: Isheep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isheep.doctor.NEEDED", ("no-such-package-at-all", "pydantic"))
    said = isheep("doctor")
    assert said.code == 3
    assert re.search(r"no-such-package-at-all +missing +pip install isheep\b", said.out)


def test_doctor_offers_what_much_goes_without(isheep: Isheep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isheep.doctor.OPTIONAL", {"no-such-package-at-all": ("eval", "tests")})
    said = isheep("doctor")
    assert said.code == 0
    assert re.search(
        r"no-such-package-at-all +not installed +for tests: pip install 'isheep\[eval\]'", said.out
    )
    assert re.search(r"sandbox +network: \w+", said.out)
