"""The kinds of plot a report is made of, each a function from plain numbers to one SVG image.

Knows: numbers and names. Does not know: what they mean (figures.py does). A value of None is a gap, never a zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isheep.report.markup import Html, el, join
from isheep.report.svg import LETTER, Frame, bar, image, label, line, marker, nice_ticks, shorten, style

Show = Callable[[float], str]
#: Plots that stand three in a row are drawn this wide, so that their letters are as large as those of the others.
NARROW = 350.0


@dataclass(frozen=True)
class Point:
    """A value with its interval."""

    value: float
    low: float
    high: float
    hover: str


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
    show: Show,
    y_label: str,
    *,
    least_span: float,
    value: Show | None = None,
    limits: tuple[float, float] = (float("-inf"), float("inf")),
    zero: bool = False,
) -> Html:
    """Values with interval bars by column. `least_span`: the axis never shows less, so that noise looks like noise.
    `zero` draws the line of no change; `value` writes each value beside its point."""
    points = [p for s in series for p in s.points if p]
    low, high = min(p.low for p in points), max(p.high for p in points)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    pad = max(0.06 * (high - low), (least_span - (high - low)) / 2)
    frame = Frame(max(low - pad, limits[0]), min(high + pad, limits[1]), show, y_label)
    parts = [frame.axes(), frame.columns(columns)]
    if zero:
        parts.append(line(frame.left, frame.y(0), frame.width - frame.right, frame.y(0), "zero"))
    room = frame.inner / max(1, len(columns))
    apart = min(16.0, room / (len(series) + 1))
    solid = sum(not s.hollow for s in series)
    for number, one in enumerate(
        series
    ):  # side by side, so that no bar hides another; the hollow ones to the right
        shift = apart * (number - (solid - 1) / 2)
        xs = [frame.band(i, len(columns)) + shift for i in range(len(columns))]
        parts.append(_interval_series(frame, one, xs, value if room > 40 else None))
    names = {s.name: (s.name, f"{style(s.look)}{' hollow' * s.hollow}", s.look) for s in reversed(series)}
    legend = frame.legend(list(reversed(names.values())))
    return image(name, title, desc, frame.width, frame.height, *parts, legend)


def _interval_series(frame: Frame, series: Series, xs: Sequence[float], value: Show | None) -> Html:
    cls = style(series.look)
    there = [(x, p) for x, p in zip(xs, series.points, strict=True) if p]
    parts = []
    if series.joined and len(there) > 1:
        path = "L".join(f"{x:.2f} {frame.y(p.value):.2f}" for x, p in there)
        parts.append(el("path", d=f"M{path}", cls=f"joined {cls}"))
    for x, p in there:
        top, bottom = frame.y(p.high), frame.y(p.low)
        ends = [line(x - 4, y, x + 4, y, f"whisker {cls}") for y in (top, bottom)]
        parts += [line(x, top, x, bottom, f"whisker {cls}"), *ends]
        look = f"point {cls}{' hollow' * series.hollow}"
        parts.append(marker(series.look, x, frame.y(p.value), look, p.hover))
        if value and not series.hollow:
            parts.append(_value(frame, series, x, p, value(p.value)))
    return join(parts)


def _value(frame: Frame, series: Series, x: float, p: Point, text: str) -> Html:
    """A point's value where it hides least: above or below a line, left or right of a point that stands alone."""
    first, cls = series.look % 2 == 0, f"value {style(series.look)}"
    if not series.joined:
        return label(x + (-9 if first else 9), frame.y(p.value) + 4, text, cls, "end" if first else "start")
    y = max(frame.y(p.high) - 7, frame.top - 2) if first else min(frame.y(p.low) + 16, frame.base - 4)
    return label(x, y, text, cls)


def curves(
    name: str,
    title: str,
    desc: str,
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    x_label: str,
    y_label: str,
) -> Html:
    """Lines over a common x axis, each a list of (x, y)."""
    xs, ys = ([p[i] for _, points in lines for p in points] for i in (0, 1))
    frame = Frame(min(0.0, *ys), max(ys) or 1.0, lambda v: f"{v:g}", y_label, NARROW, x_label=x_label)
    ticks = nice_ticks(min(xs), max(xs))
    ticks = [t for t in ticks if min(xs) <= t <= max(xs)] or [min(xs)]
    span = (max(xs) - min(xs)) or 1.0

    def at(x: float) -> float:
        return frame.left + 6 + (frame.inner - 12) * (x - min(xs)) / span

    parts = [frame.axes()]
    parts += [label(at(t), frame.base + 16, f"{t:g}") for t in ticks]
    for number, (said, points) in enumerate(lines):
        path = "L".join(f"{at(x):.1f} {frame.y(y):.1f}" for x, y in points)
        parts.append(el("path", el("title", said), d=f"M{path}", cls=f"curve {style(number)}"))
        x, y = points[-1]
        parts.append(marker(number, at(x), frame.y(y), f"point {style(number)}", f"{said}: {y:.3f}"))
    legend = frame.legend([(said, style(i), i) for i, (said, _) in enumerate(lines)])
    return image(name, title, desc, frame.width, frame.height, *parts, legend)


def bars(
    name: str,
    title: str,
    desc: str,
    columns: Sequence[str],
    groups: Sequence[tuple[str, Sequence[float | None]]],
    show: Show,
    y_label: str,
    *,
    x_label: str = "",
    high: float | None = None,
    gap: float = 0.3,
    values: bool = True,
    height: float = 250,
    first_look: int = 0,
) -> Html:
    """Grouped columns from zero. `high` fixes the axis, so that several plots can be compared; `gap` is the share of a
    column left free (small for a histogram)."""
    known = [v for _, cells in groups for v in cells if v is not None]
    top = high if high is not None else max(known, default=0.0) or 1.0
    frame = Frame(0.0, top, show, y_label, NARROW, height, x_label=x_label)
    if len(groups) == 1:
        frame.top = 18
    parts = [frame.axes(), frame.columns(columns)]
    room = frame.inner / max(1, len(columns)) * (1 - gap)
    width = min(room / len(groups), 46.0)
    for g, (said, cells) in enumerate(groups):
        for i, value in enumerate(cells):
            if value is None:
                continue
            x = frame.band(i, len(columns)) + width * (g - len(groups) / 2)
            y = frame.y(value)
            hover = f"{columns[i]}, {said}: {show(value)}" if said else f"{columns[i]}: {show(value)}"
            parts.append(bar(x + 0.5, y, width - 1, frame.base - y, f"fill {style(g + first_look)}", hover))
            if values:
                parts.append(label(x + width / 2, y - 5, show(value), "value"))
    if len(groups) > 1:
        parts.append(frame.legend([(said, style(g + first_look), -1) for g, (said, _) in enumerate(groups)]))
    return image(name, title, desc, frame.width, frame.height, *parts)


def funnel(name: str, title: str, desc: str, rows: Sequence[Row], whole: float) -> Html:
    """Rows from top to bottom: what there was, what each reason took away, and what was left."""
    width, left, right, step = NARROW, 124.0, 56.0, 22.0
    scale = (width - left - right) / (whole or 1.0)
    parts = []
    for i, row in enumerate(rows):
        y = 4 + i * step
        heavy = "row" if row.look == "drop" else "row-total"
        x = left + row.start * scale
        size = max(row.size * scale, 1.5 if row.size else 0.0)
        parts.append(label(left - 8, y + 14, shorten(row.name, left - 8), heavy, "end"))
        parts.append(bar(x, y + 2, size, step - 5, f"funnel-{row.look}", f"{row.name}: {row.note}"))
        parts.append(label(x + size + 5, y + 14, row.note, heavy, "start"))
    return image(name, title, desc, width, 8 + step * len(rows), *parts)


def stacked(
    name: str,
    title: str,
    desc: str,
    rows: Sequence[str],
    parts_of: Sequence[tuple[str, Sequence[float]]],
    show: Show,
) -> Html:
    """One horizontal bar a row, made of the same parts in the same order."""
    width, left, right, step = NARROW, 40.0, 78.0, 30.0
    totals = [sum(cells[i] for _, cells in parts_of) for i in range(len(rows))]
    scale = (width - left - right) / (max(totals, default=0.0) or 1.0)
    head, drawn = _wrapped_legend([said for said, _ in parts_of], width)
    for i, row in enumerate(rows):
        x, y = left, head + i * step
        drawn.append(label(left - 8, y + 15, shorten(row, left - 8), "row", "end"))
        for g, (said, cells) in enumerate(parts_of):
            hover = f"{row}, {said}: {show(cells[i])}"
            drawn.append(bar(x, y, cells[i] * scale, step - 8, f"fill {style(g)}", hover))
            x += cells[i] * scale
        drawn.append(label(x + 6, y + 15, show(totals[i]), "row", "start"))
    return image(name, title, desc, width, head + step * len(rows), *drawn)


def _wrapped_legend(names: Sequence[str], width: float) -> tuple[float, list[Html]]:
    """Boxes with names, as many lines as they need; how high that is, and the boxes."""
    x, y, parts = 8.0, 6.0, []
    for g, name in enumerate(names):
        if x > 8 and x + 30 + LETTER * len(name) > width:
            x, y = 8.0, y + 20
        parts += [bar(x, y, 10, 10, f"fill {style(g)}"), label(x + 15, y + 9, name, "key", "start")]
        x += 32 + LETTER * len(name)
    return y + 24, parts
