"""How a page shows figures and tables: grids that fold, and boxes that scroll by themselves."""

from __future__ import annotations

from collections.abc import Iterable

from isheep.report.figures import Figure
from isheep.report.markup import Html, el
from isheep.report.tables import Marked, Table


def grid(made: Iterable[Figure], cls: str = "grid") -> Html:
    shown = [
        el("figure", el("h3", f.title), f.plot, el("figcaption", f.note) if f.note else None) for f in made
    ]
    return el("div", shown, cls=cls) if shown else Html("")


def table_view(table: Table, captioned: bool = True) -> Html:
    """A table in a box that scrolls sideways by itself, so the page never does."""
    heads = el("tr", [el("th", name, scope="col", cls=_look(name)) for name in table.columns])
    rows = [
        el(
            "tr",
            el("th", row[0], scope="row"),
            [_cell(name, text) for name, text in zip(table.columns[1:], row[1:], strict=True)],
        )
        for row in table.rows
    ]
    return el(
        "div",
        el(
            "table",
            el("caption", table.caption) if captioned else None,
            el("thead", heads),
            el("tbody", rows),
            cls="numeric" if table.numeric else None,
        ),
        cls="scroll", tabindex=0, role="region", aria_label=table.caption,
    )  # fmt: skip


def _cell(column: str, text: str) -> Html:
    return el("td", text, cls=text.look if isinstance(text, Marked) else _look(column))


def _look(column: str) -> str | None:
    """The one column of words among the figures."""
    return "words" if column == "meaning" else None
