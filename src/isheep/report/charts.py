"""The kinds of plot a report is made of, each a function from plain numbers to one chart.

Knows: numbers and names. Does not know: what they mean (figures.py does). A value of None is a gap, never a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.report.chart import (
    NARROW,
    WIDE,
    Chart,
    axis,
    beside,
    chart,
    colour,
    hover,
    layer,
    named,
    number,
    painted,
)

Show = Callable[[float], str]
Unit = Mapping[str, Any]
#: More columns than this leave no room for a value beside each point.
ROOMY = 8
ROW = 24


@dataclass(frozen=True)
class Point:
    """A value with its interval. `dots`: the same value in other runs, drawn small beside it."""

    value: float
    low: float
    high: float
    hover: str
    dots: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True)
class Series:
    """One value per column; `look` picks colour and shape, `joined` draws the line between the points."""

    name: str
    points: Sequence[Point | None]
    look: int
    joined: bool = True
    hollow: bool = False


@dataclass(frozen=True)
class Row:
    """One row of a funnel: a box from `start` to `start + size`."""

    name: str
    start: float
    size: float
    note: str
    look: str


def interval_plot(
    name: str,
    title: str,
    desc: str,
    columns: Sequence[str],
    series: Sequence[Series],
    unit: Unit,
    y_label: str,
    *,
    least_span: float,
    value: Show | None = None,
    limits: tuple[float, float] = (float("-inf"), float("inf")),
    zero: bool = False,
    width: int = WIDE,
    height: float = 260,
) -> Chart:
    """Values with interval bars by column. `least_span`: the axis never shows less, so that noise looks like noise.
    `zero` draws the line of no change; `value` writes each value beside its point."""
    rows = [
        _point(column, one, p, value if len(columns) <= ROOMY else None)
        for one in series
        for column, p in zip(columns, one.points, strict=True)
        if p
    ]
    rows += [
        {"column": column, "series": one.name, "run": run, "dot": v, "hover": f"{run}: {(value or str)(v)}"}
        for one in series
        for column, p in zip(columns, one.points, strict=True)
        if p
        for run, v in p.dots
    ]
    low, high = span_of(rows, least_span, limits, zero)
    names, looks = [s.name for s in series], [s.look for s in series]
    paint = painted(names, looks, shapes=True, listed=[s.name for s in series if not s.hollow])
    ink = {"color": paint["color"]}
    where = {"x": named("column", scale={"domain": list(columns), "padding": 0.3}), **beside(names)}
    scale = {"domain": [low, high], "zero": False}
    y = number("value", axis=axis(unit, y_label), scale=scale)
    layers = [no_change()] if zero else []
    layers += [
        layer("line", {**where, "y": y, **ink}, "joined", strokeWidth=2),
        layer("rule", {**where, "y": number("low"), "y2": {"field": "high"}, **ink}, strokeWidth=2),
        layer("point", {**where, "y": number("dot"), **ink, "tooltip": hover()}, size=16, filled=True, xOffset=11),
        layer(
            "point",
            {**where, "y": y, **paint, "fill": {"field": "paint", "scale": None, "legend": None}, "tooltip": hover()},
            filled=False, size=80, strokeWidth=2, opacity=1,
        ),
    ]  # fmt: skip
    if value:
        text = {**where, **ink, "text": {"field": "label"}}
        bold = {"fontWeight": 600}
        layers += [
            layer("text", {**text, "y": number("high")}, "above", dy=-9, **bold),
            layer("text", {**text, "y": number("low")}, "below", dy=11, **bold),
        ]
    return chart(name, title, desc, rows, layers, width=width, height=height)


def _point(column: str, one: Series, p: Point, value: Show | None) -> dict[str, Any]:
    above = one.look % 2 == 0
    shown = value is not None and not one.hollow
    return {
        "column": column, "series": one.name, "value": p.value, "low": p.low, "high": p.high,
        "label": value(p.value) if value and shown else "", "hover": f"{column}, {one.name}: {p.hover}",
        "joined": one.joined, "above": above and shown, "below": not above and shown,
        "paint": "var(--card)" if one.hollow else colour(one.look),
    }  # fmt: skip


def span_of(
    rows: Sequence[Mapping[str, Any]], least: float, limits: tuple[float, float], zero: bool = False
) -> tuple[float, float]:
    """The part of an axis that holds all values, intervals and dots, and no less than `least`."""
    found = [row[key] for row in rows for key in ("value", "low", "high", "dot") if row.get(key) is not None]
    low, high = min(found), max(found)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    pad = max(0.12 * (high - low), (least - (high - low)) / 2)
    return max(low - pad, limits[0]), min(high + pad, limits[1])


def no_change() -> dict[str, Any]:
    """A dashed line at 0."""
    return {
        "mark": {"type": "rule", "strokeDash": [5, 4], "color": "var(--text)"},
        "encoding": {"y": {"datum": 0, "type": "quantitative"}},
    }


def curves(
    name: str,
    title: str,
    desc: str,
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    x_label: str,
    y_label: str,
) -> Chart:
    """Lines over a common x axis, each a list of (x, y)."""
    rows = [
        {
            "series": said,
            "x": x,
            "y": y,
            "hover": f"{said}, {x_label} {x:g}: {y:.3f}",
            "last": i == len(points),
        }
        for said, points in lines
        for i, (x, y) in enumerate(points, 1)
    ]
    names = [said for said, _ in lines]
    paint = painted(names, range(len(names)), shapes=True)
    where = {
        "x": number("x", axis=axis(title=x_label), scale={"zero": False, "nice": False}),
        "y": number("y", axis=axis(title=y_label)),
        "color": paint["color"],
    }
    layers = [
        layer("line", where, strokeWidth=1.8),
        layer("point", {**where, "tooltip": hover()}, size=120, opacity=0, filled=True),
        layer("point", {**where, **paint}, "last", size=60, filled=True, opacity=1),
    ]
    return chart(name, title, desc, rows, layers, width=NARROW)


def bars(
    name: str,
    title: str,
    desc: str,
    columns: Sequence[str],
    groups: Sequence[tuple[str, Sequence[float | None]]],
    show: Show,
    unit: Unit,
    y_label: str,
    *,
    x_label: str = "",
    high: float | None = None,
    gap: float = 0.3,
    values: bool = True,
    height: float = 210,
    first_look: int = 0,
) -> Chart:
    """Grouped columns from zero. `high` fixes the axis, so that several plots can be compared; `gap` is the share of a
    column left free (small for a histogram)."""
    rows = [
        {
            "column": column, "series": said, "value": value, "label": show(value) if values else "",
            "hover": f"{column}, {said}: {show(value)}" if said else f"{column}: {show(value)}",
        }
        for said, cells in groups
        for column, value in zip(columns, cells, strict=True)
        if value is not None
    ]  # fmt: skip
    names = [said for said, _ in groups]
    paint = painted(names, range(first_look, first_look + len(names)))
    band = {"domain": list(columns), "paddingInner": gap, "paddingOuter": gap / 2}
    where = {"x": named("column", scale=band, axis=axis(title=x_label)), **beside(names)}
    scale = {} if high is None else {"scale": {"domain": [0, high]}}
    y = number("value", axis=axis(unit, y_label), **scale)
    layers = [layer("bar", {**where, "y": y, **paint, "tooltip": hover()}, cornerRadiusEnd=2)]
    if values:
        layers.append(
            layer(
                "text",
                {**where, "y": y, "text": {"field": "label"}},
                dy=-7,
                fontSize=12 if len(groups) == 1 else 10,
            )
        )
    return chart(name, title, desc, rows, layers, width=NARROW, height=height)


def funnel(name: str, title: str, desc: str, rows: Sequence[Row], whole: float) -> Chart:
    """Rows from top to bottom: what there was, what each reason took away, and what was left."""
    looks = {"total": colour(0), "kept": "var(--good)", "drop": "var(--drop)"}
    data = [
        {"row": f"{i}", "name": row.name, "kind": row.look, "start": row.start, "size": row.size,
         "end": row.start + row.size, "label": row.note, "hover": f"{row.name}: {row.note}", "paint": looks[row.look]}
        for i, row in enumerate(rows)
    ]  # fmt: skip
    names = {"domain": [row["row"] for row in data]}
    y = named("row", scale=names, axis=None)
    right = whole * 1.24 or 1.0  # room for the words behind the longest bar
    x = number("start", scale={"domain": [-0.6 * right, right], "nice": False}, axis=None)
    layers = [
        layer("bar", {"y": y, "x": x, "x2": {"field": "end"}, "tooltip": hover(),
                      "color": {"field": "paint", "scale": None}}, height={"band": 0.7}, minBandSize=2),
        layer("text", {"y": y, "x": number("end"), "text": {"field": "label"}}, align="left", dx=5),
        layer("text", {"y": y, "x": {"datum": 0, "type": "quantitative"}, "text": {"field": "name"},
                       "color": {"value": "var(--text)"}}, align="right", dx=-6, limit=150),
    ]  # fmt: skip
    return chart(name, title, desc, data, layers, width=NARROW, height=max(60, ROW * len(rows)))


def stacked(
    name: str,
    title: str,
    desc: str,
    rows: Sequence[str],
    parts_of: Sequence[tuple[str, Sequence[float]]],
    show: Show,
) -> Chart:
    """One horizontal bar a row, made of the same parts in the same order."""
    data: list[dict[str, Any]] = []
    for i, row in enumerate(rows):
        x = 0.0
        for said, cells in parts_of:
            data.append({"row": row, "part": said, "value": cells[i], "from": x, "to": x + cells[i],
                         "hover": f"{row}, {said}: {show(cells[i])}"})  # fmt: skip
            x += cells[i]
        data.append({"row": row, "part": "all", "value": x, "to": x, "label": show(x), "whole": True})
    names = [said for said, _ in parts_of]
    most = max((row["to"] for row in data), default=0.0) or 1.0
    y = named("row", scale={"domain": list(rows)}, axis=axis())
    x_scale = {"domain": [0, 1.3 * most], "nice": False}
    paint = painted(names, range(len(names)), field="part")
    layers = [
        layer("bar", {"y": y, "x": number("from", scale=x_scale, axis=None), "x2": {"field": "to"}, **paint,
                      "tooltip": hover()}, height={"band": 0.7}),
        layer("text", {"y": y, "x": number("to"), "text": {"field": "label"}}, "whole", align="left", dx=6),
    ]  # fmt: skip
    layers[0]["transform"] = [{"filter": {"field": "part", "oneOf": names}}]
    return chart(name, title, desc, data, layers, width=NARROW, height=34 * max(1, len(rows)))
