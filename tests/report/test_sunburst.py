"""Sunbursts: no label touches another or leaves its ring, names are data, and the picture says itself in words."""

from __future__ import annotations

import json
import math
import random
import re
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import HOSTILE

from isheep.report.chart import Chart
from isheep.report.sunburst import HOLE, LINE, RIM, SIDE, Slice, corners, sunburst, text_width

Box = list[tuple[float, float]]

NAMES = st.text(st.characters(categories=("Ll", "Lu", "Lo")), min_size=1, max_size=14)
PARTS = st.lists(st.tuples(NAMES, st.integers(1, 40)), max_size=6, unique_by=lambda cell: cell[0])
SLICES = st.lists(st.tuples(NAMES, PARTS, st.integers(0, 60)), max_size=16, unique_by=lambda cell: cell[0])


def made(slices: list[Slice], total: int, most: int = 12, parts: int = 4) -> Chart:
    return sunburst("s", "Tasks", slices, total, "tasks", most=most, parts=parts)


def wedges(chart: Chart) -> list[dict[str, Any]]:
    return list(chart.spec["data"]["values"])


def labels(chart: Chart) -> list[str]:
    return [row["label"] for row in wedges(chart) if row.get("labelled")]


def slices_of(cells: list[tuple[str, list[tuple[str, int]], int]]) -> list[Slice]:
    """Every slice as large as its parts, and a bit."""
    return [Slice(name, sum(n for _, n in parts) + more, parts) for name, parts, more in cells]


def label_boxes(chart: Chart) -> list[Box]:
    """The corners of every label in a ring, around the centre of the rings."""
    boxes = []
    for row in wedges(chart):
        if row.get("labelled"):
            x, y, turn = row["x"], row["y"], row["turn"]
            assert -90.001 <= turn <= 90.001, "upside down"
            width = text_width(row["label"])
            boxes.append(list(corners(x - SIDE / 2, y - SIDE / 2, width, LINE, math.radians(turn))))
    return boxes


def apart(one: Box, two: Box) -> bool:
    """Whether a line lies between two rectangles; it can be looked for along their sides."""
    for box in (one, two):
        for (ax, ay), (bx, by) in ((box[0], box[1]), (box[1], box[2])):
            dx, dy = bx - ax, by - ay
            spans = [[x * dx + y * dy for x, y in other] for other in (one, two)]
            if max(spans[0]) <= min(spans[1]) or max(spans[1]) <= min(spans[0]):
                return True
    return False


@settings(deadline=None)
@given(SLICES, st.integers(0, 50))
def test_labels_never_touch_and_stay_within_the_rings(
    cells: list[tuple[str, list[tuple[str, int]], int]], rest: int
) -> None:
    slices = slices_of(cells)
    total = sum(s.count for s in slices) + rest
    boxes = label_boxes(made(slices, max(total, 1)))
    for box in boxes:
        radii = [math.hypot(x, y) for x, y in box]
        assert min(radii) >= HOLE - 0.2
        assert max(radii) <= RIM + 0.2
    assert all(apart(one, two) for one, two in combinations(boxes, 2))


def test_there_are_labels_and_wide_slices_have_theirs_upright_and_whole() -> None:
    chart = made([Slice("summarize", 50, [("letter", 50)]), Slice("write", 50, [("story", 30)])], 100)
    assert len(label_boxes(chart)) == 4
    assert {row["turn"] for row in wedges(chart) if row.get("labelled")} == {0}
    assert "summarize" in labels(chart)


def test_a_name_that_is_too_long_is_cut_in_the_label_and_whole_in_the_words() -> None:
    name = "antidisestablishmentarianism"
    chart = made([Slice(name, 10), Slice("b", 10)], 20)
    assert name not in labels(chart)
    assert any(re.fullmatch(r"antidi\w*…", label) for label in labels(chart))
    assert f"{name}: 10 tasks, 50.0\u00a0%" in chart.desc


def test_a_single_verb_is_a_full_ring() -> None:
    for row in wedges(made([Slice("write", 7, [("story", 7)])], 7)):
        assert (row["start"], row["end"]) == (0, pytest.approx(math.tau))


def test_what_lies_beyond_the_largest_is_other() -> None:
    slices = [Slice(f"v{i}", 10 - i, [(f"n{j}", 1) for j in range(3)]) for i in range(5)]
    chart = made(slices, 60, most=2, parts=1)
    assert "other: 41 tasks, 68.3\u00a0%" in chart.desc
    counts = {(row["name"], row["part"]): row["count"] for row in chart.rows}
    assert counts == {
        ("v0", ""): 10, ("v0", "n0"): 1, ("v0", "other"): 9, ("v1", ""): 9, ("v1", "n0"): 1, ("v1", "other"): 8,
        ("other", ""): 41,
    }  # fmt: skip


def test_nothing_too_thin_to_be_seen_is_drawn() -> None:
    chart = made([Slice("common", 99_999), Slice("rare", 1)], 100_000)
    assert "rare" not in json.dumps(dict(chart.spec))
    assert "other: 1 tasks" in chart.desc


def test_the_description_holds_every_name_and_count() -> None:
    desc = made([Slice("write", 6, [("poem", 2), ("story", 3)]), Slice("list", 3)], 10).desc
    assert desc.replace("\u00a0", " ") == (
        "write: 6 tasks, 60.0 % (story 3, poem 2, other 1); list: 3 tasks, 30.0 % (other 3); other: 1 tasks, 10.0 %"
    )


def test_the_order_in_which_slices_are_given_changes_nothing() -> None:
    slices = [Slice(f"v{i}", 5, [(f"n{j}", 1) for j in range(4)]) for i in range(9)]
    shuffled = [Slice(s.name, s.count, s.parts[::-1]) for s in slices]
    random.Random(2).shuffle(shuffled)
    assert made(slices, 50) == made(shuffled, 50)


def test_names_are_data() -> None:
    chart = made([Slice(HOSTILE, 5, [(HOSTILE, 5)]), Slice("\u202egnirts\u3164", 5)], 10)
    assert "\u202e" not in json.dumps(dict(chart.spec), ensure_ascii=False) + chart.desc
    plain = made([Slice("a", 5, [("b", 5)]), Slice("c", 5)], 10)
    assert chart.spec["layer"] == plain.spec["layer"], "names stand in the data alone"
