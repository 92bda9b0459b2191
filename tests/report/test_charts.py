"""Plots: round ticks, values inside the frame, and colours that can be read in light and dark."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import isheep.report
from isheep.report.charts import Point, Series, bars, curves, interval_plot, stacked
from isheep.report.svg import nice_ticks

SVG = "{http://www.w3.org/2000/svg}"
CSS = (Path(isheep.report.__file__).parent / "style.css").read_text()


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_rising_and_span_the_values(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    assert 2 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))
    slack = 1e-6 * max(1.0, abs(low), span)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + span - slack


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2)), min_size=1, max_size=6))
def test_points_lie_inside_the_frame(cells: list[tuple[float, float]]) -> None:
    points = [Point(v, max(0.0, v - d), min(1.0, v + d), "x") for v, d in cells]
    columns = [str(i) for i in range(len(points))]
    made = interval_plot(
        "p", "t", "d", columns, [Series("s", points, 0)], str, "y", least_span=0.3, limits=(0, 1)
    )
    tree = ElementTree.fromstring(made)
    width, height = (float(v) for v in tree.attrib["viewBox"].split()[2:])
    for dot in tree.iter(f"{SVG}circle"):
        assert 0 <= float(dot.attrib["cx"]) <= width
        assert 0 <= float(dot.attrib["cy"]) <= height


def test_a_missing_value_is_a_gap_not_a_zero() -> None:
    made = ElementTree.fromstring(bars("b", "t", "d", ["a", "b"], [("", [None, 2.0])], str, "y"))
    assert [r.find(f"{SVG}title").text for r in made.iter(f"{SVG}rect")] == ["b: 2.0"]  # type: ignore[union-attr]


def test_flat_and_single_values_do_not_divide_by_zero() -> None:
    for made in (
        curves("c", "t", "d", [("a", [(1.0, 0.0)])], "x", "y"),
        curves("c", "t", "d", [("a", [(1.0, 2.0), (2.0, 2.0)])], "x", "y"),
        bars("b", "t", "d", ["a"], [("", [0.0])], str, "y"),
        stacked("s", "t", "d", ["a"], [("x", [0.0])], str),
    ):
        ElementTree.fromstring(made)
        assert "nan" not in made


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
