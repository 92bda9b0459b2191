"""The page's part on benchmarks and judged chat: every score of every model, every change, and a plot of the headlines.

Knows: `scores` and `gain` of a summary's entries. Exact-match tests have a part of their own (figures.py, tables.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isheep.report.chart import PERCENT, PLAIN
from isheep.report.charts import Point, Series, interval_plot
from isheep.report.evaluations import BOUNDS, EXACT_MATCH, in_other_layout
from isheep.report.figures import Figure, model_name
from isheep.report.markup import Html, el
from isheep.report.numbers import NONE, count, metric_text
from isheep.report.scored import headlines
from isheep.report.tables import Marked, Table

Entry = Mapping[str, Any]
#: Below this a corrected p is called different from the base model.
LEVEL = 0.05


def evaluation_section(summary: Entry) -> Iterator[Html | Figure | Table]:
    """A lead, a plot for each task, and the table of all metrics; nothing where nothing of the kind was asked."""
    cells = evaluation_cells(summary)
    if not cells:
        return
    yield el(
        "p",
        "Bars are 95 % intervals over clusters of items that hang together. Changes are paired: the same prompts, "
        "asked of the base model and of this one. p is corrected by Holm's method over the family of tests. "
        "A verdict that cannot be read is missing, never a number.",
        cls="lead",
    )
    yield from evaluation_figures(summary)
    yield from evaluation_tables(summary)


def evaluation_cells(summary: Entry) -> list[tuple[str, str]]:
    """Every (task, metric) that is not of an exact-match test, in the order of the summary; grades by category and turn
    have a table of their own."""
    scores = [s for e in summary["iterations"] for s in e["scores"] if not in_other_layout(s)]
    rows = [(s["task"], s["metric"]) for s in scores]
    return [c for c in dict.fromkeys(rows) if c[1].partition("_")[0] not in EXACT_MATCH and "/" not in c[1]]


def evaluation_tables(summary: Entry) -> list[Table]:
    """The table of all metrics; none where nothing of the kind was asked."""
    if not evaluation_cells(summary):
        return []
    return [evaluation_table(summary), *grade_tables(summary), *judge_tables(summary)]


def judge_tables(summary: Entry) -> list[Table]:
    """Who judged the chat, and what it took: a judge that is no longer served cannot be compared with later."""
    rows = tuple(
        (
            f"{j['task']}, {model_name(j['iteration'])}", j["judge"], j["date"], count(j["verdicts"]),
            count(j["unreadable"]), count(j["prompt_tokens"]), count(j["tokens"]),
            *(count(j["spent"][name]) if j["spent"] else NONE for name in ("cached", "retries")),
        )
        for j in summary.get("judging") or ()
    )  # fmt: skip
    columns = ("judged", "judge", "date", "verdicts", "unreadable", "tokens read", "tokens written", "from the cache",
               "asked again")  # fmt: skip
    return [Table("Who judged, and what it took", columns, rows)] if rows else []


def grade_tables(summary: Entry) -> list[Table]:
    """By graded task: every model's grades by category, both turns and each (the paper's Appendix D)."""
    graded = [
        (s["task"], s["metric"].split("/")[1:])
        for e in summary["iterations"]
        for s in e["scores"]
        if s["metric"].startswith("grade/")
    ]
    return [
        _grade_table(summary, task, [path for t, path in graded if t == task])
        for task in dict.fromkeys(task for task, _ in graded)
    ]


def _grade_table(summary: Entry, task: str, paths: Sequence[Sequence[str]]) -> Table:
    turns = sorted({path[0] for path in paths if path[0].isdigit()})
    categories = list(dict.fromkeys(path[0] for path in paths if not path[0].isdigit()))
    rows = []
    for entry in summary["iterations"]:
        for turn in ("", *turns):
            cells = [
                _score(
                    "grade", _of(entry["scores"], task, "/".join(part for part in ("grade", c, turn) if part))
                )
                for c in ("", *categories)
            ]
            rows.append((model_name(entry["iteration"]), f"turn {turn}" if turn else "all", *cells))
    return Table(
        f"Grades on {task}, 1 to 10, by category and turn", ("model", "turn", "all", *categories), tuple(rows)
    )


def evaluation_table(summary: Entry) -> Table:
    """A line per task and metric; a model's score and interval, and its change with its p."""
    columns = ["task and metric", "items", "missing"]
    for entry in summary["iterations"]:
        columns += [model_name(entry["iteration"]), *(["change"] if entry["iteration"] else [])]
    rows = []
    for task, metric in evaluation_cells(summary):
        found = [_of(e["scores"], task, metric) for e in summary["iterations"]]
        first = next((s for s in found if s), {})
        line: list[str] = [
            f"{task}: {metric.replace('_', ' ')}",
            count(first.get("n")),
            count(first.get("missing")),
        ]
        for entry, score in zip(summary["iterations"], found, strict=True):
            line.append(_score(metric, score))
            if entry["iteration"]:
                line.append(_change(metric, _of(entry["gain"], task, metric)))
        rows.append(tuple(line))
    return Table("Benchmarks and judged chat; shares in %, changes in points", tuple(columns), tuple(rows))


def evaluation_figures(summary: Entry) -> Iterator[Figure]:
    """By task: its headline metric for every model, with the interval."""
    heads = headlines(row for e in summary["iterations"] for row in e["scores"])
    for number, task in enumerate(dict.fromkeys(task for task, _ in evaluation_cells(summary))):
        found = [_of(e["scores"], task, heads.get(task, "")) for e in summary["iterations"]]
        if any(score and score["value"] is not None for score in found):
            yield _figure(summary, number, task, heads[task], found)


def _figure(summary: Entry, number: int, task: str, metric: str, found: Sequence[Entry | None]) -> Figure:
    names = [model_name(e["iteration"]) for e in summary["iterations"]]
    is_share = metric not in BOUNDS
    said = metric.replace("_", " ")
    plot = interval_plot(
        f"evaluation-{number}",
        f"{said} on {task}, by model",
        "; ".join(f"{name}: {_score(metric, score)}" for name, score in zip(names, found, strict=True)),
        names,
        [Series(said, [_point(metric, score) for score in found], 0)],
        PERCENT if is_share else PLAIN,
        said,
        least_span=0.1 if is_share else 1.0,
        value=lambda v: metric_text(metric, v),
        limits=(0.0, 1.0) if is_share else BOUNDS[metric],
    )
    return Figure(f"{task}: {said}", plot)


def _point(metric: str, score: Entry | None) -> Point | None:
    if score is None or score["value"] is None:
        return None
    return Point(score["value"], score["ci_low"], score["ci_high"], _score(metric, score))


def _of(rows: Sequence[Entry], task: str, metric: str) -> Entry | None:
    return next((row for row in rows if (row["task"], row["metric"]) == (task, metric)), None)


def _score(metric: str, row: Entry | None) -> str:
    if row is None or row["value"] is None:
        return NONE
    value, low, high = (metric_text(metric, row[name]) for name in ("value", "ci_low", "ci_high"))
    return f"{value} ({low} to {high})"


def _change(metric: str, row: Entry | None) -> str:
    if row is None:
        return NONE
    if row["value"] is None:
        return Marked("refused", "bad")
    value, low, high = (metric_text(metric, row[name], True) for name in ("value", "ci_low", "ci_high"))
    p = row["p_holm"] if row["p_holm"] is not None else row["p"]
    said = f"{value} ({low} to {high}), p {p:.3f}"
    if row["p_holm"] is None or p >= LEVEL:
        return said
    return Marked(said, "good" if row["value"] > 0 else "bad")
