"""Two kinds of plot for what is watched: a figure against its limit, and dots by row.

Knows: numbers and names. Does not know: what they mean (health_view.py does). A value of None is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isheep.report.charts import NARROW
from isheep.report.markup import Html, el
from isheep.report.svg import Frame, image, label, line, marker, nice_ticks, shorten, style

Show = Callable[[float], str]


@dataclass(frozen=True)
class Reading:
    """A figure in one column. `ok` is False when it breaks its limit."""

    value: float | None
    limit: float | None
    ok: bool | None
    hover: str


def gauge(
    name: str, title: str, desc: str, columns: Sequence[str], readings: Sequence[Reading], show: Show
) -> Html:
    """Values by column from zero, each with its limit as a dashed line; one that breaks it has another shape, another
    colour and a cross."""
    known = [v for r in readings for v in (r.value, r.limit) if v is not None]
    frame = Frame(min(0.0, *known), max(known) or 1.0, show, "", NARROW, 190, left=62)
    frame.top = 20
    parts = [frame.axes(), frame.columns(columns)]
    half = frame.inner / len(columns) / 2
    xs = [frame.band(i, len(columns)) for i in range(len(columns))]
    there = [(x, frame.y(r.value)) for x, r in zip(xs, readings, strict=True) if r.value is not None]
    if len(there) > 1:
        parts.append(el("path", d="M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in there), cls="joined s1"))
    for x, reading in zip(xs, readings, strict=True):
        if reading.limit is not None:
            y = frame.y(reading.limit)
            parts.append(line(x - 0.9 * half, y, x + 0.9 * half, y, "limit"))
        if reading.value is not None:
            wrong = reading.ok is False
            y = frame.y(reading.value)
            parts.append(marker(int(wrong), x, y, "point broken" if wrong else "point s1", reading.hover))
            if wrong:
                parts.append(label(x, y - 9, "✗", "value broken"))
    return image(name, title, desc, frame.width, frame.height, *parts)


def dots(
    name: str,
    title: str,
    desc: str,
    rows: Sequence[str],
    series: Sequence[tuple[str, Sequence[float | None]]],
    show: Show,
    ends: tuple[float, float],
    x_label: str,
) -> Html:
    """A row for each name, a dot in it for each series, along one axis; the series differ in colour and shape."""
    left, right, top, step = 92.0, 20.0, 34.0, 34.0
    base = top + step * len(rows)
    ticks = [t for t in nice_ticks(*ends) if ends[0] <= t <= ends[1]]

    def at(value: float) -> float:
        return left + (NARROW - left - right) * (value - ends[0]) / (ends[1] - ends[0])

    parts = [line(at(t), top, at(t), base, "grid") for t in ticks]
    parts += [label(at(t), base + 17, show(t)) for t in ticks]
    parts.append(line(left, base, NARROW - right, base, "axis"))
    for i, row in enumerate(rows):
        y = top + step * (i + 0.5)
        parts.append(line(left, y, NARROW - right, y, "grid"))
        parts.append(label(left - 10, y + 4, shorten(row, left - 10), "row", "end"))
        for number, (said, values) in enumerate(series):
            value = values[i]
            if value is not None:  # a little apart, so that no dot hides another
                apart = 6 * (number - (len(series) - 1) / 2)
                hover = f"{row}, {said}: {show(value)}"
                parts.append(marker(number, at(value), y + apart, f"point {style(number)}", hover))
    parts.append(label((left + NARROW - right) / 2, base + 36, x_label, "name"))
    legend = Frame(0, 1, show, "", left=16).legend(
        [(said, style(i), i) for i, (said, _) in enumerate(series)]
    )
    return image(name, title, desc, NARROW, base + 44, *parts, legend)
