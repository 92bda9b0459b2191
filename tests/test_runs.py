"""How runs are named, found and written down; and the public face of the package."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import isheep
from isheep.errors import StoreError
from isheep.plan import make_plan
from isheep.runs import Run, default_name, open_run, register
from isheep.step import Event
from isheep.store import Store
from isheep.walk import run
from toy import toy

# named runs


def named(folder: Path, name: str | None, *overrides: str) -> Run:
    """Only written down, nothing done."""
    return register(make_plan(toy(folder, *overrides)), Store(folder / "store"), name)


def test_the_default_name_stands_for_the_keys(tmp_path: Path) -> None:
    plan = make_plan(toy(tmp_path))
    assert default_name(plan).startswith("toy-seed0-")
    assert default_name(plan) == default_name(make_plan(toy(tmp_path, "runtime.batch_size=3")))
    assert default_name(plan) != default_name(make_plan(toy(tmp_path, "responses.max_tokens=9")))
    assert default_name(make_plan(toy(tmp_path, seed=5))).startswith("toy-seed5-")


def test_a_run_is_found_by_name_beginning_and_last(tmp_path: Path) -> None:
    for n, name in enumerate(("alpha-1", "alpha-2", "beta")):
        made = named(tmp_path, name)
        os.utime(made.folder / "run.json", (n, n))
    store = tmp_path / "store"
    assert open_run("alpha-1", store).name == "alpha-1"
    assert open_run("alpha", store).name == "alpha-2", "the newest of several"
    assert open_run("b", store).name == "beta"
    assert open_run("last", store).name == "beta"
    assert open_run("beta", str(store)).steps == named(tmp_path, "x").steps


def test_an_exact_name_goes_before_a_beginning(tmp_path: Path) -> None:
    for n, name in enumerate(("a", "a-1")):
        os.utime(named(tmp_path, name).folder / "run.json", (n, n))
    assert open_run("a", tmp_path / "store").name == "a"


@pytest.mark.parametrize(
    "name",
    ["nope", "..", ".", "../store", "/etc", "alpha/..", "*", "[a]*", "a\0b", "x" * 300, "../runs/alpha"],
)
def test_a_run_that_is_not_there(tmp_path: Path, name: str) -> None:
    named(tmp_path, "alpha")
    with pytest.raises(StoreError) as caught:
        open_run(name, tmp_path / "store")
    assert f"no run {name!r}" in caught.value.message
    assert caught.value.hint == "runs here: alpha; --store names another store"


def test_no_store_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        open_run("last", tmp_path / "nowhere")
    assert caught.value.hint.startswith("runs here: none")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", " ", "a b", "é", "x" * 129, "last"])
def test_names_a_run_cannot_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot name a run"):
        named(tmp_path, name)
    assert not (tmp_path / "store").exists()


def test_a_name_used_for_other_settings_keeps_its_old_list_beside_it(tmp_path: Path) -> None:
    first = named(tmp_path, "mine")
    assert sorted(p.name for p in first.folder.iterdir()) == ["run.json"]
    named(tmp_path, "mine")
    assert sorted(p.name for p in first.folder.iterdir()) == ["run.json"], "the same settings, the same run"
    second = named(tmp_path, "mine", "seed=1")
    names = sorted(p.name for p in first.folder.iterdir())
    assert len(names) == 2
    assert names[0].startswith("run-")
    assert open_run("mine", tmp_path / "store").recipe.seed == 1
    old = json.loads((second.folder / names[0]).read_text(encoding="utf-8"))
    assert [step["key"] for step in old["steps"]] == [step.key for step in first.steps]


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    made = named(tmp_path, "mine", "evaluate.decodings=[greedy]", "filter.threshold=null")
    opened = open_run("mine", tmp_path / "store")
    assert opened.recipe == made.recipe
    assert opened.steps == made.steps
    assert opened.folder == made.folder


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"plan": 3}', '{"recipe": {"seed": -1}, "steps": []}', "\0"]
)
def test_a_run_file_that_is_damaged_is_named_and_made_again(tmp_path: Path, text: str) -> None:
    made = named(tmp_path, "mine")
    (made.folder / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(StoreError, match=r"run\.json cannot be read"):
        open_run("mine", tmp_path / "store")
    named(tmp_path, "mine")
    assert open_run("mine", tmp_path / "store").steps == made.steps


def test_a_store_that_cannot_be_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreError) as caught:
        named(tmp_path, "mine")
    assert str(tmp_path / "store") in caught.value.message
    assert caught.value.hint


# the public face


def test_the_python_api_of_the_docstring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example runs as it stands, on the fake recipe."""
    monkeypatch.chdir(tmp_path)
    assert isheep.__doc__
    example = [line[4:] for line in isheep.__doc__.splitlines() if line.startswith("    ")]
    code = "\n".join(example).replace('"lamb"', '"fake"').replace("iterations=1", "iterations=0")
    assert '"fake"' in code
    said: list[object] = []
    exec(code, {"print": said.append})
    assert said
    assert Path(str(said[0])).is_file()
    assert open_run("last", "my-store").complete


def test_everything_public_is_there() -> None:
    for name in isheep.__all__:
        assert getattr(isheep, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'sheep'"):
        isheep.sheep  # noqa: B018


def test_what_the_command_line_does_python_can(tmp_path: Path) -> None:
    loaded = isheep.load_recipe("fake", ["iterations=0"], seed=3)
    assert isheep.make_plan(loaded).recipe.seed == 3
    made = isheep.run(loaded, store=str(tmp_path / "store"), name="mine")
    assert isheep.summarize(made)["run"] == "mine"
    assert isheep.write_report(isheep.open_run("mine", tmp_path / "store")).is_file()


def test_listeners_are_plain_functions(tmp_path: Path) -> None:
    kinds: set[str] = set()
    listener: Callable[[Event], None] = lambda event: kinds.add(event.kind)  # noqa: E731
    run(toy(tmp_path, "iterations=0"), tmp_path / "store", tell=listener)
    assert kinds == {"start", "progress", "done"}
