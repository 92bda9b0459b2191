"""`isheep run` and `isheep plan` as a user meets them: what they print, and their exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isheep.errors import BackendError, IsheepError, MissingExtraError
from isheep.runs import Run, open_run
from isheep.store import Store
from said import Isheep
from toy import contents, write_lines


def test_run(isheep: Isheep, finished: Run, tmp_path: Path) -> None:
    said = isheep("run", "toy.yaml")
    assert said.code == 0
    lines = said.out.splitlines()
    steps = [line for line in lines if line.startswith("[")]
    assert steps[0].startswith("[ 1/23] seeds ")
    assert steps[22].startswith("[23/23] review.1 ")
    assert lines[-2].split() == ["run", open_run("last").name]
    report = Path(lines[-1].removeprefix("report").strip())
    assert report.is_file()
    assert report.is_relative_to(tmp_path / "isheep-store" / "runs")
    assert contents(open_run("last")) == contents(finished)
    again = isheep("run", "toy.yaml")
    assert again.out.count("from the store") == 23


def test_a_run_that_stops_itself_is_no_failure(isheep: Isheep) -> None:
    words = ("run", "toy.yaml", "--set", "review.guard={action: stop, min_kept_share_of_first: 2.0}")
    said = isheep(*words)
    assert said.code == 0
    assert "  review.0: stopped by the collapse guard: kept_share" in said.out
    assert "[14/23] review.0" in said.out
    assert "instructions.1" not in said.out
    assert ", complete" in isheep("show").out
    assert isheep(*words).out.count("from the store") == 14


def test_run_json_is_an_event_a_line_and_the_result_last(isheep: Isheep) -> None:
    said = isheep("run", "toy.yaml", "--json", "--name", "mine", "--seed", "7", "--set", "iterations=1")
    assert said.err == ""
    told = [json.loads(line) for line in said.out.splitlines()]
    assert all(list(event)[:2] == ["time", "event"] for event in told)
    assert len({tuple(event) for event in told[:-1]}) == 1, "every event has the same fields"
    assert [event["step"] for event in told if event.get("event") == "done"][-1] == "review.0"
    (made,) = [e for e in told if e["event"] == "done" and e["step"] == "instructions.0"]
    assert (made["done"], made["total"], made["unit"], made["kept"]) == (12, 12, "tasks", 12)
    assert made["written"] > 12
    assert made["tokens"] > 0
    result = told[-1]
    assert (result["event"], result["run"]) == ("result", "mine")
    summary = json.loads(isheep("show", "mine", "--json").out)
    assert [row["value"] for row in result["scores"]] == [
        row["value"] for i in summary["iterations"] for row in i["scores"]
    ]
    assert Path(result["report"]).parent == Path(result["folder"])


def test_run_json_says_what_went_wrong(isheep: Isheep) -> None:
    said = isheep("run", "toy.yaml", "--json", "--set", "filter.threshold=9.99")
    last = json.loads(said.out.splitlines()[-1])
    assert (said.code, last["event"]) == (4, "error")
    assert "kept 0 of 12" in last["text"]


def test_run_quiet_prints_the_result_alone(isheep: Isheep) -> None:
    said = isheep("run", "toy.yaml", "--quiet", "--set", "iterations=0", "--name", "x")
    assert [line.split()[0] for line in said.out.splitlines()] == ["run", "report"]
    assert said.err == ""


def test_run_set_store_and_name(isheep: Isheep, tmp_path: Path) -> None:
    words = ("--set", "iterations=0", "--set", "evaluate.decodings=[greedy]", "--store", "else where")
    assert isheep("run", "toy.yaml", *words, "--name", "x").code == 0
    made = open_run("x", tmp_path / "else where")
    assert made.recipe.evaluate.decodings == ("greedy",)
    assert not (tmp_path / "isheep-store").exists()


def test_names_with_brackets_are_no_markup(isheep: Isheep, tmp_path: Path) -> None:
    """Rich would read [bold] as a style and fail at [/x]."""
    write_lines(tmp_path / "a[red]b.jsonl", [{"instruction": "Zwei plus zwei?", "answers": ["vier"]}])
    (tmp_path / "m[").mkdir()
    (tmp_path / "m[" / "x]").mkdir()
    (tmp_path / "m[" / "x]" / "config.json").write_text("{}")
    words = ("--set", "evaluate.tasks=['a[red]b.jsonl']", "--set", "model.base='./m[/x]'", "--store", "s[b]")
    for verb in (("plan", "toy.yaml", *words), ("run", "toy.yaml", *words), ("show", "--store", "s[b]")):
        said = isheep(*verb)
        assert said.code == 0
        assert "a[red]b" in said.out
    assert "model ./m[/x]," in said.out


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("run", "nope"), 2, "recipe: no file 'nope'"),
        (("run", "toy.yaml", "--set", "sead=3"), 2, "sead: unknown setting; did you mean 'seed'?"),
        (("plan", "toy.yaml", "--set", "oops"), 2, "--set oops: expected key.path=value"),
        (("run", "toy.yaml", "--set", "seeds.file=toy.yaml"), 2, "toy.yaml holds 1 row that is not a task"),
        (("run", "toy.yaml", "--set", "filter.threshold=9.99"), 4, "the filter kept 0 of 12 pairs"),
        (
            ("run", "toy.yaml", "--set", "filter.match=x"),
            2,
            "filter.match: there is no arm 'x' to match outside a sweep",
        ),
        (("run", "toy.yaml", "--name", "a/b"), 5, "'a/b' cannot name a run"),
        (("run", "toy.yaml", "--store", "toy.yaml"), 5, "Not a directory"),
        (("show",), 5, "no run 'last' in "),
        (("show", "../x"), 5, "no run '../x' in "),
        (("report", "x"), 5, "no run 'x' in "),
        (("recipes", "--copy", "fak", "x.yaml"), 2, "did you mean 'fake'?"),
        (("recipes", "--copy", "fake", "toy.yaml"), 2, "toy.yaml exists"),
        (("recipes", "--copy", "fake", "no/such/x.yaml"), 2, "cannot write no/such/x.yaml: No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_errors_are_a_message_a_hint_and_a_code(
    isheep: Isheep, words: Sequence[str], code: int, error: str
) -> None:
    said = isheep(*words)
    assert said.code == code
    assert said.err.startswith("error: ") or "\nerror: " in said.err
    assert error in said.err
    assert "\nhint: " in said.err


@pytest.mark.parametrize(("error", "code"), [(MissingExtraError, 3), (BackendError, 6)])
def test_a_backend_that_fails_has_codes_of_its_own(
    isheep: Isheep, monkeypatch: pytest.MonkeyPatch, error: type[IsheepError], code: int
) -> None:
    def fail(*given: Any) -> None:
        raise error("it will not go", "try another")

    monkeypatch.setattr("isheep.engines.open_engine", fail)
    said = isheep("run", "toy.yaml")
    assert said.code == code
    assert said.err == "error: it will not go\nhint: try another\n"


@pytest.mark.parametrize("words", ["--debug run nope", "run --debug nope", "run nope --debug"])
def test_debug_shows_the_traceback_wherever_it_stands(isheep: Isheep, words: str) -> None:
    said = isheep(*words.split())
    assert said.code == 2
    assert "Traceback" in said.err
    assert said.err.endswith("hint: `isheep recipes` lists the shipped ones\n")


def test_a_bug_of_ours_says_so(isheep: Isheep, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **more: Any) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("isheep.recipe.load_recipe", fail)
    monkeypatch.setattr(sys, "argv", ["isheep", "plan", "--debug"])
    said = isheep("plan", "toy.yaml", "--debug")
    assert said.code == 1
    assert "error: ZeroDivisionError: oops\nhint: this looks like a bug in isheep" in said.err


# plan


def test_plan_states(isheep: Isheep, tmp_path: Path) -> None:
    before = isheep("plan", "toy.yaml")
    assert before.out.count("to do  ") == 23
    assert before.out.splitlines()[-1].startswith("23 steps, 0 done; to do: about ")
    assert not (tmp_path / "isheep-store").exists(), "a plan changes nothing"
    isheep("run", "toy.yaml", "--set", "iterations=1")
    half = json.loads(isheep("plan", "toy.yaml", "--json").out)
    assert [row["state"] for row in half["steps"]] == ["done"] * 14 + ["to do"] * 9
    step = half["steps"][14]
    work = Store(tmp_path / "isheep-store").work_folder("instructions", step["key"])
    work.mkdir(parents=True)
    (work / "journal.jsonl").write_text('{"one"}\n{"two"}\n{"torn')
    assert "instructions.1" in (found := isheep("plan", "toy.yaml").out)
    assert "2 records" in next(line for line in found.splitlines() if line.startswith("instructions.1"))
    assert half["to_do"]["read"] == sum(row["read"] for row in half["steps"][14:])
    (work / "journal.jsonl").unlink()
    isheep("run", "toy.yaml")
    assert isheep("plan", "toy.yaml").out.splitlines()[-1] == "23 steps, 23 done; nothing to do"


def test_plan_json_names_the_run(isheep: Isheep) -> None:
    planned = json.loads(isheep("plan", "toy.yaml", "--json").out)["run"]
    isheep("run", "toy.yaml")
    assert open_run("last").name == planned
