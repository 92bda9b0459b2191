"""Plots with shares on both axes: lines over bands, points with intervals, and lines to compare with.

Knows: numbers and names. Does not know: what they mean (trial_view.py does).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from isheep.report.charts import NARROW
from isheep.report.markup import Html, el
from isheep.report.numbers import percent
from isheep.report.svg import Frame, image, label, line, marker, style

HEIGHT = 270.0
#: Ticks of the x axis, which is always the whole of 0 to 1.
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


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
) -> Html:
    """Lines over shares of 0 to 1. `guide`: the dashed line to compare with; `span`: the part of the y axis shown."""
    frame = Frame(*span, lambda v: percent(v, 0), y_label, NARROW, HEIGHT, x_label=x_label)

    def at(x: float) -> float:
        return frame.left + frame.inner * x

    parts = []
    legend = [(one.name, style(one.look), one.look) for one in lines]
    if band:
        upper = [f"{at(x):.1f} {frame.y(high):.1f}" for x, _, high in band.edges]
        lower = [f"{at(x):.1f} {frame.y(low):.1f}" for x, low, _ in reversed(band.edges)]
        parts.append(el("path", el("title", band.name), d=f"M{'L'.join([*upper, *lower])}Z", cls="band"))
        legend.append((band.name, "band", -1))
    parts += [frame.axes(), *(label(at(t), frame.base + 17, percent(t, 0)) for t in TICKS)]
    parts += [
        line(at(x), frame.y(y), at(to_x), frame.y(to_y), "zero") for (x, y), (to_x, to_y) in pairwise(guide)
    ]
    for one in lines:
        parts += _line(one, at, frame.y)
    return image(name, title, desc, frame.width, frame.height, *parts, frame.legend(legend))


def _line(one: Line, at: Callable[[float], float], y: Callable[[float], float]) -> list[Html]:
    cls = style(one.look)
    parts = []
    if one.joined and len(one.spots) > 1:
        d = "L".join(f"{at(spot.x):.1f} {y(spot.y):.1f}" for spot in one.spots)
        parts.append(el("path", el("title", one.name), d=f"M{d}", cls=f"curve {cls}"))
    for spot in one.spots if one.marked else ():
        if spot.low is not None and spot.high is not None:
            parts.append(line(at(spot.x), y(spot.low), at(spot.x), y(spot.high), f"whisker {cls}"))
        parts.append(marker(one.look, at(spot.x), y(spot.y), f"point {cls}", spot.hover))
    return parts
