"""Plots with shares on both axes: lines over bands, points with intervals, and lines to compare with.

Knows: numbers and names. Does not know: what they mean (trial_view.py does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isheep.report.chart import NARROW, PERCENT, Chart, axis, chart, hover, layer, number, painted

HEIGHT = 220.0


@dataclass(frozen=True)
class Spot:
    """A point of a line; `low` to `high` is drawn as its interval where there is one."""

    x: float
    y: float
    hover: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """Points of one series. `marked`: with a sign at each point; `joined`: in the order given."""

    name: str
    spots: Sequence[Spot]
    look: int
    marked: bool = True
    joined: bool = True


@dataclass(frozen=True)
class Band:
    """An area from `low` to `high` over x: (x, low, high) each."""

    name: str
    edges: Sequence[tuple[float, float, float]]


def plane(
    name: str,
    title: str,
    desc: str,
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    *,
    guide: Sequence[tuple[float, float]],
    band: Band | None = None,
    span: tuple[float, float] = (0.0, 1.0),
) -> Chart:
    """Lines over shares of 0 to 1. `guide`: the dashed line to compare with; `span`: the part of the y axis shown."""
    rows: list[dict[str, Any]] = [
        {"series": one.name, "x": s.x, "y": s.y, "low": s.low, "high": s.high, "hover": s.hover,
         "joined": one.joined, "marked": one.marked, "bare": not one.marked, "whisker": s.low is not None}
        for one in lines
        for s in one.spots
    ]  # fmt: skip
    if band:
        rows += [
            {
                "series": band.name,
                "x": x,
                "band_low": low,
                "band_high": high,
                "banded": True,
                "hover": band.name,
            }
            for x, low, high in band.edges
        ]
    rows += [{"series": "guide", "x": x, "guide": y, "guiding": True} for x, y in guide]
    names, looks = [one.name for one in lines], [one.look for one in lines]
    x = number("x", axis=axis(PERCENT, x_label), scale={"domain": [0, 1]})
    y = number("y", axis=axis(PERCENT, y_label), scale={"domain": list(span), "zero": False})
    paint = painted(names, looks, shapes=True)
    ink = {"color": paint["color"]}
    layers = [
        layer("area", {"x": x, "y": number("band_low"), "y2": {"field": "band_high"}, "tooltip": hover()}, "banded",
              color="var(--drop)", opacity=0.45),
        layer("line", {"x": x, "y": number("guide")}, "guiding", color="var(--text)", strokeDash=[5, 4]),
        layer("line", {"x": x, "y": y, **ink}, "joined", strokeWidth=2),
        layer("rule", {"x": x, "y": number("low"), "y2": {"field": "high"}, **ink}, "whisker", strokeWidth=1.6),
        layer("point", {"x": x, "y": y, **paint, "tooltip": hover()}, "marked", filled=True, size=70, opacity=1),
        layer("point", {"x": x, "y": y, "tooltip": hover()}, "bare", filled=True, size=90, opacity=0),
    ]  # fmt: skip
    return chart(name, title, desc, rows, layers if band else layers[1:], width=NARROW, height=HEIGHT)
