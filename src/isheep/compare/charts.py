"""The plots of a comparison: differences with their intervals (a forest plot), and scores by iteration.

Knows: names, points, intervals and the value of each seed. Colours come from the page's style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isheep.report.chart import (
    FULL,
    NARROW,
    PERCENT,
    POINTS,
    Chart,
    axis,
    chart,
    colour,
    hover,
    layer,
    named,
    number,
)
from isheep.report.charts import Point
from isheep.report.numbers import percent, points

#: Height of a row of a forest plot.
ROW = 34
#: A forest plot shows at least this to either side of 0, so that noise looks like noise.
LEAST = 0.05
#: What the look of a branch is drawn in.
INKS = {"better": "var(--good)", "worse": "var(--bad)", "even": "var(--calm)"}


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


def forest(name: str, title: str, desc: str, rows: Sequence[Branch]) -> Chart:
    """Rows of dots with intervals along one axis, with a line at no difference; small dots are single seeds."""
    data: list[dict[str, Any]] = []
    for i, row in enumerate(rows):
        same = {"row": f"{i}", "name": row.name, "paint": INKS[row.look]}
        p = row.point
        data.append(
            {**same, "value": p.value, "low": p.low, "high": p.high, "note": row.note, "hover": p.hover}
        )
        data += [{**same, "seed": value, "hover": f"{row.name}: {points(value)}"} for value in row.seeds]
    spread = [v for row in rows for v in (row.point.low, row.point.high, *row.seeds)]
    ends = [min(-LEAST, *spread), max(LEAST, *spread)]
    # Rows are numbered, as two may have one name; the axis says the name instead, and beside it the note.
    y = named("row", scale={"domain": [f"{i}" for i in range(len(rows))]}, axis=None)
    x = number(
        "value", scale={"domain": ends, "nice": True}, axis=axis(POINTS, "difference in points", grid=True)
    )
    ink = {"color": {"field": "paint", "scale": None}}
    text = {"y": y, "color": {"value": "var(--text)"}}
    layers = [
        layer("rule", {"x": {"datum": 0, "type": "quantitative"}}, color="var(--text)", strokeDash=[5, 4]),
        layer("rule", {"y": y, "x": number("low"), "x2": {"field": "high"}, **ink}, strokeWidth=2.5),
        layer(
            "point", {"y": y, "x": number("seed"), **ink, "tooltip": hover()}, filled=True, size=18, yOffset=9
        ),
        layer("point", {"y": y, "x": x, **ink, "tooltip": hover()}, filled=True, size=80, opacity=1),
        layer(
            "text", {**text, "x": {"value": 0}, "text": {"field": "name"}}, align="right", dx=-10, limit=190
        ),
        layer("text", {**text, "x": {"value": "width"}, "text": {"field": "note"}}, align="left", dx=10),
    ]
    for words in layers[-2:]:
        words["transform"] = [{"filter": {"field": "value", "valid": True}}]
    return chart(name, title, desc, data, layers, width=FULL, height=ROW * max(1, len(rows)))


def climb(name: str, title: str, desc: str, steps: Sequence[Step], limits: tuple[float, float]) -> Chart:
    """An arm's score by model, with intervals; small dots are single seeds, the dotted line is the reference."""
    rows: list[dict[str, Any]] = []
    for step in steps:
        p = step.point
        rows.append({"model": step.name, "value": p.value, "low": p.low, "high": p.high, "reference": step.ghost,
                     "hover": p.hover})  # fmt: skip
        rows += [{"model": step.name, "seed": v, "hover": f"{step.name}: {percent(v)}"} for v in step.seeds]
    x = named("model", scale={"domain": [step.name for step in steps], "type": "band"})
    y = number("value", scale={"domain": list(limits), "zero": False}, axis=axis(PERCENT, "right answers"))
    layers = [
        layer("line", {"x": x, "y": number("reference")}, color="var(--muted)", strokeDash=[3, 4], strokeWidth=2),
        layer("line", {"x": x, "y": y}, color=colour(0), strokeWidth=2),
        layer("rule", {"x": x, "y": number("low"), "y2": {"field": "high"}}, color=colour(0), strokeWidth=2),
        layer("point", {"x": x, "y": number("seed"), "tooltip": hover()}, filled=True, size=18, xOffset=11,
              color=colour(0), opacity=0.6),
        layer("point", {"x": x, "y": y, "tooltip": hover()}, filled=True, size=80, color=colour(0), opacity=1),
    ]  # fmt: skip
    for line, known in ((layers[0], "reference"), (layers[1], "value")):
        line["transform"] = [{"filter": {"field": known, "valid": True}}]
    return chart(name, title, desc, rows, layers, width=NARROW, height=200)
