"""report.md: the same figures as the page, without plots, in GitHub's Markdown.

Everything written by a model (or a person: names, notes) is escaped so that it can neither break a table nor become
a link, a heading or markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isheep.report.contamination_view import CANNOT, contamination_tables
from isheep.report.evaluation_view import evaluation_tables
from isheep.report.health_view import guard_table, judge_table
from isheep.report.markup import cut, visible
from isheep.report.measures import alarms
from isheep.report.origin import REPRODUCE, provenance_table, recipe_yaml, step_table
from isheep.report.quality_view import quality_tables
from isheep.report.rigor_view import rigor_table
from isheep.report.sample_view import GROUPS, record_tags
from isheep.report.tables import Table, cost_table, dropped_table, iteration_table, ledger_table, score_tables
from isheep.report.trial_view import trial_tables
from isheep.runs import Run

#: Sample texts are shorter here than on the page: they stand in a table.
CUT = 300
#: What means something to Markdown within a line; `:` is also how GitHub finds bare links and emoji, `$` mathematics.
_SPECIAL = re.compile(r"([\\`*_\[\]~$:!])")
#: A pipe is an entity, as tables are cut at pipes before backslashes count.
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}
Entry = Mapping[str, Any]


def safe(text: str) -> str:
    """A text as itself, on one line, whatever stands in it."""
    text = visible(text.replace("\r\n", "\n").strip()).replace("\n", " ↵ ")
    text = re.sub("[ \t]+", " ", text)
    text = re.sub(r"(?i)(www)\.", r"\1\\.", _SPECIAL.sub(r"\\\1", text))
    return re.sub("[&<>|]", lambda m: _ENTITIES[m[0]], text)


def markdown(run: Run, summary: Entry, samples: Mapping[int, Entry]) -> str:
    """The whole document."""
    return "\n".join(_lines(run, summary, samples)).rstrip() + "\n"


def _lines(run: Run, summary: Entry, samples: Mapping[int, Entry]) -> Iterator[str]:
    found = summary["verdict"]
    yield f"# isheep report: {safe(summary['run'])}"
    yield ""
    yield f"**{safe(found['headline'])}**"
    yield ""
    yield from _list([*found["outcome"], *alarms(summary)])
    yield f"Recipe {safe(summary['recipe'])}, base model {safe(summary['model'])}, seed {summary['seed']}."
    yield ""
    yield from _list(found["details"])
    if summary["warnings"]:
        yield "## Look at this first"
        yield ""
        yield from _list(summary["warnings"])
    for table in (
        *score_tables(summary),
        iteration_table(summary),
        dropped_table(summary),
        guard_table(summary),
        judge_table(summary),
        *evaluation_tables(summary),
        *trial_tables(summary),
        *contamination_tables(summary),
        *quality_tables(summary),
        cost_table(summary),
        ledger_table(summary),
        rigor_table(summary) if summary["rigor"] else None,
    ):
        if table:
            yield from _table(table)
    yield from _trial(summary)
    if summary["contamination"]:
        yield safe(CANNOT)
        yield ""
    yield from _list(summary["ledger"]["notes"])
    for t, groups in samples.items():
        yield from _samples(t, groups)
    notes = [f"Iteration {e['iteration']}: {note}" for e in summary["iterations"] for note in e["notes"]]
    if notes:
        yield "## Notes the steps left"
        yield ""
        yield from _list(notes)
    yield "## Recipe"
    yield ""
    yield f"This run again, from the recipe beside this file: `{REPRODUCE}`"
    yield ""
    yield from _code(recipe_yaml(run))
    for table in (step_table(run), provenance_table(run)):
        if table.rows:
            yield from _table(table)


def _trial(summary: Entry) -> Iterator[str]:
    """Whether the model knows what it knows, in sentences."""
    if summary["trial"]:
        yield "## Does this model know what it knows?"
        yield ""
        yield safe(summary["trial"]["headline"]["text"])
        yield ""
        yield from _list(summary["trial"]["sentences"])


def _list(items: Sequence[str]) -> Iterator[str]:
    yield from (f"- {safe(item)}" for item in items)
    if items:
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield f"## {safe(table.caption)}"
    yield ""
    yield from _rows(table.columns, table.rows, table.numeric)


def _rows(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: bool) -> Iterator[str]:
    rule = ["---", *(["---:" if numeric and name != "meaning" else "---" for name in columns[1:]])]
    yield f"| {' | '.join(safe(name) for name in columns)} |"
    yield f"| {' | '.join(rule)} |"
    for row in rows:
        yield f"| {' | '.join(safe(cell) for cell in row)} |"
    yield ""


def _samples(iteration: int, groups: Mapping[str, Sequence[Entry]]) -> Iterator[str]:
    for name, records in groups.items():
        if not records:
            continue
        answered = "response" in records[0]
        yield f"## Iteration {iteration}: {GROUPS[name].lower()} ({len(records)} shown)"
        yield ""
        columns = ("task", "input", "answer", "known") if answered else ("task", "input", "known")
        fields = ("instruction", "input", "response") if answered else ("instruction", "input")
        rows = [[*(cut(r[f], CUT) for f in fields), ", ".join(w for w, _ in record_tags(r))] for r in records]
        yield from _rows(columns, rows, numeric=False)


def _code(text: str) -> Iterator[str]:
    """A fenced block, with a fence longer than any run of backticks inside."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    yield f"{fence}yaml"
    yield visible(text).rstrip()
    yield fence
    yield ""
