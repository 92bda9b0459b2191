"""The rigor page as it is shown: how many questions are answered, which are not, and each with what would supply it.

Knows: summary["rigor"]. A state is a word first; its colour only says it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from isheep.report.figures import Figure
from isheep.report.markup import Child, Html, el, join
from isheep.report.rigor_plot import compute_figure
from isheep.report.tables import Marked, Table

Entry = Mapping[str, Any]
#: State -> its word, and its colour.
STATES: Mapping[str, tuple[str, str]] = {
    "yes": ("Yes", "good"),
    "part": ("In part", "warn"),
    "no": ("No", "bad"),
}
#: Behind the questions of this part stands the plot of cost against score.
_PLOTTED = "compute"


def rigor_section(summary: Entry) -> Iterator[Html | Figure | Table]:
    """A count, the questions answered by no, and the list by parts; after what it cost a plot of it."""
    rows = summary.get("rigor")
    if not rows:
        return
    yield el("p", _counts(rows), cls="lead")
    missing = [
        el("li", el("a", row["question"], href=f"#rigor-{row['id']}")) for row in rows if row["state"] == "no"
    ]
    if missing:
        yield el("div", el("strong", "Answered by no, and to be weighed first"), el("ul", missing), cls="box")
    for area, found in groupby(rows, key=lambda row: row["area"]):
        part = list(found)
        yield el("h3", area, cls="part")
        yield el("ul", [_item(row) for row in part], cls="checks")
        figure = compute_figure(summary) if any(row["id"] == _PLOTTED for row in part) else None
        if figure:
            yield figure


def _counts(rows: Sequence[Entry]) -> str:
    counts = {state: sum(row["state"] == state for row in rows) for state in STATES}
    return (
        f"{len(rows)} questions a reviewer would ask, answered from this run's own records: {counts['yes']} by yes, "
        f"{counts['part']} in part, {counts['no']} by no. Under each of the latter stands what would supply it; "
        "commands are for this folder and the usual store (--store DIR names another)."
    )


def _item(row: Entry) -> Html:
    word, look = STATES[row["state"]]
    supply = el("p", _marked_up(row["supply"]), cls="supply") if row["supply"] else None
    said = el("div", el("strong", row["question"]), el("p", _marked_up(row["answer"])), supply)
    return el("li", el("span", word, cls=f"pill {look}"), said, id=f"rigor-{row['id']}")


def _marked_up(text: str) -> Html:
    """What stands between backticks as code."""
    pieces: list[Child] = [el("code", piece) if i % 2 else piece for i, piece in enumerate(text.split("`"))]
    return join(pieces)


def rigor_table(summary: Entry) -> Table:
    """The whole list as a table of words."""
    rows = [
        (row["question"], Marked(*STATES[row["state"]]), row["answer"], row["supply"])
        for row in summary.get("rigor") or ()
    ]
    return Table(
        "A reviewer's checklist",
        ("question", "state", "answer", "what would supply it"),
        tuple(rows),
        numeric=False,
    )
