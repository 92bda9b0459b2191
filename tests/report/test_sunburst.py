"""Sunbursts: no label touches another or leaves its ring, names are data, and the picture says itself in words."""

from __future__ import annotations

import math
import random
import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import HOSTILE

from isheep.report.sunburst import HOLE, LINE, RIM, SIDE, Slice, corners, sunburst, text_width

SVG = "{http://www.w3.org/2000/svg}"
Box = list[tuple[float, float]]

NAMES = st.text(st.characters(categories=("Ll", "Lu", "Lo")), min_size=1, max_size=14)
PARTS = st.lists(st.tuples(NAMES, st.integers(1, 40)), max_size=6, unique_by=lambda cell: cell[0])
SLICES = st.lists(st.tuples(NAMES, PARTS, st.integers(0, 60)), max_size=16, unique_by=lambda cell: cell[0])


def made(slices: list[Slice], total: int, most: int = 12, parts: int = 4) -> str:
    return sunburst("s", "Tasks", slices, total, "tasks", most=most, parts=parts)


def slices_of(cells: list[tuple[str, list[tuple[str, int]], int]]) -> list[Slice]:
    """Every slice as large as its parts, and a bit."""
    return [Slice(name, sum(n for _, n in parts) + more, parts) for name, parts, more in cells]


def label_boxes(markup: str) -> list[Box]:
    """The corners of every label in a ring, around the centre of the rings."""
    boxes = []
    for text in ElementTree.fromstring(markup).iter(f"{SVG}text"):
        place = re.fullmatch(
            r"translate\((\S+) (\S+)\)(?: rotate\((\S+)\))?", text.attrib.get("transform", "")
        )
        if place:
            x, y, turn = (float(v or 0) for v in place.groups())
            assert -90 <= turn <= 90, "upside down"
            width = text_width(text.text or "")
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
    markup = made([Slice("summarize", 50, [("letter", 50)]), Slice("write", 50, [("story", 30)])], 100)
    assert len(label_boxes(markup)) == 4
    assert "rotate" not in markup
    assert ">summarize</text>" in markup


def test_a_name_that_is_too_long_is_cut_in_the_label_and_whole_in_the_words() -> None:
    name = "antidisestablishmentarianism"
    markup = made([Slice(name, 10), Slice("b", 10)], 20)
    assert f"{name}</text>" not in markup
    assert re.search(r">antidi\w*…</text>", markup)
    assert f"{name}: 10 tasks, 50.0\u00a0%" in markup


def test_a_single_verb_is_a_full_ring() -> None:
    tree = ElementTree.fromstring(made([Slice("write", 7, [("story", 7)])], 7))
    for path in tree.iter(f"{SVG}path"):
        numbers = re.findall(r"A(\S+) \S+ 0 0 ([01]) (\S+) ([^\sAL]+)", path.attrib["d"])
        assert len(numbers) == 4
        (_, _, x, y), (_, _, end_x, end_y) = numbers[:2]
        assert math.hypot(float(x) - float(end_x), float(y) - float(end_y)) == pytest.approx(
            2 * float(numbers[0][0]), abs=0.2
        )


def test_what_lies_beyond_the_largest_is_other() -> None:
    slices = [Slice(f"v{i}", 10 - i, [(f"n{j}", 1) for j in range(3)]) for i in range(5)]
    markup = made(slices, 60, most=2, parts=1)
    assert "other: 41 tasks, 68.3\u00a0%" in markup
    assert "v0, other: 9 tasks" in markup
    assert markup.count('class="sun-verb') == 2
    assert markup.count('class="sun-noun') == 2


def test_nothing_too_thin_to_be_seen_is_drawn() -> None:
    markup = made([Slice("common", 99_999), Slice("rare", 1)], 100_000)
    assert "rare" not in markup
    assert "other: 1 tasks" in markup


def test_the_description_holds_every_name_and_count() -> None:
    markup = made([Slice("write", 6, [("poem", 2), ("story", 3)]), Slice("list", 3)], 10)
    desc = ElementTree.fromstring(markup).findtext(f"{SVG}desc") or ""
    assert desc.replace("\u00a0", " ") == (
        "write: 6 tasks, 60.0 % (story 3, poem 2, other 1); list: 3 tasks, 30.0 % (other 3); other: 1 tasks, 10.0 %"
    )


def test_the_order_in_which_slices_are_given_changes_nothing() -> None:
    slices = [Slice(f"v{i}", 5, [(f"n{j}", 1) for j in range(4)]) for i in range(9)]
    shuffled = [Slice(s.name, s.count, s.parts[::-1]) for s in slices]
    random.Random(2).shuffle(shuffled)
    assert made(slices, 50) == made(shuffled, 50)


def test_names_are_data() -> None:
    markup = made([Slice(HOSTILE, 5, [(HOSTILE, 5)]), Slice("\u202egnirts\u3164", 5)], 10)
    tags = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(markup).iter()}
    assert tags == {"svg", "title", "desc", "path", "text"}
    assert "\u202e" not in markup
