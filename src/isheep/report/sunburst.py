"""A sunburst: two rings of named shares, the outer ring dividing what stands inside it, as one SVG image.

Knows: names and counts. Does not know: that they are verbs and nouns. A label stands only where it lies within its own
wedge with room to spare, so no two can touch; names that are too long are cut. Every wedge says its name and count when
pointed at, and the image's description says them all.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from isheep.report.markup import Html, el, visible
from isheep.report.numbers import count, percent
from isheep.report.svg import image, label, style

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
) -> Html:
    """The `most` largest slices and their `parts` largest parts, from the top clockwise, equals by name; the rest of
    `total` is "other". `name` is unique in the page; `unit` is what is counted."""
    found = sorted((s for s in slices if s.count), key=lambda s: (-s.count, s.name))
    seen = [s for s in found[:most] if math.tau * s.count / total * MIDDLE >= THIN]
    drawn: list[Html] = []
    labels: list[Html] = []
    said = []
    start = 0.0
    for one in seen:
        end = start + math.tau * one.count / total
        wedge = Wedge(HOLE, MIDDLE, start, end)
        hover = f"{one.name}: {_counted(one.count, total, unit)}"
        drawn.append(_path(wedge, f"sun-verb {style(one.look)}", hover))
        labels += _label(wedge, one.name, "key on")
        inner, texts, words = _outer(one, start, total, unit, parts)
        drawn += inner
        labels += texts
        said.append(f"{hover}{words}")
        start = end
    rest = total - sum(s.count for s in seen)
    if rest:
        wedge = Wedge(HOLE, MIDDLE, start, math.tau)
        hover = f"other: {_counted(rest, total, unit)}"
        drawn.append(_path(wedge, "sun-other", hover))
        labels += _label(wedge, "other", "key")
        said.append(hover)
    middle = [label(SIDE / 2, SIDE / 2 - 1, count(total), "row-total"), label(SIDE / 2, SIDE / 2 + 14, unit)]
    return image(name, title, "; ".join(said), SIDE, SIDE, *drawn, *labels, *middle)


def _outer(one: Slice, start: float, total: int, unit: str, parts: int) -> tuple[list[Html], list[Html], str]:
    """The outer ring over one slice: wedges, labels, and the parts in words."""
    drawn, labels, said = [], [], []
    left, look = one.count, style(one.look)
    for part, n in sorted(one.parts, key=lambda cell: (-cell[1], cell[0]))[:parts]:
        end = start + math.tau * n / total
        if (end - start) * RIM < THIN:
            break
        wedge = Wedge(MIDDLE, RIM, start, end)
        drawn.append(_path(wedge, f"sun-noun {look}", f"{one.name} {part}: {_counted(n, total, unit)}"))
        labels += _label(wedge, part, "key")
        said.append(f"{part} {count(n)}")
        start, left = end, left - n
    if left:
        wedge = Wedge(MIDDLE, RIM, start, start + math.tau * left / total)
        hover = f"{one.name}, other: {_counted(left, total, unit)}"
        drawn.append(_path(wedge, f"sun-rest {look}", hover))
        said.append(f"other {count(left)}")
    return drawn, labels, f" ({', '.join(said)})" if said else ""


def _counted(n: int, total: int, unit: str) -> str:
    return f"{count(n)} {unit}, {percent(n / total)}"


def _path(wedge: Wedge, cls: str, hover: str) -> Html:
    """Each edge in two arcs, so that a full circle is drawn like any other."""
    half = (wedge.start + wedge.end) / 2

    def to(radius: float, angle: float) -> str:
        x, y = at(radius, angle)
        return f"{SIDE / 2 + x:.1f} {SIDE / 2 + y:.1f}"

    def arc(radius: float, angle: float, clockwise: int) -> str:
        return f"A{radius:g} {radius:g} 0 0 {clockwise} {to(radius, angle)}"

    d = (
        f"M{to(wedge.outer, wedge.start)}{arc(wedge.outer, half, 1)}{arc(wedge.outer, wedge.end, 1)}"
        f"L{to(wedge.inner, wedge.end)}{arc(wedge.inner, half, 0)}{arc(wedge.inner, wedge.start, 0)}Z"
    )
    return el("path", el("title", hover), d=d, cls=cls)


def _label(wedge: Wedge, text: str, cls: str) -> list[Html]:
    """The text in its wedge: upright if that fits, or along the radius, or cut, or not at all."""
    angle = wedge.angle
    along = angle - (0.5 if angle <= math.pi else 1.5) * math.pi  # never upside down
    for short in _shorter(visible(text)):
        width = text_width(short)
        middle, far = (wedge.inner + wedge.outer) / 2, wedge.outer - 2 * MARGIN - width / 2
        for radius, turn in ((middle, 0.0), (middle, along), (far, along)):  # a wedge is widest far out
            if wedge.holds(radius, width, LINE, turn):
                x, y = at(radius, angle)
                place = f"translate({SIDE / 2 + x:.1f} {SIDE / 2 + y:.1f})"
                if turn:
                    place += f" rotate({math.degrees(turn):.1f})"
                return [el("text", short, y=4, cls=cls, text_anchor="middle", transform=place)]
    return []


def _shorter(text: str) -> Iterator[str]:
    """The text, then cut ever shorter."""
    yield text
    for length in range(min(len(text), 40) - 1, SHORTEST - 1, -1):
        yield f"{text[: length - 1]}…"
