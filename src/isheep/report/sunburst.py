"""A sunburst: two rings of named shares, the outer ring dividing what stands inside it, as one chart.

Knows: names and counts. Does not know: that they are verbs and nouns. A label stands only where it lies within its own
wedge with room to spare, so no two can touch; names that are too long are cut. Every wedge says its name and count when
pointed at, and the chart's description says them all. Vega-Lite draws the wedges; where a label has room is found here.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from isheep.report.chart import Chart, Row, chart, colour, hover, layer, number
from isheep.report.markup import visible
from isheep.report.numbers import count, percent

#: Width and height of the image, and the radii of hole, first and second ring, in pixels.
SIDE, HOLE, MIDDLE, RIM = 440.0, 42.0, 132.0, 218.0
#: From the top of the highest to the foot of the lowest letter, at the largest size the page gives to letters (13.5
#: pixels, on small screens).
LINE = 13.5
#: Free space around a label, in pixels.
MARGIN = 1.5
#: A wedge thinner than this at its outer edge, in pixels, is joined with the rest: it could not be seen.
THIN = 1.2
#: Fewer letters than these of a cut name say nothing.
SHORTEST = 5


@dataclass(frozen=True)
class Slice:
    """A name, how many there are of it, and what they divide into (which may be fewer: the rest has other names)."""

    name: str
    count: int
    parts: Sequence[tuple[str, int]] = ()
    #: Picks its colour, so that a name can have the same one in several images.
    look: int = 0


@dataclass(frozen=True)
class Wedge:
    """A piece of a ring: radii in pixels, angles in radians clockwise from the top."""

    inner: float
    outer: float
    start: float
    end: float

    @property
    def angle(self) -> float:
        """The middle one."""
        return (self.start + self.end) / 2

    def holds(self, radius: float, width: float, height: float, turn: float) -> bool:
        """Whether a box that has its centre at this radius, on the middle angle, and is turned clockwise by `turn`
        radians, lies within the wedge with MARGIN to spare."""
        angle = self.angle
        half = min((self.end - self.start) / 2, math.pi / 2)  # up to half a circle a wedge is convex
        width, height = width + 2 * MARGIN, height + 2 * MARGIN
        x, y = at(radius, angle)
        # The nearest point of the box to the centre of the rings, seen along the box's own axes.
        along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
        nearest = math.hypot(max(abs(along) - width / 2, 0.0), max(abs(across) - height / 2, 0.0))
        if nearest < self.inner:
            return False
        return all(self._has(angle, half, px, py) for px, py in corners(x, y, width, height, turn))

    def _has(self, angle: float, half: float, x: float, y: float) -> bool:
        apart = math.remainder(math.atan2(x, -y) - angle, math.tau)
        return math.hypot(x, y) <= self.outer and abs(apart) <= half


def at(radius: float, angle: float) -> tuple[float, float]:
    """The point at an angle clockwise from the top; y grows downwards."""
    return radius * math.sin(angle), -radius * math.cos(angle)


def corners(x: float, y: float, width: float, height: float, turn: float) -> Iterator[tuple[float, float]]:
    """The corners of a box around (x, y), turned clockwise."""
    for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        along, across = dx * width / 2, dy * height / 2
        yield (
            x + along * math.cos(turn) - across * math.sin(turn),
            y + along * math.sin(turn) + across * math.cos(turn),
        )


def text_width(text: str) -> float:
    """At least as wide as the text is drawn, in pixels: letters of the page's largest labels, bold."""
    return sum(map(_letter_width, text))


def _letter_width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF" or not letter.isascii():
        return 15.0
    if letter in "fijlrt'.,-":
        return 5.8
    return 13.0 if letter in "mwMWQO@%" else (10.5 if letter.isupper() or letter in "&#_" else 8.4)


def sunburst(
    name: str, title: str, slices: Iterable[Slice], total: int, unit: str, *, most: int, parts: int
) -> Chart:
    """The `most` largest slices and their `parts` largest parts, from the top clockwise, equals by name; the rest of
    `total` is "other". `name` is unique in the page; `unit` is what is counted."""
    found = sorted((s for s in slices if s.count), key=lambda s: (-s.count, s.name))
    seen = [s for s in found[:most] if math.tau * s.count / total * MIDDLE >= THIN]
    drawn: list[Row] = []
    said = []
    start = 0.0
    for one in seen:
        end = start + math.tau * one.count / total
        text = f"{one.name}: {_counted(one.count, total, unit)}"
        wedge = Wedge(HOLE, MIDDLE, start, end)
        drawn.append(_row(wedge, one.name, "", one.count, text, colour(one.look), 1, one.name, "var(--card)"))
        outer, words = _outer(one, start, total, unit, parts)
        drawn += outer
        said.append(f"{text}{words}")
        start = end
    rest = total - sum(s.count for s in seen)
    if rest:
        wedge = Wedge(HOLE, MIDDLE, start, math.tau)
        text = f"other: {_counted(rest, total, unit)}"
        drawn.append(_row(wedge, "other", "", rest, text, "var(--drop)", 1, "other", "var(--text)"))
        said.append(text)
    lines = ((count(total), SIDE / 2 - 7), (unit, SIDE / 2 + 9))
    middle = [{"x": SIDE / 2, "y": y, "label": text} for text, y in lines]
    return chart(
        name, title, "; ".join(said), drawn, _layers(middle), width=int(SIDE), height=SIDE, fixed=True
    )


def _layers(middle: Sequence[Row]) -> list[Row]:
    """Wedges, their labels, and the words in the hole. All places are pixels and radians, so no scale is wanted."""

    def plain(field: str) -> Row:
        return number(field, scale=None, axis=None, legend=None)

    ring = {
        "theta": plain("start"), "theta2": {"field": "end"}, "radius": plain("inner"), "radius2": {"field": "outer"},
    }  # fmt: skip
    paint = {"color": {"field": "paint", "scale": None}, "opacity": plain("weight"), "tooltip": hover()}
    place = {"x": plain("x"), "y": plain("y"), "text": {"field": "label"}}
    text = layer(
        "text", {**place, "angle": plain("turn"), "color": {"field": "ink", "scale": None}}, "labelled"
    )
    return [
        layer("arc", {**ring, **paint}, stroke="var(--card)", strokeWidth=1.5),
        text,
        {**layer("text", place, fontWeight=600), "data": {"values": list(middle)}},
    ]


def _row(
    wedge: Wedge, name: str, part: str, n: int, text: str, paint: str, weight: float, shown: str, ink: str
) -> Row:
    """One wedge, with its label where it has room for one."""
    row: Row = {
        "name": name, "part": part, "count": n, "start": wedge.start, "end": wedge.end, "inner": wedge.inner,
        "outer": wedge.outer, "hover": text, "paint": paint, "weight": weight,
    }  # fmt: skip
    spot = placed(wedge, shown) if shown else None
    if spot is None:
        return row
    return {**row, "label": spot.text, "x": SIDE / 2 + spot.x, "y": SIDE / 2 + spot.y, "labelled": True,
            "turn": math.degrees(spot.turn), "ink": ink}  # fmt: skip


def _outer(one: Slice, start: float, total: int, unit: str, parts: int) -> tuple[list[Row], str]:
    """The outer ring over one slice: its wedges, and the parts in words."""
    drawn, said = [], []
    left, paint = one.count, colour(one.look)
    for part, n in sorted(one.parts, key=lambda cell: (-cell[1], cell[0]))[:parts]:
        end = start + math.tau * n / total
        if (end - start) * RIM < THIN:
            break
        text = f"{one.name} {part}: {_counted(n, total, unit)}"
        drawn.append(
            _row(Wedge(MIDDLE, RIM, start, end), one.name, part, n, text, paint, 0.24, part, "var(--text)")
        )
        said.append(f"{part} {count(n)}")
        start, left = end, left - n
    if left:
        wedge = Wedge(MIDDLE, RIM, start, start + math.tau * left / total)
        text = f"{one.name}, other: {_counted(left, total, unit)}"
        drawn.append(_row(wedge, one.name, "other", left, text, paint, 0.08, "", ""))
        said.append(f"other {count(left)}")
    return drawn, f" ({', '.join(said)})" if said else ""


def _counted(n: int, total: int, unit: str) -> str:
    return f"{count(n)} {unit}, {percent(n / total)}"


@dataclass(frozen=True)
class Label:
    """A text around its middle, turned clockwise by `turn` radians; the centre of the rings is (0, 0)."""

    text: str
    x: float
    y: float
    turn: float


def placed(wedge: Wedge, text: str) -> Label | None:
    """The text in its wedge: upright if that fits, or along the radius, or cut, or not at all."""
    angle = wedge.angle
    along = angle - (0.5 if angle <= math.pi else 1.5) * math.pi  # never upside down
    for short in _shorter(visible(text)):
        width = text_width(short)
        middle, far = (wedge.inner + wedge.outer) / 2, wedge.outer - 2 * MARGIN - width / 2
        for radius, turn in ((middle, 0.0), (middle, along), (far, along)):  # a wedge is widest far out
            if wedge.holds(radius, width, LINE, turn):
                return Label(short, *at(radius, angle), turn)
    return None


def _shorter(text: str) -> Iterator[str]:
    """The text, then cut ever shorter."""
    yield text
    for length in range(min(len(text), 40) - 1, SHORTEST - 1, -1):
        yield f"{text[: length - 1]}…"
