"""The section on data quality: the table's figures are those measured, and the page holds whatever a model wrote."""

from __future__ import annotations

import json
import re
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from reading import HOSTILE, read, without_scripts

import isheep.report
from isheep.records import Decision, Pair
from isheep.report.chart import Chart
from isheep.report.drawing import scripts
from isheep.report.figures import Figure
from isheep.report.markup import Html, el, join
from isheep.report.multiples import Half, halves
from isheep.report.numbers import percent
from isheep.report.page import page_head, table_view
from isheep.report.quality import measured, quality
from isheep.report.quality_view import quality_figures, quality_section, quality_table
from isheep.report.summary import summarize
from isheep.report.tables import Table
from isheep.report.verb_view import DRAWN, spaced, verb_figures, verb_section, verb_table
from isheep.report.views import Plots
from isheep.runs import Run

FOLDER = Path(isheep.report.__file__).parent


@pytest.fixture(scope="module")
def summary(fake_run: Run) -> dict[str, Any]:
    return {**summarize(fake_run), "quality": quality(fake_run)}


def pairs_of(t: int, n: int, text: str = "Write a poem about w") -> list[Pair]:
    return [Pair(f"{t}.{i}", f"{text}{i}", "", f"word{i} of {text}", "stop", True, 5, 2) for i in range(n)]


def alone(found: dict[str, Any]) -> dict[str, Any]:
    """A summary of which nothing else is known."""
    entries = [
        {"iteration": e["iteration"], "review": None, "candidates": 0, "dropped": {}}
        for e in found["iterations"]
    ]
    return {"quality": found, "iterations": entries}


def drawn(chart: Chart) -> list[dict[str, Any]]:
    return list(chart.spec["data"]["values"])


def section_of(summary: dict[str, Any]) -> Html:
    """The section as a page of its own."""
    parts, plots = [], Plots()
    for part in (*quality_section(summary), *verb_section(summary)):
        if isinstance(part, Figure):
            parts.append(plots.grid([part]))
        else:
            parts.append(table_view(part) if isinstance(part, Table) else part)
    head = page_head("t", (FOLDER / "quality.css").read_text())
    return join(
        [
            Html('<!DOCTYPE html>\n<html lang="en">'),
            head,
            el("body", el("main", parts), scripts(plots.charts)),
            Html("</html>\n"),
        ]
    )


def cells_of(table: Table) -> dict[str, tuple[str, ...]]:
    return {row[0]: row[1:] for row in table.rows}


def test_the_section_is_a_lead_a_table_plots_and_then_what_is_asked_for(summary: dict[str, Any]) -> None:
    assert [kind for kind, _ in groupby(quality_section(summary), type)] == [Html, Table, Figure]
    assert [kind for kind, _ in groupby(verb_section(summary), type)] == [Html, Figure, Table]


def test_the_table_says_what_was_measured(summary: dict[str, Any]) -> None:
    found = cells_of(quality_table(summary))
    first = summary["quality"]["iterations"][0]
    size = summary["quality"]["size"]
    assert (
        found[f"kinds of task (of {size})"][0]
        == f"{first['all']['spread']:.1f} → {first['kept']['spread']:.1f}"
    )
    mean = [first[g]["scores"]["quality"]["mean"] for g in ("all", "kept")]
    assert found["quality score, mean"][0] == f"{mean[0]:.2f} → {mean[1]:.2f}"
    reviewed = summary["iterations"][1]["review"]["measures"]["near_duplicates_earlier"]["value"]
    assert found["duplicates of all kept earlier"][1] == percent(reviewed)
    assert found["tasks refused as duplicates"][0] == percent(
        summary["iterations"][0]["dropped"].get("instructions/near_duplicate", 0)
        / summary["iterations"][0]["candidates"]
    )


def test_lines_and_plots_that_nobody_has_are_left_out() -> None:
    found = measured({0: pairs_of(0, 20)}, {}, 0)
    names = list(cells_of(quality_table(alone(found))))
    assert not [name for name in names if "score" in name or "kept" in name]
    assert not any("→" in cell for cells in cells_of(quality_table(alone(found))).values() for cell in cells)
    titles = [figure.title for figure in quality_figures(found)]
    assert "Kept of all answers" not in titles
    assert "Duplicates of the iteration before" not in titles
    assert "Words per answer" in titles


def test_nothing_is_said_of_a_run_without_answers() -> None:
    assert list(quality_section(alone(measured({}, {}, 0)))) == []
    assert list(quality_section({"iterations": []})) == []


def test_too_little_to_compare_is_said() -> None:
    lead = next(iter(quality_section(alone(measured({0: pairs_of(0, 3)}, {}, 0)))))
    assert "too few to compare" in str(lead)


def test_hostile_texts_stay_texts() -> None:
    texts = {0: HOSTILE, 1: "\u202e\u3164 " + HOSTILE, 2: "<script>alert(1)</script>"}
    pairs = {t: pairs_of(t, 15, text) for t, text in texts.items()}
    decisions = {
        t: [Decision(p.id, n < 12, None, 5.0, 6.0) for n, p in enumerate(found)] for t, found in pairs.items()
    }
    page = read(section_of(alone(measured(pairs, decisions, 0))))
    assert "script" not in page.elements


def test_a_long_run_stays_small_and_every_id_is_unique() -> None:
    pairs = {
        t: [
            Pair(f"{t}.{i}", f"verb{i % 37} the noun{i % 11}", "", f"a{i} b{i} c{t}", "stop", True, 5, 2)
            for i in range(150)
        ]
        for t in range(15)
    }
    decisions = {
        t: [Decision(p.id, n % 2 == 0, None, 1 + n % 10, 5.0) for n, p in enumerate(found)]
        for t, found in pairs.items()
    }
    markup = section_of(alone(measured(pairs, decisions, 0)))
    read(markup)
    assert len(without_scripts(markup).encode()) < 500_000


def test_a_sunburst_of_the_kept_is_drawn_only_where_it_differs() -> None:
    pairs = {t: pairs_of(t, 20) for t in range(2)}
    decisions = {
        0: [Decision(p.id, True, None, 5.0, 5.0) for p in pairs[0]],
        1: [Decision(p.id, n < 10, None, 5.0, 5.0) for n, p in enumerate(pairs[1])],
    }
    titles = [figure.title for figure in verb_figures(measured(pairs, decisions, 0))]
    assert titles == ["Iteration 0, all tasks", "Iteration 1, all tasks", "Iteration 1, tasks kept"]


def test_the_table_of_verbs_has_count_and_share_of_all_and_kept() -> None:
    pairs = {0: [*pairs_of(0, 15), *pairs_of(1, 5, "List some fruits of kind ")]}
    decisions = {0: [Decision(p.id, n < 12, None, 5.0, 5.0) for n, p in enumerate(pairs[0])]}
    found = cells_of(verb_table(measured(pairs, decisions, 0)))
    assert found == {
        "write": ("15 (75.0\u00a0%) → 12 (100.0\u00a0%)",),
        "write · poem": ("15 (75.0\u00a0%) → 12 (100.0\u00a0%)",),
        "list": ("5 (25.0\u00a0%) → 0 (0.0\u00a0%)",),
        "list · fruits": ("5 (25.0\u00a0%) → 0 (0.0\u00a0%)",),
    }


def test_a_verb_has_the_same_colour_in_every_sunburst() -> None:
    pairs = {
        0: [*pairs_of(0, 20), *pairs_of(9, 10, "List all odd numbers under ")],
        1: [*pairs_of(1, 10), *pairs_of(8, 15, "List all odd numbers under ")],
    }
    looks = [
        {row["name"]: row["paint"] for row in drawn(figure.plot) if row["count"] and not row["part"]}
        for figure in verb_figures(measured(pairs, {}, 0))
    ]
    assert looks[0] == looks[1]
    assert len(set(looks[0].values())) == 2


def test_of_many_iterations_the_first_and_last_are_drawn() -> None:
    entries = [{"iteration": t} for t in range(20)]
    found = [e["iteration"] for e in spaced(entries, DRAWN)]
    assert (len(found), found[0], found[-1]) == (DRAWN, 0, 19)
    assert found == sorted(set(found))
    assert spaced(entries[:3], DRAWN) == entries[:3]


def test_histograms_back_to_back_show_shares_on_one_scale() -> None:
    few, many = Half("all", [0] * 9 + [2], 10.0), Half("kept", [50] + [0] * 8 + [50], 5.5)
    plot = halves("h", "t", "d", ["it. 0"], [(few, many)], ("all", "kept"))
    small, large = sorted({abs(row["to"] - row["from"]) for row in plot.rows if row.get("count")})
    assert large == pytest.approx(2 * small)
    assert any(row["hover"].endswith("score 10: 50, 50.0\u00a0%") for row in drawn(plot))


def test_the_section_has_no_colour_of_its_own(summary: dict[str, Any]) -> None:
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", (FOLDER / "quality.css").read_text())
    specs = json.dumps(
        [dict(part.plot.spec) for part in quality_section(summary) if isinstance(part, Figure)]
    )
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", specs)) == set()
