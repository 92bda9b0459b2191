"""The parts of a page that evaluations fill: scores, data quality, the judge's trial, contamination, case studies.

Knows: which parts there are and in what order. Each part composes itself of words, figures and tables; here figures
that follow one another are put into a grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from isheep.report.case_view import case_view
from isheep.report.contamination_view import contamination_section
from isheep.report.evaluation_view import evaluation_section
from isheep.report.figures import Figure, model_name
from isheep.report.markup import Child, Html, el
from isheep.report.quality_view import quality_section
from isheep.report.tables import Table
from isheep.report.trial_view import trial_section
from isheep.report.verb_view import verb_section
from isheep.report.views import Plots, table_view

#: Rows from which on a table is folded.
LONG = 25
Entry = Mapping[str, Any]
Part = Html | Figure | Table
Corners = Mapping[int, Sequence[Mapping[str, Any]]]


def evaluation_sections(
    summary: Entry, corners: Corners, limit: int, plots: Plots
) -> Iterator[tuple[str, str, Child]]:
    """(anchor, title, content) of each part; one without content is left out by the page. `corners`: by iteration, as
    `cases` gives them; their texts are cut at `limit`."""
    yield "evaluations", "Benchmarks and judged chat", laid_out(evaluation_section(summary), "grid", plots)
    yield (
        "trial",
        "Does this model know what it knows?",
        laid_out(trial_section(summary), "grid three", plots),
    )
    yield "contamination", "Contamination", laid_out(contamination_section(summary), "grid", plots)
    quality = [
        *laid_out(quality_section(summary), "grid three", plots),
        *laid_out(verb_section(summary), "grid", plots),
    ]
    yield "quality", "Data quality over iterations", quality
    shown = [(t, found) for t, found in corners.items() if found]
    if shown:
        yield "cases", "Case studies", [
            case_view(t, model_name(t), found, limit, opened=t == shown[-1][0]) for t, found in shown
        ]  # fmt: skip


def laid_out(parts: Iterable[Part], cls: str, plots: Plots) -> list[Html]:
    """Words as they are, tables in boxes, figures that follow one another in a grid."""
    made: list[Html] = []
    for kind, group in groupby(
        parts, key=lambda part: type(part) if isinstance(part, Figure | Table) else Html
    ):
        if kind is Figure:
            made.append(plots.grid((f for f in group if isinstance(f, Figure)), cls))
        elif kind is Table:
            made += [_table(t) for t in group if isinstance(t, Table)]
        else:
            made += [h for h in group if isinstance(h, Html)]
    return made


def _table(table: Table) -> Html:
    """A table; a long one is folded away."""
    if len(table.rows) <= LONG:
        return table_view(table)
    return el("details", el("summary", table.caption), table_view(table, captioned=False))
