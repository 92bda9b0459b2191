"""Case studies: every scored pair in one corner, the nearest shown, by nobody's hand, and empty corners that say so."""

from __future__ import annotations

import random
from pathlib import Path
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from reading import HOSTILE

from isheep.records import Decision, Pair
from isheep.report.case_view import case_view
from isheep.report.cases import CORNERS, SCALES, cases, high_from, in_corner, nearest
from isheep.report.markup import el
from isheep.runs import Run
from isheep.store import Store
from made_runs import Maker

SCORES = st.lists(
    st.tuples(st.sampled_from([1.0, 5.0, 5.25, 9.0, 10.0]), st.floats(1, 10)), min_size=1, max_size=40
)


def decisions_of(scores: list[tuple[float, float]]) -> list[Decision]:
    return [Decision(f"p{i}", False, "x", q, f) for i, (q, f) in enumerate(scores)]


def lines_of(decisions: list[Decision]) -> dict[str, float | None]:
    return {scale: high_from([getattr(d, scale) for d in decisions]) for scale in SCALES}


def run_of(tmp_path: Path, rows: list[tuple[Pair, Decision]], truth: str = "lamb") -> Run:
    make = Maker(Store(tmp_path), "made", 0, 1, truth)
    make.step("responses", "responses", 0, [p for p, _ in rows])
    make.step("filter", "filter", 0, [d for _, d in rows])
    return make.done()


def row(
    id: str, quality: float | None, following: float | None, response: str = "down", kept: bool = False
) -> tuple[Pair, Decision]:
    pair = Pair(id, "Name the opposite of up.", "", response, "stop", True, 5, 2)
    return pair, Decision(id, kept, None if kept else "low_quality", quality, following)


@given(SCORES)
def test_every_pair_lies_in_one_corner_unless_a_judge_tells_nothing_apart(
    scores: list[tuple[float, float]],
) -> None:
    decisions = decisions_of(scores)
    lines = lines_of(decisions)
    found = [d.id for ends in CORNERS.values() for d in in_corner(decisions, ends, lines)]
    flat = any(len({getattr(d, scale) for d in decisions}) == 1 for scale in SCALES)
    assert sorted(found) == ([] if flat else sorted(d.id for d in decisions))


@given(st.lists(st.integers(1, 10), min_size=2, max_size=60).filter(lambda v: len(set(v)) > 1))
def test_high_begins_at_the_median_and_never_takes_in_the_lowest(scores: list[int]) -> None:
    line = high_from(scores)
    assert line is not None
    high, low = [s for s in scores if s >= line], [s for s in scores if s < line]
    assert high
    assert low
    assert len(high) >= len(scores) / 2 or line == min(s for s in scores if s > min(scores))


@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_the_records_changes_nothing(
    scores: list[tuple[float, float]], rng: random.Random
) -> None:
    decisions = decisions_of(scores)
    lines = lines_of(decisions)
    shuffled = list(decisions)
    rng.shuffle(shuffled)
    for ends in CORNERS.values():
        one = nearest(decisions, in_corner(decisions, ends, lines), ends)
        assert one == nearest(shuffled, in_corner(shuffled, ends, lines), ends)


def test_each_corner_shows_its_extremes_first(tmp_path: Path) -> None:
    rows = [row("a", 9, 9), row("b", 10, 10, kept=True), row("c", 1, 1), row("d", 2, 2), row("e", 10, 2),
            row("f", 8, 1), row("g", 1, 10, "left"), row("h", 3, 7)]  # fmt: skip
    found = cases(run_of(tmp_path, rows), 0, k=1)
    assert [(c["corner"], c["quality"], c["following"], c["found"]) for c in found] == [
        ("best", "high", "high", 2),
        ("good_but_off", "high", "low", 2),
        ("poor_but_faithful", "low", "high", 2),
        ("worst", "low", "low", 2),
    ]
    assert [[p["id"] for p in c["pairs"]] for c in found] == [["b"], ["e"], ["g"], ["c"]]
    best, _, faithful, worst = (c["pairs"][0] for c in found)
    assert (best["kept"], best["reason"], best["right"]) == (True, None, True)
    assert (worst["kept"], worst["reason"]) == (False, "low_quality")
    assert faithful["right"] is False


def test_truth_is_told_only_where_it_is_known(tmp_path: Path) -> None:
    found = cases(run_of(tmp_path, [row("a", 9, 9), row("b", 1, 1)], truth="none"), 0)
    assert all(p["right"] is None for c in found for p in c["pairs"])


def test_pairs_without_both_scores_lie_in_no_corner(tmp_path: Path) -> None:
    run = run_of(tmp_path, [row("a", None, 9), row("b", 9, None), row("c", 9, 9), row("d", 1, 1)])
    assert sorted(p["id"] for c in cases(run, 0) for p in c["pairs"]) == ["c", "d"]
    assert sum(c["found"] for c in cases(run, 0)) == 2


def test_without_scores_or_filter_there_are_no_cases(tmp_path: Path) -> None:
    run = run_of(tmp_path, [row("a", None, 9)])
    assert cases(run, 0) == []
    assert cases(run, 1) == []
    assert "No answer has a score on both scales" in case_view(0, "M0", [], 100, opened=True)


def test_empty_corners_say_so(tmp_path: Path) -> None:
    view = case_view(0, "M0", cases(run_of(tmp_path, [row("a", 9, 9), row("b", 1, 1)]), 0), 100, opened=False)
    assert view.count("No pair lies in this corner.") == 2
    assert "Disputed: quality high, following low (0 of 0)" in view


def test_a_judge_that_says_always_the_same_is_called_so(tmp_path: Path) -> None:
    found = cases(run_of(tmp_path, [row("a", 10, 9), row("b", 10, 1)]), 0)
    assert [c["found"] for c in found] == [0, 0, 0, 0]
    assert "Every answer has the same score for quality" in case_view(0, "M0", found, 100, opened=False)


def test_texts_are_cut_escaped_and_hide_nothing(tmp_path: Path) -> None:
    rows = [row("a", 9, 9, HOSTILE), row("b", 1, 1, "x" * 500)]
    view = case_view(0, "M0", cases(run_of(tmp_path, rows), 0), 60, opened=True)
    tags = {element.tag for element in ElementTree.fromstring(el("body", view)).iter()}
    assert tags == {"body", "details", "summary", "p", "div", "h3", "article", "span"}
    assert "(500 characters)" in view
    whole = case_view(0, "M0", cases(run_of(tmp_path / "b", rows), 0), 10_000, opened=True)
    assert "⟦U+202E⟧" in whole
    assert "\u202e" not in whole


def test_every_case_says_its_scores_and_its_fate(fake_run: Run) -> None:
    for t in (0, 1):
        found = cases(fake_run, t, k=2)
        assert sum(c["found"] for c in found) == 40
        shown = [p for c in found for p in c["pairs"]]
        view = case_view(t, "M", found, 700, opened=True)
        assert view.count("<article") == len(shown) > 2
        assert view.count(">kept</span>") == sum(p["kept"] for p in shown)
        assert all(p["kept"] or p["reason"] in view for p in shown)
        assert all(f"quality {p['quality']:.2f}" in view for p in shown)
