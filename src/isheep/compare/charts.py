"""The plots of a comparison: differences with their intervals (a forest plot), and scores by iteration.

Knows: names, points, intervals and the value of each seed. Colours come from the page's style.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isheep.report.charts import NARROW, Point
from isheep.report.markup import Html, el, join
from isheep.report.numbers import percent
from isheep.report.svg import LETTER, Frame, image, label, line, marker, nice_ticks, shorten

#: Width of a forest plot, and height of one of its rows.
WIDE, ROW = 720.0, 30.0
#: A forest plot shows at least this to either side of 0, so that noise looks like noise.
LEAST = 0.05


@dataclass(frozen=True)
class Branch:
    """One row of a forest plot. `look` is a class of the style: better, worse, even."""

    name: str
    point: Point
    seeds: Sequence[float]
    note: str
    look: str


@dataclass(frozen=True)
class Step:
    """One model of an arm: its score, and that of each seed. `ghost` is the reference's score there, if it has one."""

    name: str
    point: Point
    seeds: Sequence[float]
    ghost: float | None


def forest(name: str, title: str, desc: str, rows: Sequence[Branch], show: Callable[[float], str]) -> Html:
    """Rows of dots with intervals along one axis, with a line at no difference; small dots are single seeds."""
    left = min(230.0, 24 + LETTER * max(len(row.name) for row in rows))
    right, top = 24 + LETTER * max(len(row.note) for row in rows), 12.0
    spread = [v for row in rows for v in (row.point.low, row.point.high, *row.seeds)]
    ticks = nice_ticks(min(-LEAST, *spread), max(LEAST, *spread), 6)
    base, span = top + ROW * len(rows), ticks[-1] - ticks[0]

    def at(value: float) -> float:
        return left + (WIDE - left - right) * (value - ticks[0]) / span

    parts = [line(at(t), top, at(t), base, "grid") for t in ticks]
    parts += [label(at(t), base + 17, show(t)) for t in ticks]
    parts += [line(left, base, WIDE - right, base, "axis"), line(at(0), top, at(0), base, "zero")]
    for i, row in enumerate(rows):
        y = top + ROW * (i + 0.5)
        low, high = at(row.point.low), at(row.point.high)
        parts.append(label(left - 12, y + 4, shorten(row.name, left - 12), "row-total", "end"))
        parts += [_dot(at(value), y + 8, row.look, f"{row.name}: {show(value)}") for value in row.seeds]
        parts.append(line(low, y, high, y, f"whisker {row.look}"))
        parts += [line(x, y - 4, x, y + 4, f"whisker {row.look}") for x in (low, high)]
        parts.append(marker(0, at(row.point.value), y, f"point {row.look}", row.point.hover))
        parts.append(label(WIDE - right + 12, y + 4, row.note, "row", "start"))
    parts.append(label((left + WIDE - right) / 2, base + 36, "difference in points", "name"))
    return image(name, title, desc, WIDE, base + 44, *parts)


def climb(name: str, title: str, desc: str, steps: Sequence[Step], limits: tuple[float, float]) -> Html:
    """An arm's score by model, with intervals; small dots are single seeds, the grey line is the reference."""
    frame = Frame(*limits, lambda v: percent(v, 0), "right answers", NARROW, 240)
    frame.top = 14
    xs = [frame.band(i, len(steps)) for i in range(len(steps))]
    parts = [frame.axes(), frame.columns([step.name for step in steps])]
    ghosts = [(x, frame.y(step.ghost)) for x, step in zip(xs, steps, strict=True) if step.ghost is not None]
    if len(ghosts) > 1:
        parts.append(_path(ghosts, "ghost"))
    mine = [(x, frame.y(step.point.value)) for x, step in zip(xs, steps, strict=True)]
    if len(mine) > 1:
        parts.append(_path(mine, "joined s1"))
    for (x, y), step in zip(mine, steps, strict=True):
        low, high = frame.y(step.point.low), frame.y(step.point.high)
        seeds = [_dot(x + 12, frame.y(v), "s1", f"{step.name}: {percent(v)}") for v in step.seeds]
        ends = [line(x - 4, end, x + 4, end, "whisker s1") for end in (low, high)]
        parts += [*seeds, line(x, high, x, low, "whisker s1"), *ends]
        parts.append(marker(0, x, y, "point s1", step.point.hover))
    return image(name, title, desc, frame.width, frame.height, join(parts))


def _dot(x: float, y: float, cls: str, hover: str) -> Html:
    return el("circle", el("title", hover), cx=x, cy=y, r=2.4, cls=f"dot {cls}")


def _path(points: Sequence[tuple[float, float]], cls: str) -> Html:
    return el("path", d="M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points), cls=cls)
