"""Guard, judge, ledger and result: in the summary, on the page and in the terminal, of whole, stopped and old runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import HOSTILE, read

from isheep import write_report
from isheep.records import Decision, Measure, Outcome, Pair, Verdict
from isheep.report import sample_records, summarize
from isheep.report.chart import PLAIN
from isheep.report.figures import funnel_rows, loss_figures
from isheep.report.gauges import Reading, dots, gauge
from isheep.report.health_view import guard_table, judge_table
from isheep.report.ledger import ESTIMATED, SHARED, ledger
from isheep.report.measures import held
from isheep.report.numbers import count, duration, large, short_count
from isheep.report.summary import assessment
from isheep.report.tables import iteration_table, ledger_table
from isheep.runs import Run, RunStep
from isheep.show import watch_table
from isheep.store import Store
from isheep.view import score_table, terminal
from made_runs import Maker

Start = Callable[..., Run]


def printed(table: Any) -> str:
    console = terminal()
    console.width = 300
    with console.capture() as said:
        console.print(table)
    return said.get()


# ---------------------------------------------------------------- the summary


def test_every_measure_and_the_outcome_stand_in_the_entry_of_their_iteration(fake_run: Run) -> None:
    entries = summarize(fake_run)["iterations"]
    for t, review in fake_run.artifacts("review").items():
        measures = {m.id: {"value": m.value, "limit": m.limit, "ok": m.ok} for m in review.read(Measure)}
        assert len(measures) > 15
        assert entries[t]["review"]["measures"] == measures
        assert entries[t]["keys"]["review"] == review.key
        assert entries[t]["review"]["outcome"]["best"] == t + 1
    assert [e["review"] is None for e in entries] == [False, False, True]


def test_the_judges_figures_are_those_of_the_review(fake_run: Run) -> None:
    """They are read from the verdicts, so that they are there before the review is."""
    for entry in summarize(fake_run)["iterations"][:2]:
        judge, measures = entry["judge"], entry["review"]["measures"]
        kinds = judge["probes"]["kinds"]
        expected = {
            "unreadable": judge["unreadable"],
            "agreement": judge["agreement"],
            "probe_auroc": judge["probes"]["auroc"],
            **{f"saturation/{scale}": share for scale, share in judge["saturation"].items()},
            **{f"probe_mean/{kind}": found["mean"] for kind, found in kinds.items()},
            **{f"probe_auroc/{kind}": f["auroc"] for kind, f in kinds.items() if f["auroc"] is not None},
        }
        assert expected == {name: measures[name]["value"] for name in expected}
        assert len(expected) == 14
        assert judge["blind"] is not measures["probe_auroc"]["ok"]


def test_the_last_model_is_the_result_and_the_ledger_is_whole(fake_run: Run) -> None:
    summary = summarize(fake_run)
    assert summary["result"] == {"iteration": 2, "why": "the last model"}
    assert summary["stopped"] is None
    assert summary["ledger"] == ledger(fake_run).as_dict()
    spent = summary["ledger"]["training"]["seconds"] + summary["ledger"]["evaluation"]["seconds"]
    assert 0 < summary["totals"]["seconds"] <= spent + 0.1


def test_scores_of_one_pair_are_averaged_before_anything_else() -> None:
    given_ = [("a", 0, 2.0), ("a", 1, 4.0), ("b", 0, 9.0), ("b", 1, None)]
    verdicts = [Verdict(f"{pair}/quality/{n}", pair, "quality", score) for pair, n, score in given_]
    found = assessment([], verdicts, [], None)
    assert found["mean"] == 6.0
    assert found["unreadable"] == 1
    assert found["scales"]["quality"]["histogram"] == [0, 1, 0, 1, 0, 0, 0, 0, 1, 0]


# ---------------------------------------------------------------- runs that a review looked after


def test_a_run_stopped_by_the_guard_is_complete_and_says_why(start: Start) -> None:
    stopped = start(
        "assessment.reading=sampled", "review.guard.action=stop", "review.guard.max_saturation=0.0"
    )
    summary = summarize(stopped)
    assert summary["complete"]
    assert summary["next"] is None
    assert summary["stopped"].startswith("stopped by the collapse guard: saturation/")
    assert summary["result"] == {"iteration": 1, "why": "the last model"}
    assert len(summary["iterations"]) == 2, "of the three there would have been"
    assert "after 1 iteration " in summary["verdict"]["headline"]
    broken = [w for w in summary["warnings"] if "collapse guard: top scores for " in w]
    assert broken
    assert all(re.search(r"\d\s%, where the limit is at most 0\.0\s%\.$", w) for w in broken)
    text = read(write_report(stopped).read_text()).text
    plain = (stopped.folder / "report.md").read_text()
    assert "Stopped early" in text
    assert "Unfinished run" not in text
    assert "✗ broken (at most 0.0\u00a0%)" in text
    for said in (text, plain.replace("\\", "")):
        assert "Stopped by the collapse guard: saturation/" in said
        assert "The result of this run is M1: the last model." in said
    terminal_says = printed(score_table(summary))
    assert "Stopped by the collapse guard: saturation/" in terminal_says
    assert f"[0] guard  {len(broken)} broken" in printed(watch_table(summary))


def test_the_best_model_is_the_result_where_the_recipe_says_so(start: Start) -> None:
    """The fake gets nothing right, so nothing is better than the base model."""
    summary = summarize(start("review.keep=best"))
    assert summary["result"] == {"iteration": 0, "why": "no other was better on quiz, greedy"}
    expected = "The result of this run is M0, the base model: no other was better on quiz, greedy."
    assert summary["verdict"]["outcome"] == [expected]


def test_a_guard_that_is_off_measures_and_says_nothing(start: Start) -> None:
    summary = summarize(
        start(
            "assessment.reading=sampled",
            "review.guard.action=off",
            "review.guard.max_saturation=0.0",
            "iterations=1",
        )
    )
    measures = summary["iterations"][0]["review"]["measures"]
    assert any(measure["ok"] is False for name, measure in measures.items() if name.startswith("saturation"))
    assert not any("collapse guard" in w for w in summary["warnings"])
    assert "[0] guard  off" in printed(watch_table(summary))


def test_a_blind_judge_is_told_of_and_one_that_judges_for_all_only_once(start: Start) -> None:
    summary = summarize(start("assessment.judge=base"))
    first, second = (e["judge"]["probes"] for e in summary["iterations"][:2])
    assert first == second
    assert first["blind"], "the fake judges at random; these probes happen to show it"
    (told,) = (w for w in summary["warnings"] if w.startswith("Judge: "))
    assert f"(iteration 0: AUROC {first['auroc']:.2f}, where 0.60 is the least" in told
    assert (
        "Judge blind to planted answers"
        in read(write_report(start("assessment.judge=base")).read_text()).text
    )


def test_later_turns_count(start: Start) -> None:
    done = start("followups.turns=2", "iterations=1")
    summary = summarize(done)
    entry = summary["iterations"][0]
    turns = {n: done.named(name)[0].read(Pair) for n, name in ((1, "responses"), (2, "turn2.responses"))}
    kept = {d.id for d in done.artifacts("filter")[0].read(Decision) if d.kept}
    assert entry["turns"] == [
        {"turn": n, "answers": len(pairs), "kept": sum(p.id in kept for p in pairs)}
        for n, pairs in turns.items()
    ]
    assert entry["responses"] == len(turns[1]) + len(turns[2]) > len(turns[1]) > 0
    assert entry["kept"] == len(kept)
    words = [len(p.response.split()) for pairs in turns.values() for p in pairs]
    assert entry["lengths"]["all"]["mean"] == pytest.approx(sum(words) / len(words))
    rows = {row[0]: row[1] for row in iteration_table(summary).rows}
    assert rows["answers, turn 2"] == count(len(turns[2]))
    boxes = funnel_rows(entry)
    assert [row.size for row in boxes if row.name == "answers"] == [entry["responses"]]
    assert all(row.start >= 0 for row in boxes)
    later = [r for r in sample_records(done, 0, 100)["kept"] if r["history"]]
    assert len(later) == entry["turns"][1]["kept"]
    assert "turn 2" in read(write_report(done).read_text()).text


def test_one_turn_has_no_line_of_its_own(fake_run: Run) -> None:
    assert not any("turn" in row[0] for row in iteration_table(summarize(fake_run)).rows)


def test_a_model_trained_on_preferences_has_them_in_its_entry(start: Start) -> None:
    done = start("preferences.samples=3", "preferences.min_gap=0", "iterations=1")
    summary = summarize(done)
    base, tuned = summary["iterations"]
    assert base["prefer"] is None
    assert {"train", "prefer", "candidates", "candidate_scores"} <= set(tuned["keys"])
    assert tuned["prefer"]["pairs"] > 0
    assert len(tuned["prefer"]["losses"]) == tuned["prefer"]["steps"]
    assert tuned["tokens"]["responses"] > 0, "the candidates are answers of the tuned model"
    assert [f.title for f in loss_figures(summary)] == ["Training loss", "Loss on preferences"]
    rows = {row[0]: row[2] for row in iteration_table(summary).rows}
    assert rows["trained on preferences"] == count(tuned["prefer"]["pairs"])
    read(write_report(done).read_text())


def test_one_direct_iteration_in_place_of_three_is_whole(start: Start) -> None:
    summary = summarize(start("train.start=direct", "instructions.count=14", "iterations=3"))
    assert summary["complete"]
    assert len(summary["iterations"]) == 2
    assert "after 1 iteration " in summary["verdict"]["headline"]


# ---------------------------------------------------------------- runs of before, and hostile ones


def test_a_run_without_reviews_is_shown_without_them(fake_run: Run) -> None:
    steps = tuple(s for s in fake_run.steps if s.stage not in ("review", "probes") and "probe" not in s.name)
    old = Run("old", fake_run.store, fake_run.recipe, steps)
    summary = summarize(old)
    assert summary["complete"]
    assert summary["result"] == {"iteration": 2, "why": "the last model"}
    assert [e["review"] for e in summary["iterations"]] == [None] * 3
    assert guard_table(summary) is None
    judge = judge_table(summary)
    assert judge is not None
    assert not any("planted" in row[0] for row in judge.rows)
    assert "Collapse guard" not in read(write_report(old).read_text()).text
    assert "guard" not in printed(watch_table(summary)).replace("collapse guard and judge", "")


def test_an_unfinished_run_has_its_result_so_far(fake_run: Run) -> None:
    left = RunStep("report.9", "filter", 9, "0" * 64)
    unfinished = Run("part", fake_run.store, fake_run.recipe, (*fake_run.steps, left))
    assert summarize(unfinished)["result"] == {"iteration": 2, "why": "the last model, so far"}


def test_hostile_reasons_notes_and_names_are_inert(tmp_path: Path) -> None:
    make = Maker(Store(tmp_path), "attack", 0, 1, "none")
    pairs = [Pair("p", HOSTILE, HOSTILE, HOSTILE, "stop", True, 1, 1)]
    make.step("responses", "responses", 0, pairs, notes=[HOSTILE])
    make.step("assessment", "assessment", 0, [Verdict("p/x", "p", HOSTILE, 10.0)])
    make.step("filter", "filter", 0, [Decision("p", False, HOSTILE, None, None)])
    measures = [Measure(HOSTILE, 2.0, 1.0, False), Measure(f"saturation/{HOSTILE}", 1.0, 0.5, False)]
    make.step("review", "review", 0, [*measures, Outcome("outcome", True, HOSTILE, 1)], notes=[HOSTILE])
    done = make.done()
    summary = summarize(done)
    assert summary["stopped"] == HOSTILE
    text = write_report(done).read_text()
    found = read(text)
    assert found.text.count("<script>alert(1)</script>") >= 6
    assert not re.search("[\u202a-\u202e\u200b\x00-\x08]", text)
    plain = (done.folder / "report.md").read_text()
    assert "<script>" not in plain
    for table in (watch_table(summary), score_table(summary)):
        said = printed(table)
        assert "<script>alert(1)" in said
        assert not re.search("[\u202a-\u202e\u200b\x00-\x09\x1b]", said)


# ---------------------------------------------------------------- words, tables and plots


@pytest.mark.parametrize(
    ("name", "measure", "words"),
    [
        ("median_words", (15.0, 17.1, False), ("15.0", "at least 17.1")),
        ("share_short", (0.15004, 0.15, False), ("15.004\u00a0%", "at most 15.000\u00a0%")),
        ("saturation/quality", (0.5, 0.5, True), ("50.0\u00a0%", "at most 50.0\u00a0%")),
        ("spread", (3.0, 3.0, True), ("3.0", "at least 3.0")),
        ("kept", (1234.0, None, None), ("1,234", "")),
        ("spread", (None, None, None), ("–", "")),
        ("never_heard_of", (2.0, 1.0, True), ("2.00", "at least 1.00")),
    ],
)
def test_a_figure_against_its_limit(name: str, measure: Any, words: tuple[str, str]) -> None:
    value, limit, ok = measure
    assert held(name, {"value": value, "limit": limit, "ok": ok}) == words


@given(st.sampled_from(["median_words", "share_short", "made_up"]), st.floats(0, 1e3), st.floats(0, 1e3))
def test_the_side_of_a_limit_is_the_one_it_was_held_to(name: str, value: float, limit: float) -> None:
    for ok in (True, False):
        _, shown = held(name, {"value": value, "limit": limit, "ok": ok})
        if value != limit:
            assert shown.startswith("at least") is ((value > limit) is ok)


def test_every_figure_of_guard_judge_and_ledger_is_on_the_page_and_in_markdown(fake_run: Run) -> None:
    summary = summarize(fake_run)
    text = read(write_report(fake_run).read_text()).text
    plain = (fake_run.folder / "report.md").read_text().replace("\\", "")
    tables = [guard_table(summary), judge_table(summary), ledger_table(summary)]
    cells = {cell for table in tables if table for row in table.rows for cell in row}
    assert len(cells) > 50
    for cell in cells:
        assert cell in text
        assert cell in plain
    total = ledger(fake_run).training
    for figure in (
        short_count(total.generated),
        large(total.flops),
        duration(total.seconds),
        SHARED,
        ESTIMATED,
    ):
        assert figure in text
        assert figure in plain


def test_what_is_broken_has_another_shape_a_cross_and_another_colour() -> None:
    readings = [
        Reading(1.0, 2.0, True, "fine"),
        Reading(3.0, 2.0, False, "bad"),
        Reading(None, None, None, ""),
    ]
    made = gauge("g", "t", "d", ["a", "b", "c"], readings, PLAIN)
    values = made.spec["data"]["values"]
    assert [(v["look"], v["label"]) for v in values] == [("circle", ""), ("diamond", "✗"), ("circle", "")]
    assert values[0]["paint"] != values[1]["paint"]
    assert [row["limit"] for row in made.rows] == [2.0, 2.0, None]


def test_a_dot_for_each_value_and_none_is_no_dot() -> None:
    series = [("one", [1.0, None]), ("two", [10.0, 5.5])]
    made = dots("p", "t", "d", ["x", "y"], series, str, (1.0, 10.0), "score")
    assert {(row["row"], row["series"], row["value"]) for row in made.rows} == {
        ("x", "one", 1.0), ("x", "two", 10.0), ("y", "two", 5.5),
    }  # fmt: skip
