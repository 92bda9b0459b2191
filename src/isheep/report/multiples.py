"""Two small plots that stand many to a page: values with their spread by column, and histograms back to back.

Knows: numbers and names. Does not know: what they mean (quality_view.py does). A value of None is a gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.report.chart import NARROW, Chart, axis, beside, chart, hover, layer, named, number, painted
from isheep.report.charts import Series
from isheep.report.numbers import count, percent

HEIGHT = 170.0
#: Scores that an answer can have.
SCORES = range(1, 11)
#: How far a histogram reaches to its side, as a share of its column.
REACH = 0.45


def spans(
    name: str,
    title: str,
    desc: str,
    columns: Sequence[str],
    series: Sequence[Series],
    unit: Mapping[str, Any],
) -> Chart:
    """Values by column from zero, each with a bar from its low to its high; series side by side, joined by lines."""
    rows = [
        {"column": column, "series": one.name, "value": p.value, "low": p.low, "high": p.high, "joined": one.joined,
         "hover": f"{column}: {p.hover}"}
        for one in series
        for column, p in zip(columns, one.points, strict=True)
        if p
    ]  # fmt: skip
    names = [s.name for s in series]
    paint = painted(names, [s.look for s in series], shapes=True)
    ink = {"color": paint["color"]}
    where = {"x": named("column", scale={"domain": list(columns), "padding": 0.4}), **beside(names)}
    y = number("value", axis=axis(unit), scale={"zero": True})
    layers = [
        layer("line", {**where, "y": y, **ink}, "joined", strokeWidth=2),
        layer("rule", {**where, "y": number("low"), "y2": {"field": "high"}, **ink}, strokeWidth=2),
        layer("point", {**where, "y": y, **paint, "tooltip": hover()}, filled=True, size=70, opacity=1),
    ]
    return chart(name, title, desc, rows, layers, width=NARROW, height=HEIGHT)


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
) -> Chart:
    """Histograms of the scores 1 to 10, upright: by column one to the left and one to the right of a line, each with a
    mark at its mean. Bars are shares of their own histogram; all have one scale, so that columns can be compared."""
    there = [(i, side, half) for i, cell in enumerate(cells) for side, half in enumerate(cell) if half]
    most = max((max(half.counts) / sum(half.counts) for *_, half in there), default=1.0) or 1.0
    rows: list[dict[str, Any]] = []
    for i, side, half in there:
        out, total = 2 * side - 1, sum(half.counts)
        for score, n in zip(SCORES, half.counts, strict=True):
            said = f"{columns[i]}, {half.name}, score {score}: {count(n)}, {percent(n / total)}"
            rows.append({"column": columns[i], "series": half.name, "score": score, "count": n, "share": n / total,
                         "low": score - 0.44, "high": score + 0.44, "from": i, "to": i + out * REACH * n / total / most,
                         "hover": said})  # fmt: skip
        said = f"{columns[i]}, {half.name}, mean {half.mean:.2f}"
        rows.append({"column": columns[i], "series": half.name, "mean": half.mean, "place": i + out * 0.06,
                     "look": "triangle-left" if side else "triangle-right", "hover": said})  # fmt: skip
    ends = {"domain": [-0.5, len(columns) - 0.5], "nice": False, "zero": False}
    x = number("from", scale=ends, axis=None)
    y = number("low", scale={"domain": [0.5, 10.5], "nice": False, "zero": False},
               axis=axis({"values": list(SCORES), "grid": False}))  # fmt: skip
    paint = painted(list(names), [0, 2])
    middle = {"data": {"values": [{"at": i, "column": column} for i, column in enumerate(columns)]}}
    layers = [
        layer("rect", {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"field": "high"}, **paint, "tooltip": hover()}),
        {**layer("rule", {"x": number("at")}), **middle},
        {**layer("text", {"x": number("at"), "y": {"value": "height"}, "text": {"field": "column"}}, dy=14,
                 color="var(--muted)"), **middle},
        layer("point", {"x": number("place"), "y": number("mean"), "shape": {"field": "look", "scale": None},
                        "tooltip": hover()}, filled=True, size=70, color="var(--text)", opacity=1),
    ]  # fmt: skip
    return chart(name, title, desc, rows, layers, width=NARROW, height=HEIGHT)
