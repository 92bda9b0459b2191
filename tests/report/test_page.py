"""The page: nothing in it is alive, its figures are those of summary.json, and there is one for a run in any state."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from reading import HOSTILE, Reader, read, specs_of, without_scripts

from isheep import load_recipe, make_plan, open_run, run, write_report
from isheep.backends import fake
from isheep.report import sample_records, summarize
from isheep.report.figures import cost_figures, funnel_rows, thin
from isheep.report.markup import visible
from isheep.report.numbers import count, fixed, gain, percent, share
from isheep.report.page import MAX_BYTES, page
from isheep.report.tables import iteration_table, meaning
from isheep.runs import Run, register
from isheep.store import Store


def test_the_page_of_a_finished_run(fake_run: Run) -> None:
    path = write_report(fake_run)
    assert path == fake_run.folder / "report.html"
    found = read(path.read_text())
    for word in (
        "Funnel",
        "Collapse guard",
        "Judge health",
        "Ledger",
        "Lengths and duplicates",
        "Training and cost",
        "What the model wrote",
    ):
        assert word in found.text
    assert not [p.name for p in fake_run.folder.iterdir() if p.name.startswith(".")]


def test_every_plot_is_an_image_with_title_and_description(fake_run: Run) -> None:
    text = write_report(fake_run).read_text()
    tree = ElementTree.fromstring(without_scripts(text).removeprefix("<!DOCTYPE html>\n"))
    plots = [element for element in tree.iter("div") if "data-plot" in element.attrib]
    words = {element.attrib["id"]: element.text for element in tree.iter("p") if "id" in element.attrib}
    assert len(plots) >= 10
    for plot in plots:
        assert plot.attrib["role"] == "img"
        assert plot.attrib["aria-label"]
        assert words[plot.attrib["aria-describedby"]]
    assert not re.search(r"\b(NaN|Infinity)\b", json.dumps(specs_of(text)))


def test_every_plot_lies_beside_the_page_as_image_data_and_spec(fake_run: Run) -> None:
    plots = fake_run.folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    (plots / "of-an-earlier-report.svg").write_text("")
    names = set(specs_of(write_report(fake_run).read_text()))
    assert {p.name for p in plots.iterdir()} == {
        f"{name}.{end}" for name in names for end in ("svg", "csv", "vl.json")
    }
    rows = list(csv.DictReader((plots / "score-0.csv").open()))
    entries = summarize(fake_run)["iterations"]
    assert {float(row["value"]) for row in rows} >= {
        s["value"] for s in entries[1]["scores"] if s["metric"] == "accuracy_greedy"
    }


def test_figures_of_page_and_markdown_are_those_of_the_summary(fake_run: Run) -> None:
    write_report(fake_run)
    summary = json.loads((fake_run.folder / "summary.json").read_text())
    text = read((fake_run.folder / "report.html").read_text()).text
    plain = (fake_run.folder / "report.md").read_text()
    assert summary["verdict"]["headline"] in text
    expected = {
        share(s) for e in summary["iterations"] for s in e["scores"] if s["metric"].startswith("accuracy_")
    }
    expected |= {gain(g) for e in summary["iterations"] for g in e["gain"]}
    for entry in summary["iterations"]:
        expected |= {count(n) for n in entry["dropped"].values()}
        if entry["candidates"]:
            expected |= {count(entry[k]) for k in ("candidates", "instructions", "responses", "kept")}
            expected.add(fixed(entry["assessment"]["mean"]))
            near = entry["dropped"].get("instructions/near_duplicate", 0)
            expected.add(percent(near / entry["candidates"]))
    assert len(expected) > 12
    for figure in expected:
        assert figure in text
        assert figure in plain
    for step in fake_run.steps:
        assert step.key[:16] in text


def test_the_funnel_accounts_for_every_candidate(fake_run: Run) -> None:
    for entry in summarize(fake_run)["iterations"][:-1]:
        rows = funnel_rows(entry)
        lost = sum(row.size for row in rows if row.look == "drop")
        assert rows[0].size - lost == rows[-1].size == entry["kept"]
        assert all(row.start >= 0 for row in rows)


def test_the_recipe_beside_the_page_makes_the_same_run(fake_run: Run) -> None:
    write_report(fake_run)
    again = make_plan(load_recipe(fake_run.folder / "recipe.yaml"))
    assert [step.key for step in again.steps] == [step.key for step in fake_run.steps]


def test_the_page_is_the_same_each_time(fake_run: Run) -> None:
    assert write_report(fake_run).read_bytes() == write_report(fake_run).read_bytes()


@pytest.fixture
def hostile_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose model writes attacks into every task and answer, and whose recipe and tests hold them too."""
    wrote = fake._write

    def attack(rng: random.Random, prompt: str) -> tuple[str, bool]:
        text, endless = wrote(rng, prompt)
        return "\n".join(f"{line} {HOSTILE}" if line.strip() else line for line in text.split("\n")), endless

    monkeypatch.setattr(fake, "_write", attack)
    tests = tmp_path / "<img src=x onerror=alert(6)>.jsonl"
    row = {"id": HOSTILE, "instruction": HOSTILE, "answers": [HOSTILE], "category": HOSTILE}
    tests.write_text(json.dumps(row) + "\n")
    data = {
        "extends": "fake", "name": "attack", "iterations": 1, "description": HOSTILE,
        "model": {"base": f"lamb{HOSTILE}"}, "evaluate": {"tasks": [str(tests)], "base_layouts": ["plain"]},
        "instructions": {"count": 6, "lists_per_round": 4, "rules": [], "overlap": {"threshold": 1.0}},
        "filter": {"min_kept": 1, "rules": []},
    }  # fmt: skip
    return run(load_recipe(data), tmp_path / "store")


def test_hostile_text_is_shown_and_inert(hostile_run: Run) -> None:
    text = write_report(hostile_run).read_text()
    found = read(text)
    text = without_scripts(text)
    samples = sample_records(hostile_run, 0, 10)
    assert samples["kept"]
    assert any("<script>" in r["instruction"] and "<script>" in r["response"] for r in samples["kept"])
    assert found.text.count("<script>alert(1)</script>") >= 4
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08]", text)
    assert "⟦U+202E⟧reversed" in found.text
    assert "␇bell" in found.text


def test_hostile_text_in_markdown_breaks_no_table_and_makes_no_markup(hostile_run: Run) -> None:
    from markdown_it import MarkdownIt

    write_report(hostile_run)
    plain = (hostile_run.folder / "report.md").read_text()
    found = Reader(MarkdownIt("commonmark").enable("table").render(plain))
    made_by_markdown = {
        "h1",
        "h2",
        "p",
        "strong",
        "ul",
        "li",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
        "pre",
    }
    assert found.elements <= made_by_markdown
    assert found.attributes <= {"style", "class"}
    assert visible("<script>alert(1)</script>") in found.text
    for block in re.findall(r"(?:^\|.*\n)+", plain, re.MULTILINE):
        assert len({line.count(" | ") for line in block.splitlines()}) == 1


def test_a_run_that_has_not_begun(tmp_path: Path) -> None:
    planned = register(make_plan(load_recipe("fake", ["evaluate.tasks=[]"])), Store(tmp_path))
    text = read(write_report(planned).read_text()).text
    assert "has no test" in text
    assert "Unfinished run" in text
    assert "not done" in text


def test_a_run_interrupted_anywhere(fake_run: Run, tmp_path: Path) -> None:
    """After every number of finished steps there is a page, and it never shows 0 for what was not done."""
    for done in range(len(fake_run.steps)):
        store = Store(tmp_path / str(done))
        for step in fake_run.steps[:done]:
            source = fake_run.store.artifact_folder(step.stage, step.key)
            shutil.copytree(source, store.artifact_folder(step.stage, step.key), dirs_exist_ok=True)
        part = Run("part", store, fake_run.recipe, fake_run.steps)
        text = read(write_report(part).read_text()).text
        summary = json.loads((part.folder / "summary.json").read_text())
        assert "Unfinished run" in text
        assert summary["next"] == fake_run.steps[done].name
        rows = {row[0]: row[1:] for row in iteration_table(summary).rows}
        for stage, name in (("instructions", "new tasks"), ("responses", "answers"), ("filter", "kept")):
            for t, entry in enumerate(summary["iterations"]):
                assert (rows.get(name, ["–"] * 3)[t] == "–") is (stage not in entry["keys"])


def test_no_iterations_and_no_assessment(tmp_path: Path, tests_file: Path) -> None:
    small = ["instructions.count=12", "instructions.lists_per_round=8", "filter.min_kept=1"]
    only_base = run(load_recipe("fake", ["iterations=0", f"evaluate.tasks=[{tests_file}]"]), tmp_path)
    assert "the recipe has no iterations" in read(write_report(only_base).read_text()).text
    unjudged = run(
        load_recipe("fake", [*small, "assessment.level=none", "filter.by=random", "evaluate.tasks=[]"]),
        tmp_path,
    )
    text = read(write_report(unjudged).read_text()).text
    assert "Judge health" not in text
    assert "mean score" not in text
    assert "not_drawn" in text


def test_a_report_can_be_drawn_again_from_the_store(fake_run: Run) -> None:
    again = open_run(fake_run.name, fake_run.store)
    first = write_report(fake_run).read_text()
    assert write_report(again).read_text() == first


def test_the_page_stays_small_whatever_the_samples(fake_run: Run) -> None:
    record = {
        "id": "x", "instruction": '"' * 5000, "input": "\u202e" * 5000, "response": "é" * 5000, "reason": "low_quality",
        "quality": 1.0, "following": None, "ended": False, "words": 1, "right": True,
    }  # fmt: skip
    many = {
        t: {"kept": [record] * 60, "dropped": [record] * 60, "refused_instructions": []} for t in range(3)
    }
    assert len(page(fake_run, summarize(fake_run), many, {})[0].encode()) < MAX_BYTES


def test_every_status_has_a_page(fake_run: Run, summary_of: Callable[..., dict[str, Any]]) -> None:
    for hits in ([40, 80], [40, 41], [40, 10], [40], []):
        read(page(fake_run, summary_of(hits, planned=2, own=20 if hits else None), {}, {})[0])


def test_samples_are_the_same_each_time_and_bounded(fake_run: Run) -> None:
    first = sample_records(fake_run, 0, 3)
    assert first == sample_records(fake_run, 0, 3)
    assert len(first["kept"]) == 3
    assert all(r["reason"] is None for r in first["kept"])
    assert all(r["reason"] for group in ("dropped", "refused_instructions") for r in first[group])
    more = sample_records(fake_run, 0, 5)
    assert more["kept"][:3] == first["kept"]
    assert sample_records(fake_run, 9, 3) == {"kept": [], "dropped": [], "refused_instructions": []}


def test_a_long_loss_curve_is_thinned() -> None:
    thinned = thin([[i, float(i)] for i in range(5000)])
    assert len(thinned) <= 202
    assert thinned[0] == (0, 0.0)
    assert thinned[-1] == (4999, 4999.0)


@pytest.mark.parametrize(
    "reason", ["instructions/near_duplicate", "instructions/length", "filter/empty", "filter/held_out"]
)
def test_reasons_are_explained(reason: str) -> None:
    assert meaning(reason)
    assert meaning("filter/never_heard_of") == ""


def test_more_stages_than_colours_become_other(summary_of: Callable[..., dict[str, Any]]) -> None:
    summary = summary_of([40])
    stages = ("train", "preferences", "prefer", "evaluate", "instructions", "responses", "followups", "assessment",
              "likelihood", "vectors", "filter")  # fmt: skip
    summary["iterations"][0]["seconds"] = {stage: float(n) for n, stage in enumerate(stages, 1)}
    summary["iterations"][0]["tokens"] = {"train": 5}
    time, _ = cost_figures(summary)
    parts = {row["part"]: row["value"] for row in time.plot.rows}
    assert len(parts) == 8 + 1
    assert parts["other"] == 1 + 2 + 3 + 4
    assert parts["all"] == 66, "nothing is lost"
