"""What each model cost against how it scores: a point with its interval for each, along an axis of compute.

Knows: the row `compute` of the checklist, and the scores of the summary. Does not know: how costs are counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from isheep.report.charts import Point
from isheep.report.evaluations import BOUNDS
from isheep.report.figures import Figure, model_name
from isheep.report.markup import Html, el
from isheep.report.numbers import large, metric_text, share, short_count
from isheep.report.scored import headlines
from isheep.report.svg import Frame, image, label, line, marker, nice_ticks

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
) -> Html:
    """Points (name, cost from 0, score) joined in their order, each with its interval and its name."""
    least, most = BOUNDS.get(metric, (0.0, 1.0))
    low, high = min(p.low for *_, p in points), max(p.high for *_, p in points)
    pad = max(0.08 * (high - low), (LEAST_SPAN * (most - least) - (high - low)) / 2)
    far = max(x for _, x, _ in points) or 1.0
    power = 3 * math.floor(math.log10(far) / 3)
    unit = f"{x_name} spent on making it{f', in 1e{power}' if power > 0 else ''}"
    is_share = metric not in BOUNDS
    frame = Frame(
        max(low - pad, least),
        min(high + pad, most),
        lambda v: f"{100 * v:.0f} %" if is_share else f"{v:.1f}",
        y_name,
        top=26,
        x_label=unit,
    )

    def at(x: float) -> float:
        return frame.left + 36 + (frame.inner - 60) * x / far

    there = [(said, at(x), p) for said, x, p in points]
    parts = [frame.axes()]
    for tick in (t for t in nice_ticks(0.0, far) if t <= far * 1.001):
        parts += [
            line(at(tick), frame.base, at(tick), frame.base + 4, "axis"),
            label(at(tick), frame.base + 17, f"{tick / 10**power:g}"),
        ]
    path = "L".join(f"{x:.2f} {frame.y(p.value):.2f}" for _, x, p in there)
    parts.append(el("path", d=f"M{path}", cls="joined s1"))
    for said, x, p in there:
        parts.append(line(x, frame.y(p.high), x, frame.y(p.low), "whisker s1"))
        parts += [line(x - 4, frame.y(end), x + 4, frame.y(end), "whisker s1") for end in (p.high, p.low)]
        parts.append(marker(0, x, frame.y(p.value), "point s1", f"{said}: {p.hover}"))
        parts.append(label(x, frame.y(p.high) - 7, said, "value s1"))
    return image(name, title, desc, frame.width, frame.height, *parts)
