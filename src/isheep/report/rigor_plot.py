"""What each model cost against how it scores: a point with its interval for each, along an axis of compute.

Knows: the row `compute` of the checklist, and the scores of the summary. Does not know: how costs are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isheep.report.chart import PERCENT, PLAIN, SHORT, Chart, axis, chart, colour, hover, layer, number
from isheep.report.charts import Point, span_of
from isheep.report.evaluations import BOUNDS
from isheep.report.figures import Figure, model_name
from isheep.report.numbers import large, metric_text, share, short_count
from isheep.report.scored import headlines

Entry = Mapping[str, Any]
#: The axis of scores shows no less than this part of the scale, so that noise looks like noise.
LEAST_SPAN = 0.2


def compute_figure(summary: Entry) -> Figure | None:
    """Cumulative cost of making each tested model against its headline score; None with fewer than two models.

    FLOPs where those of all are known, else tokens.
    """
    row = next((row for row in summary["rigor"] if row["id"] == "compute"), None)
    cell = _cell(summary)
    if row is None or cell is None:
        return None
    what = "flops" if all(m["flops"] is not None for m in row["models"]) else "tokens"
    entries = {e["iteration"]: e for e in summary["iterations"]}
    found = [(m, _score(entries[m["iteration"]], *cell)) for m in row["models"]]
    points = [
        (
            model_name(m["iteration"]),
            float(m[what]),
            Point(s["value"], s["ci_low"], s["ci_high"], f"{_cost(what, m[what])}: {_said(cell[1], s)}"),
        )
        for m, s in found
        if s is not None
    ]
    if len(points) < 2:
        return None
    task, metric = cell
    name = metric.replace("_", " ")
    plot = cost_plot(
        "rigor-compute",
        f"{name} on {task}, by what it took to make each model",
        "; ".join(f"{said}: {point.hover}" for said, _, point in points),
        points,
        "model FLOPs" if what == "flops" else "tokens",
        name,
        metric,
    )
    note = (
        "Everything that made a model counts (written, read, judged, trained on), all iterations before it included; "
        "tests do not. "
    )
    note += "FLOPs are an estimate." if what == "flops" else "Tokens, as FLOPs are not known of every step."
    return Figure(f"{task}: {name} against compute", plot, note)


def _cell(summary: Entry) -> tuple[str, str] | None:
    """(task, metric) of the headline, else of the first test that has one."""
    head = summary["verdict"]
    if head["task"]:
        return head["task"], f"accuracy_{head['decoding']}"
    heads = headlines(row for e in summary["iterations"] for row in e["scores"])
    return next(iter(heads.items()), None)


def _score(entry: Entry, task: str, metric: str) -> Entry | None:
    rows = (r for r in entry["scores"] if (r["task"], r["metric"]) == (task, metric))
    return next((r for r in rows if r["value"] is not None), None)


def _said(metric: str, row: Entry) -> str:
    return share(row) if metric not in BOUNDS else metric_text(metric, row["value"])


def _cost(what: str, value: float) -> str:
    return f"{large(value)} FLOPs" if what == "flops" else f"{short_count(value)} tokens"


def cost_plot(
    name: str,
    title: str,
    desc: str,
    points: Sequence[tuple[str, float, Point]],
    x_name: str,
    y_name: str,
    metric: str,
) -> Chart:
    """Points (name, cost from 0, score) joined in their order, each with its interval and its name."""
    is_share = metric not in BOUNDS
    limits = BOUNDS.get(metric, (0.0, 1.0))
    rows = [
        {
            "model": said,
            "cost": cost,
            "value": p.value,
            "low": p.low,
            "high": p.high,
            "hover": f"{said}: {p.hover}",
        }
        for said, cost, p in points
    ]
    low, high = span_of(rows, LEAST_SPAN * (limits[1] - limits[0]), limits)
    x = number("cost", axis=axis(SHORT, f"{x_name} spent on making it"), scale={"zero": True, "padding": 26})
    y = number(
        "value",
        axis=axis(PERCENT if is_share else PLAIN, y_name),
        scale={"domain": [low, high], "zero": False},
    )
    layers = [
        layer("line", {"x": x, "y": y, "order": {"field": "cost"}}, color=colour(0), strokeWidth=2),
        layer("rule", {"x": x, "y": number("low"), "y2": {"field": "high"}}, color=colour(0), strokeWidth=2),
        layer(
            "point", {"x": x, "y": y, "tooltip": hover()}, filled=True, size=80, color=colour(0), opacity=1
        ),
        layer("text", {"x": x, "y": number("high"), "text": {"field": "model"}}, dy=-9, color=colour(0)),
    ]
    return chart(name, title, desc, rows, layers)
