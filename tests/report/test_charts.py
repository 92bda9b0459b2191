"""Plots: values inside the axis, data as data, and colours that can be read in light and dark."""

from __future__ import annotations

import csv
import re
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import isheep.report
from isheep.report.chart import PERCENT, PLAIN, Chart, chart, layer
from isheep.report.charts import Point, Series, bars, curves, interval_plot, span_of, stacked
from isheep.report.drawing import alone, as_csv, inline

SVG = "{http://www.w3.org/2000/svg}"
CSS = (Path(isheep.report.__file__).parent / "style.css").read_text()


def rows(chart: Chart) -> list[dict[str, Any]]:
    return list(chart.spec["data"]["values"])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2)), min_size=1, max_size=6))
def test_the_axis_holds_every_interval_within_its_limits(cells: list[tuple[float, float]]) -> None:
    points = [Point(v, max(0.0, v - d), min(1.0, v + d), "x") for v, d in cells]
    columns = [str(i) for i in range(len(points))]
    made = interval_plot(
        "p", "t", "d", columns, [Series("s", points, 0)], PERCENT, "y", least_span=0.3, limits=(0, 1)
    )
    low, high = span_of(made.rows, 0.3, (0, 1))
    assert 0 <= low <= min(p.low for p in points)
    assert max(p.high for p in points) <= high <= 1
    assert high - low >= 0.3 - 1e-9 or low == 0 or high == 1
    assert f"[{low}, {high}]" in str(made.spec)


def test_a_missing_value_is_a_gap_not_a_zero() -> None:
    made = bars("b", "t", "d", ["a", "b"], [("", [None, 2.0])], str, PLAIN, "y")
    assert [(row["column"], row["value"]) for row in made.rows] == [("b", 2.0)]
    assert rows(made)[0]["hover"] == "b: 2.0"


def test_numbers_that_are_none_and_hidden_letters_never_reach_a_spec() -> None:
    made = chart("n", "a\u202eb", "d", [{"x": float("nan"), "y": "c\u200bd"}], [layer("point", {})])
    assert rows(made) == [{"x": None, "y": "c⟦U+200B⟧d"}]
    assert made.title == "a⟦U+202E⟧b"


def test_what_only_says_how_it_is_drawn_is_no_data() -> None:
    made = stacked("s", "t", "d", ["a"], [("x", [0.0])], str)
    assert made.rows[0] == {"row": "a", "part": "x", "value": 0.0, "from": 0.0, "to": 0.0}
    assert "hover" in rows(made)[0]


def test_a_cell_that_a_spreadsheet_would_run_is_quoted() -> None:
    made = chart("n", "t", "d", [{"name": "=1+1", "value": -1.5}, {"name": '@a,"b', "more": 2}], [])
    assert list(csv.reader(as_csv(made).splitlines())) == [
        ["name", "value", "more"], ["'=1+1", "-1.5", ""], ["'@a,\"b", "", "2"],
    ]  # fmt: skip


@pytest.mark.usefixtures("real_images")
def test_an_image_alone_has_its_words_and_plain_colours() -> None:
    made = curves(
        "c", "A & B", "falls from 2 to 1", [("<a>", [(1.0, 2.0), (2.0, 1.0)]), ("b", [(1.0, 0.0)])], "x", "y"
    )
    tree = ElementTree.fromstring(alone(made))
    assert [tree.findtext(f"{SVG}{name}") for name in ("title", "desc")] == ["A & B", "falls from 2 to 1"]
    assert "<a>" in [text.text for text in tree.iter(f"{SVG}text")], "text is kept as text"
    assert "var(" not in alone(made)
    assert "var(--s1)" in inline(made)
    assert "nan" not in alone(made).lower()


def _palette(dark: bool) -> dict[str, str]:
    light, night = CSS.split("prefers-color-scheme: dark")[:2]
    found = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", light))
    return {**found, **dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", night))} if dark else found


def _light(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2."""
    high, low = sorted((_light(one), _light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


TEXT = ("text", "muted", "good", "bad", "warn", "calm", *(f"s{i}" for i in range(1, 9)))
PAIRS = [*product(TEXT, ("page", "card")), ("text", "soft"), ("text", "warn-soft")]
PAIRS += [(name, f"{name}-soft") for name in ("good", "bad", "warn", "calm")]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("ink", "paper"), PAIRS)
def test_every_text_colour_has_aa_contrast(ink: str, paper: str, dark: bool) -> None:
    palette = _palette(dark)
    assert contrast(palette[ink], palette[paper]) >= 4.5
