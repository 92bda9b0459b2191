"""How a page shows figures and tables: grids that fold, and boxes that scroll by themselves."""

from __future__ import annotations

from collections.abc import Iterable

from isheep.report.chart import Chart
from isheep.report.drawing import FOLDER, inline
from isheep.report.figures import Figure
from isheep.report.markup import Html, el
from isheep.report.tables import Marked, Table


class Plots:
    """The plots of one page, in its order: `grid` shows figures and remembers their charts."""

    def __init__(self) -> None:
        self.charts: list[Chart] = []

    def grid(self, made: Iterable[Figure], cls: str = "grid") -> Html:
        figures = list(made)
        self.charts += [figure.plot for figure in figures]
        return el("div", [_figure(figure) for figure in figures], cls=cls) if figures else Html("")


def _figure(figure: Figure) -> Html:
    plot = figure.plot
    place = el(
        "div", inline(plot), cls="plot fixed" if plot.fixed else "plot", data_plot=plot.name, role="img",
        aria_label=plot.title, aria_describedby=f"{plot.name}-desc",
    )  # fmt: skip
    links = [
        el("a", shown, href=f"{FOLDER}/{plot.name}.{end}", aria_label=f"{said} of: {plot.title}")
        for shown, said, end in (("data", "Data (CSV)", "csv"), ("svg", "Image (SVG)", "svg"))
    ]
    return el(
        "figure",
        el("h3", figure.title),
        place,
        el("p", plot.desc, cls="unseen", id=f"{plot.name}-desc"),
        el(
            "figcaption",
            figure.note,
            " " if figure.note else "",
            el("span", links[0], " · ", links[1], cls="files"),
        ),
    )


def table_view(table: Table, captioned: bool = True) -> Html:
    """A table in a box that scrolls sideways by itself, so the page never does."""
    heads = el(
        "tr",
        [
            el("th", name or el("span", "what", cls="unseen"), scope="col", cls=_look(name))
            for name in table.columns
        ],
    )
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
