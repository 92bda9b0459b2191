"""What a plot is: a Vega-Lite spec (a plain dict with its data inside), its words, and the theme that all plots share.

Knows: Vega-Lite's vocabulary and the names of the page's colours, which are CSS variables, so that light and dark need
no second spec. Does not know: what a plot shows (charts.py, ...), nor how it becomes an image (drawing.py).

Texts enter a spec as values of data rows under field names that are ours, or as titles; never as an expression.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.report.markup import visible

Row = dict[str, Any]
Layer = dict[str, Any]

#: Widths in pixels a plot is drawn at where nobody can measure its place (the images on disk, a page without scripts):
#: of two in a row, of three in a row, and of one alone.
WIDE, NARROW, FULL = 480, 320, 800
HEIGHT = 240
#: Colours `--s1` to `--s8` exist in style.css; more series than that repeat.
STYLES = 8
#: A series differs from the next in shape too, so that colour is never the only difference.
SHAPES = ("circle", "diamond", "square")
#: Fields of a row that only say how it is drawn; they are not part of its data.
DRAWN = frozenset(
    {
        "label",
        "hover",
        "joined",
        "paint",
        "above",
        "below",
        "look",
        "turn",
        "ink",
        "weight",
        "last",
        "whole",
        "kind",
    }
    | {"marked", "bare", "whisker", "banded", "guiding", "place", "labelled"}
)

#: How an axis writes its numbers. The expressions are these alone; no text of a run ever becomes one.
PERCENT: Row = {"format": ".1~%"}
POINTS: Row = {"labelExpr": "format(100 * datum.value, '+.3~g')"}
SHORT: Row = {"format": "~s"}
PLAIN: Row = {}

CONFIG: Row = {
    "aria": False,  # the element around a plot says what it shows, once
    "background": "transparent",
    "font": 'Inter, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)", "titleColor": "var(--muted)", "gridColor": "var(--grid)",
        "domainColor": "var(--muted)", "tickColor": "var(--muted)", "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal", "labelLimit": 190, "labelOverlap": True,
    },
    "axisQuantitative": {"tickCount": 5},
    "axisX": {"grid": False, "labelAngle": 0, "labelPadding": 5},
    "axisY": {"domain": False, "ticks": False, "labelPadding": 6},
    "legend": {
        "orient": "top", "title": None, "labelColor": "var(--text)", "labelFontSize": 12, "labelLimit": 260,
        "symbolStrokeWidth": 2,
    },
    "text": {"color": "var(--text)", "fontSize": 12},
    "rule": {"color": "var(--muted)"},
}  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """One plot. `name` is unique in its page and names its files; `desc` says in words all that it shows.

    `fixed`: it has a size of its own and is scaled as a whole; all others fill the width there is.
    """

    name: str
    title: str
    desc: str
    spec: Mapping[str, Any]
    fixed: bool = False

    @property
    def rows(self) -> list[Row]:
        """Its data, without what only says how it is drawn."""
        return [{k: v for k, v in row.items() if k not in DRAWN} for row in self.spec["data"]["values"]]


def chart(
    name: str,
    title: str,
    desc: str,
    rows: Iterable[Row],
    layers: Sequence[Layer],
    *,
    width: int = WIDE,
    height: float = HEIGHT,
    fixed: bool = False,
    **more: Any,
) -> Chart:
    """A chart of layers over one table. Every text in it is made visible; a number that is none is a gap."""
    spec = {
        "data": {"values": list(rows)},
        "width": width,
        "height": round(height),
        "autosize": {"type": "pad" if fixed else "fit-x", "contains": "padding"},
        "layer": list(layers),
        **more,
    }
    return Chart(name, visible(title), visible(desc), _shown(spec), fixed)


def _shown(value: Any) -> Any:
    """The same with every text made visible, and a number that is none as a gap."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {key: _shown(held) for key, held in value.items()}
    if isinstance(value, list | tuple | range):
        return [_shown(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def colour(look: int) -> str:
    """The colour of the n-th series, from 0."""
    return f"var(--s{look % STYLES + 1})"


def layer(mark: str, encoding: Mapping[str, Any], only: str = "", **look: Any) -> Layer:
    """A layer; `only`: of the rows in which this field is true."""
    made: Layer = {"mark": {"type": mark, **look}, "encoding": dict(encoding)}
    if only:
        made["transform"] = [{"filter": {"field": only, "equal": True}}]
    return made


def number(field: str, **more: Any) -> Row:
    """A field of numbers, without a title of its own."""
    return {"field": field, "type": "quantitative", "title": None, **more}


def named(field: str, **more: Any) -> Row:
    """A field of names, in the order of the rows."""
    return {"field": field, "type": "nominal", "sort": None, "title": None, **more}


def hover(field: str = "hover") -> Row:
    """What is shown when a mark is pointed at: a text of ours."""
    return {"field": field, "type": "nominal"}


def axis(unit: Mapping[str, Any] = PLAIN, title: str | None = None, **more: Any) -> Row:
    return {"title": title or None, **unit, **more}


def painted(
    names: Sequence[str],
    looks: Sequence[int],
    *,
    shapes: bool = False,
    field: str = "series",
    listed: Sequence[str] | None = None,
) -> Row:
    """Encodings that tell series apart by colour (and shape), with a legend where there are several (of those `listed`
    only: a legend cannot show a hollow mark)."""
    shown = names if listed is None else listed
    longest = max(map(len, shown), default=0)
    columns = 1 if longest > 26 else 2 if longest > 16 else 3
    legend: Any = {"columns": columns, "values": list(shown)} if len(shown) > 1 else None
    made: Row = {
        "color": named(
            field, legend=legend, scale={"domain": list(names), "range": [colour(look) for look in looks]}
        )
    }
    if shapes:
        signs = [SHAPES[look % len(SHAPES)] for look in looks]
        made["shape"] = named(field, legend=legend, scale={"domain": list(names), "range": signs})
    return made


def beside(names: Sequence[str], field: str = "series") -> Row:
    """Series of one column side by side, so that none hides another; nothing for one alone."""
    offset = {"field": field, "sort": None, "scale": {"domain": list(names)}}
    return {"xOffset": offset} if len(names) > 1 else {}
