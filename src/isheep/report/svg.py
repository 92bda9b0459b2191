"""Drawing: a plot's frame (axes, grid, legend) as inline SVG. Knows: coordinates. Does not know: isheep.

No colour is set here: everything has a class (`s1`, `grid`, `tick`, ...) that the page's style colours, in light and
dark. Every plot is one image to a screen reader, with a title and a sentence that says what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from isheep.report.markup import Html, el, join

#: Styles `s1` to `s8` exist in style.css; more series than that repeat.
STYLES = 8
#: Roughly how wide a letter of the 12-pixel labels is, for legends and cut labels.
LETTER = 6.3


def style(index: int) -> str:
    """The class of the n-th series, from 0."""
    return f"s{index % STYLES + 1}"


def image(name: str, title: str, desc: str, width: float, height: float, *content: Html) -> Html:
    """One plot. `name` is unique in the page: it ties the picture to its title and its description."""
    return el(
        "svg",
        el("title", title, id=f"{name}-title"),
        el("desc", desc, id=f"{name}-desc"),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def label(x: float, y: float, text: str, cls: str = "tick", anchor: str = "middle") -> Html:
    """A piece of text; `anchor` is start, middle or end."""
    return el("text", text, x=x, y=y, cls=cls, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, cls: str) -> Html:
    return el("line", x1=x1, y1=y1, x2=x2, y2=y2, cls=cls)


def bar(x: float, y: float, width: float, height: float, cls: str, hover: str = "") -> Html:
    """A filled box that says what it is when pointed at."""
    said = el("title", hover) if hover else None
    return el("rect", said, x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), rx=1.5, cls=cls)


def marker(shape: int, x: float, y: float, cls: str, hover: str) -> Html:
    """A point: each series has its own shape, so that colour is never the only difference."""
    said = el("title", hover)
    if shape % 3 == 0:
        return el("circle", said, cx=x, cy=y, r=4.5, cls=cls)
    if shape % 3 == 1:
        return el("path", said, d=f"M{x:.2f} {y - 6:.2f}l6 6l-6 6l-6 -6z", cls=cls)
    return el("rect", said, x=x - 4, y=y - 4, width=8, height=8, cls=cls)


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that span [low, high]."""
    span = (high - low) or abs(high) or 1.0
    rough = span / max(1, about)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def shorten(text: str, width: float) -> str:
    """A label cut to a width in pixels."""
    room = max(1, int(width / LETTER))
    return text if len(text) <= room else f"{text[: room - 1]}…"


@dataclass
class Frame:
    """A plot with a y axis: where a value lies, and the lines around it."""

    low: float
    high: float
    show: Callable[[float], str]
    y_label: str
    width: float = 460
    height: float = 280
    left: float = 56
    right: float = 14
    top: float = 34
    bottom: float = 28
    ticks: list[float] = field(default_factory=list)

    x_label: str = ""

    def __post_init__(self) -> None:
        self.bottom += 18 if self.x_label else 0
        self.ticks = nice_ticks(self.low, self.high)
        self.low, self.high = self.ticks[0], self.ticks[-1]

    @property
    def base(self) -> float:
        """The y coordinate of the bottom axis."""
        return self.height - self.bottom

    @property
    def inner(self) -> float:
        return self.width - self.left - self.right

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.base - share * (self.base - self.top)

    def band(self, index: int, count: int) -> float:
        """The middle of the n-th of `count` columns."""
        return self.left + self.inner * (index + 0.5) / count

    def axes(self) -> Html:
        """Grid, tick labels and axis titles."""
        middle = (self.top + self.base) / 2
        parts = [
            join(
                [
                    line(self.left, self.y(t), self.width - self.right, self.y(t), "grid"),
                    label(self.left - 7, self.y(t) + 4, self.show(t), anchor="end"),
                ]
            )
            for t in self.ticks
        ]
        parts.append(line(self.left, self.base, self.width - self.right, self.base, "axis"))
        parts.append(
            el(
                "text",
                self.y_label,
                cls="name",
                text_anchor="middle",
                transform=f"translate(12 {middle:g}) rotate(-90)",
            )
        )
        if self.x_label:
            parts.append(label(self.left + self.inner / 2, self.height - 6, self.x_label, "name"))
        return join(parts)

    def columns(self, names: Sequence[str]) -> Html:
        """A label under each column."""
        room = self.inner / max(1, len(names))
        return join(
            label(self.band(i, len(names)), self.base + 17, shorten(name, room))
            for i, name in enumerate(names)
        )

    def legend(self, entries: Sequence[tuple[str, str, int]]) -> Html:
        """(name, class, shape) of each series in a row above the plot; -1 draws a box instead of a point."""
        x, parts = self.left, []
        for name, cls, shape in entries:
            sign = (
                bar(x - 4, 11, 10, 10, f"fill {cls}")
                if shape < 0
                else marker(shape, x, 16, f"point {cls}", name)
            )
            parts.append(join([sign, label(x + 10, 20, name, "key", "start")]))
            x += 26 + LETTER * len(name)
        return join(parts)
