"""Two kinds of plot for what is watched: a figure against its limit, and dots by row.

Knows: numbers and names. Does not know: what they mean (health_view.py does). A value of None is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.report.chart import NARROW, Chart, axis, chart, colour, hover, layer, named, number, painted

Show = Callable[[float], str]


@dataclass(frozen=True)
class Reading:
    """A figure in one column. `ok` is False when it breaks its limit."""

    value: float | None
    limit: float | None
    ok: bool | None
    hover: str


def gauge(
    name: str,
    title: str,
    desc: str,
    columns: Sequence[str],
    readings: Sequence[Reading],
    unit: Mapping[str, Any],
) -> Chart:
    """Values by column from zero, each with its limit as a short line; one that breaks it has another shape, another
    colour and a cross."""
    rows = [
        {
            "column": column, "value": r.value, "limit": r.limit, "ok": r.ok, "hover": f"{column}: {r.hover}",
            "paint": "var(--bad)" if r.ok is False else colour(0), "label": "✗" if r.ok is False else "",
            "look": "diamond" if r.ok is False else "circle",
        }
        for column, r in zip(columns, readings, strict=True)
    ]  # fmt: skip
    x = named("column", scale={"domain": list(columns), "type": "band"}, axis=axis())
    y = number("value", axis=axis(unit))
    there = {"x": x, "y": y}
    layers = [
        layer("line", there, color=colour(0), strokeWidth=2),
        layer("tick", {"x": x, "y": number("limit")}, color="var(--text)", thickness=1.5, width={"band": 0.8}),
        layer("point", {**there, "color": {"field": "paint", "scale": None}, "tooltip": hover(),
                        "shape": {"field": "look", "scale": None}}, filled=True, size=80, opacity=1),
        layer("text", {**there, "text": {"field": "label"}}, dy=-12, color="var(--bad)", fontWeight=700),
    ]  # fmt: skip
    return chart(name, title, desc, rows, layers, width=NARROW, height=160)


def dots(
    name: str,
    title: str,
    desc: str,
    rows: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | None]]],
    show: Show,
    ends: tuple[float, float],
    x_label: str,
) -> Chart:
    """A row for each name, a dot in it for each series, along one axis; the series differ in colour and shape."""
    data = [
        {"row": row, "series": said, "value": value, "hover": f"{row}, {said}: {show(value)}"}
        for said, values in series
        for row, value in zip(rows, values, strict=True)
        if value is not None
    ]
    names = [said for said, _ in series]
    where = {
        "y": named("row", scale={"domain": list(rows)}, axis=axis(grid=True)),
        "x": number(
            "value", scale={"domain": list(ends), "zero": False}, axis=axis(title=x_label, grid=True)
        ),
    }
    if len(names) > 1:  # a little apart, so that no dot hides another
        where["yOffset"] = {"field": "series", "sort": None, "scale": {"domain": names}}
    paint = painted(names, range(len(names)), shapes=True)
    mark = layer("point", {**where, **paint, "tooltip": hover()}, filled=True, size=70, opacity=1)
    return chart(name, title, desc, data, [mark], width=NARROW, height=36 * max(1, len(rows)))
