"""Two small plots that stand many to a page: values with their spread by column, and histograms back to back.

Knows: numbers and names. Does not know: what they mean (quality_view.py does). A value of None is a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isheep.report.charts import NARROW, Series, Show
from isheep.report.markup import Html, el
from isheep.report.numbers import count, percent
from isheep.report.svg import Frame, bar, image, label, line, marker, style

HEIGHT = 200.0
#: Scores and the height of the row of one, in pixels.
SCORES, ROW = 10, 15.0


def spans(
    name: str,
    title: str,
    desc: str,
    columns: Sequence[str],
    series: Sequence[Series],
    show: Show,
) -> Html:
    """Values by column from zero, each with a bar from its low to its high; series side by side, joined by lines."""
    highs = [p.high for s in series for p in s.points if p]
    frame = Frame(0.0, max(highs, default=0.0) or 1.0, show, "", NARROW, HEIGHT)
    frame.top = 34 if len(series) > 1 else 16
    parts = [frame.axes(), frame.columns(columns)]
    apart = min(14.0, frame.inner / len(columns) / (len(series) + 1))
    for number, one in enumerate(series):
        cls = style(one.look)
        shift = apart * (number - (len(series) - 1) / 2)
        there = [(frame.band(i, len(columns)) + shift, p) for i, p in enumerate(one.points) if p]
        if one.joined and len(there) > 1:
            d = "L".join(f"{x:.2f} {frame.y(p.value):.2f}" for x, p in there)
            parts.append(el("path", d=f"M{d}", cls=f"joined {cls}"))
        for x, p in there:
            top, bottom = frame.y(p.high), frame.y(p.low)
            if p.high > p.low:
                parts.append(line(x, top, x, bottom, f"whisker {cls}"))
                parts += [line(x - 4, y, x + 4, y, f"whisker {cls}") for y in (top, bottom)]
            parts.append(marker(one.look, x, frame.y(p.value), f"point {cls}", p.hover))
    legend = [(s.name, style(s.look), s.look) for s in series]
    return image(
        name, title, desc, frame.width, frame.height, *parts,
        frame.legend(legend) if len(series) > 1 else Html(""),
    )  # fmt: skip


@dataclass(frozen=True)
class Half:
    """One side of a pair of histograms: how many of each score, from 1, and their mean."""

    name: str
    counts: Sequence[int]
    mean: float


def halves(
    name: str,
    title: str,
    desc: str,
    columns: Sequence[str],
    cells: Sequence[tuple[Half | None, Half | None]],
    names: tuple[str, str],
) -> Html:
    """Histograms of the scores 1 to 10, upright: by column one to the left and one to the right of a line, each with a
    mark at its mean. Bars are shares of their own histogram; all have one scale, so that columns can be compared."""
    left, right, top = 30.0, 10.0, 32.0
    base = top + SCORES * ROW
    width = (NARROW - left - right) / len(columns)
    shares = [[n / sum(h.counts) for n in h.counts] for cell in cells for h in cell if h]
    unit = 0.45 * width / max((max(found) for found in shares), default=1.0)

    def y(score: float) -> float:
        return base - (score - 0.5) * ROW

    parts = [label(left - 8, y(s) + 4, str(s), anchor="end") for s in range(1, SCORES + 1)]
    for i, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        x = left + width * (i + 0.5)
        parts.append(label(x, base + 17, column))
        for side, half in enumerate(cell):
            if half:
                parts += _half(half, side, x, unit, y, column)
        parts.append(line(x, top, x, base, "axis"))
    legend = Frame(0, 1, str, "", left=left).legend([(names[0], style(0), -1), (names[1], style(2), -1)])
    return image(name, title, desc, NARROW, base + 24, *parts, legend)


def _half(
    half: Half, side: int, x: float, unit: float, y: Callable[[float], float], column: str
) -> list[Html]:
    """The bars of one side, 0 the left one, and the mark at their mean, a triangle that points at the line."""
    total, look, out = sum(half.counts), style(2 * side), 2 * side - 1
    parts = []
    for score, n in enumerate(half.counts, 1):
        long = unit * n / total
        hover = f"{column}, {half.name}, score {score}: {count(n)}, {percent(n / total)}"
        if n:
            parts.append(
                bar(
                    x - long if side == 0 else x, y(score) - ROW / 2 + 1, long, ROW - 2, f"fill {look}", hover
                )
            )
    said = el("title", f"{column}, {half.name}, mean {half.mean:.2f}")
    tip, back = x + out, x + 10 * out
    d = f"M{tip:.2f} {y(half.mean):.2f}L{back:.2f} {y(half.mean) - 6:.2f}V{y(half.mean) + 6:.2f}Z"
    return [*parts, el("path", said, d=d, cls="point mean")]
