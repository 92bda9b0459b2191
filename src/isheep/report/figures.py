"""Which plots a report holds, and which figures of the summary go into each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isheep.report.chart import PERCENT, PLAIN, POINTS, STYLES, Chart
from isheep.report.charts import Point, Row, Series, bars, curves, funnel, interval_plot, stacked
from isheep.report.numbers import count, duration, gain, number, percent, points, share, short_count
from isheep.report.verdict import DECODING_WORDS, gain_of, own_layout_score, score_of

#: A loss curve is thinned to about this many points: enough for any screen.
CURVE_POINTS = 200
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A plot, its title, and a line below it that says how to read it."""

    title: str
    plot: Chart
    note: str = ""


def model_name(iteration: int) -> str:
    """How a model is called: M0 is the base model."""
    return f"M{iteration} (base)" if iteration == 0 else f"M{iteration}"


def tested_cells(summary: Entry) -> list[tuple[str, str]]:
    """Every (task, decoding) that was tested, the headline's task first."""
    found = {
        (s["task"], s["metric"].removeprefix("accuracy_"))
        for e in summary["iterations"]
        for s in e["scores"]
        if s["metric"].startswith("accuracy_") and "@" not in s["metric"]
    }
    first, order = summary["verdict"]["task"], list(DECODING_WORDS)
    return sorted(found, key=lambda c: (c[0] != first, c[0], order.index(c[1]) if c[1] in order else 9))


def score_figures(summary: Entry) -> Iterable[Figure]:
    """By task: the score of every model, and the paired gain over the base model."""
    cells = tested_cells(summary)
    for number_, task in enumerate(dict.fromkeys(task for task, _ in cells)):
        decodings = [d for t, d in cells if t == task]
        yield _scores(summary, number_, task, decodings)
        if any(gain_of(e, task, d) for e in summary["iterations"] for d in decodings):
            yield _gains(summary, number_, task, decodings)


def _scores(summary: Entry, number_: int, task: str, decodings: Sequence[str]) -> Figure:
    entries = summary["iterations"]
    series = [
        Series(
            DECODING_WORDS.get(d, d),
            [_point(s, _seed_dots(summary, s, e)) if (s := score_of(e, task, d)) else None for e in entries],
            i,
        )
        for i, d in enumerate(decodings)
    ]
    empty: list[Point | None] = [None] * (len(entries) - 1)
    own = [(i, cell) for i, d in enumerate(decodings) if (cell := own_layout_score(summary, task, d))]
    for i, cell in own:
        said = f", {DECODING_WORDS.get(decodings[i], decodings[i])}" if len(own) > 1 else ""
        name = f"base, own layout{said}"
        series.append(Series(name, [_point(cell), *empty], i, joined=False, hollow=True))
    size = next((s["n"] for e in entries for s in e["scores"] if s["task"] == task), 0)
    plot = interval_plot(
        f"score-{number_}",
        f"Share of right answers on {task}, by iteration",
        _said(entries, [[share(score_of(e, task, d)) for d in decodings] for e in entries]),
        [model_name(e["iteration"]) for e in entries],
        series,
        PERCENT,
        "right answers",
        least_span=0.3,
        value=lambda v: f"{100 * v:.1f}",
        limits=(0.0, 1.0),
    )
    note = f"{count(size)} prompts; bars are 95 % Wilson intervals. Base model in its best layout"
    note += ", and hollow in the run's own." if own else "."
    if summary.get("seeds"):
        note += f" Small dots: {len(summary['seeds'])} runs of this recipe with other seeds."
    return Figure(f"Right answers on {task}", plot, note)


def _gains(summary: Entry, number_: int, task: str, decodings: Sequence[str]) -> Figure:
    entries = summary["iterations"][1:]
    series = [
        Series(DECODING_WORDS.get(d, d), [_gain_point(gain_of(e, task, d)) for e in entries], i, joined=False)
        for i, d in enumerate(decodings)
    ]
    plot = interval_plot(
        f"gain-{number_}",
        f"Gain over the base model on {task}, in points",
        _said(entries, [[gain(gain_of(e, task, d)) for d in decodings] for e in entries]),
        [model_name(e["iteration"]) for e in entries],
        series,
        POINTS,
        "points gained",
        least_span=0.12,
        value=points,
        zero=True,
    )
    note = "Same prompts, model against base (paired), 95 % intervals. A bar that crosses 0 may be chance."
    return Figure(f"Gain over the base model on {task}", plot, note)


def funnel_figures(summary: Entry) -> Iterable[Figure]:
    """By iteration: from what the model wrote to what is trained on, with what each reason took away."""
    entries = [e for e in summary["iterations"] if e["candidates"]]
    whole = max((max(e["candidates"], e["responses"]) for e in entries), default=0)
    for entry in entries:
        rows = funnel_rows(entry)
        t = entry["iteration"]
        said = "; ".join(f"{row.name}: {row.note}" for row in rows)
        yield Figure(
            f"Iteration {t}, written by {model_name(t)}",
            funnel(f"funnel-{t}", f"Funnel of iteration {t}", said, rows, whole),
        )


def funnel_rows(entry: Entry) -> list[Row]:
    """Every level and every reason, most frequent first within its stage."""
    rows = [Row("tasks written", 0, entry["candidates"], count(entry["candidates"]), "total")]
    left = entry["candidates"]
    for stage, level, name in (("instructions", "instructions", "new tasks"), ("filter", "kept", "kept")):
        for key, lost in entry["dropped"].items():
            if key.startswith(f"{stage}/"):
                left -= lost
                rows.append(Row(key.removeprefix(f"{stage}/"), left, lost, f"−{count(lost)}", "drop"))
        if stage == "instructions" or "filter" in entry["keys"]:
            look = "kept" if level == "kept" else "total"
            rows.append(Row(name, 0, entry[level], count(entry[level]), look))
            left = entry[level]
        if stage == "instructions" and entry["responses"] not in (0, left):  # several answers or turns a task
            left = entry["responses"]
            rows.append(Row("answers", 0, left, count(left), "total"))
    return rows


def judged(entry: Entry) -> bool:
    """Whether any scale was asked."""
    return any(entry["assessment"]["scales"].values())


def histogram_figures(summary: Entry) -> Iterable[Figure]:
    """By scale and iteration: how the scores lie. All share one axis."""
    asked = {scale: None for e in summary["iterations"] for scale in e["assessment"]["scales"]}
    found = [
        (scale, e["iteration"], figures)
        for scale in asked
        for e in summary["iterations"]
        if (figures := e["assessment"]["scales"].get(scale)) and sum(figures["histogram"])
    ]
    top = max((max(f["histogram"]) / sum(f["histogram"]) for _, _, f in found), default=1.0)
    scales = list(dict.fromkeys(scale for scale, _, _ in found))
    for scale, t, figures in found:
        total = sum(figures["histogram"])
        shares = [n / total for n in figures["histogram"]]
        said = ", ".join(f"{i}: {count(n)}" for i, n in enumerate(figures["histogram"], 1))
        yield Figure(
            f"{scale.capitalize()}, iteration {t}",
            bars(
                f"scores-{scale}-{t}", f"Scores for {scale} in iteration {t}", said, [str(i) for i in range(1, 11)],
                [("", shares)], lambda v: percent(v, 0), PERCENT, "share of scores", x_label="score",
                high=top, gap=0.12,
                values=False, height=170, first_look=scales.index(scale),
            ),
            f"mean {number(figures['mean'])}, {count(total)} read, {count(figures['unreadable'])} unreadable",
        )  # fmt: skip


def length_figures(summary: Entry) -> Iterable[Figure]:
    """Words per answer, and the share of very short ones."""
    entries = [e for e in summary["iterations"] if e["lengths"]["all"]]
    if not entries:
        return
    columns = [
        f"it. {e['iteration']}" if len(entries) > 3 else f"iteration {e['iteration']}" for e in entries
    ]
    for slug, field, title, show in (
        ("mean", "mean", "Words per answer (mean)", lambda v: number(v, 1)),
        ("short", "short", "Answers of at most three words", lambda v: percent(v, 0)),
    ):
        groups = [
            (name, [(e["lengths"][name] or {}).get(field) for e in entries]) for name in ("all", "kept")
        ]
        said = "; ".join(f"{c}: {_pair(groups, i, show)}" for i, c in enumerate(columns))
        high = max(0.2, *(v or 0.0 for _, cells in groups for v in cells)) if field == "short" else None
        label, unit = ("share of answers", PERCENT) if field == "short" else ("words", PLAIN)
        yield Figure(
            title, bars(f"length-{slug}", title, said, columns, groups, show, unit, label, high=high)
        )


def duplicate_figure(summary: Entry) -> Figure | None:
    """How much of what the model wrote it had written before, or read in the seeds."""
    entries = [e for e in summary["iterations"] if e["candidates"]]
    if not entries:
        return None
    columns = [
        f"it. {e['iteration']}" if len(entries) > 3 else f"iteration {e['iteration']}" for e in entries
    ]
    shares = [duplicate_share(e) for e in entries]
    said = "; ".join(f"{c}: {percent(s)}" for c, s in zip(columns, shares, strict=True))
    title = "Near-duplicates among the tasks written"
    plot = bars(
        "duplicates", title, said, columns, [("", shares)], lambda v: percent(v, 0), PERCENT, "share of tasks"
    )
    return Figure(title, plot, "Dropped for being close to a seed or an earlier task.")


def duplicate_share(entry: Entry) -> float | None:
    """Near-duplicates as a share of all candidates."""
    found: int = entry["dropped"].get("instructions/near_duplicate", 0)
    return found / entry["candidates"] if entry["candidates"] else None


def loss_figures(summary: Entry) -> Iterable[Figure]:
    """The training loss of every model, and that of learning from preferences: of another kind, so apart."""
    for field, title in (("train", "Training loss"), ("prefer", "Loss on preferences")):
        trained = [e for e in summary["iterations"] if e[field] and e[field]["losses"]]
        if trained:
            lines = [(model_name(e["iteration"]), thin(e[field]["losses"])) for e in trained]
            said = "; ".join(f"{n}: from {p[0][1]:.3f} to {p[-1][1]:.3f}" for n, p in lines)
            name = "loss" if field == "train" else f"loss-{field}"
            yield Figure(
                title, curves(name, f"{title} by optimiser step", said, lines, "optimiser step", "loss")
            )


def thin(losses: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """A curve of about CURVE_POINTS points: neighbours are averaged, the first and last stay."""
    if len(losses) <= CURVE_POINTS:
        return [(step, loss) for step, loss in losses]
    inner, size = losses[1:-1], -(-len(losses) // CURVE_POINTS)
    groups = [inner[i : i + size] for i in range(0, len(inner), size)]
    means = [(sum(p[0] for p in g) / len(g), sum(p[1] for p in g) / len(g)) for g in groups]
    return [(losses[0][0], losses[0][1]), *means, (losses[-1][0], losses[-1][1])]


def cost_figures(summary: Entry) -> Iterable[Figure]:
    """Time and tokens by stage, a bar for each model."""
    for field, title, show in (
        ("seconds", "Time by stage", duration),
        ("tokens", "Tokens by stage", short_count),
    ):
        entries = [e for e in summary["iterations"] if e[field]]
        stages = stages_of(summary, "seconds")
        if not entries or not stages:
            continue
        rows = [f"M{e['iteration']}" for e in entries]
        cells = _largest([(s, [float(e[field].get(s, 0)) for e in entries]) for s in stages])
        said = "; ".join(f"{r}: {show(sum(c[i] for _, c in cells))}" for i, r in enumerate(rows))
        yield Figure(title, stacked(f"cost-{field}", title, said, rows, cells, show))


def _largest(parts: list[tuple[str, list[float]]]) -> list[tuple[str, list[float]]]:
    """As many parts as there are colours: the small ones become "other"."""
    if len(parts) <= STYLES:
        return parts
    large = sorted(parts, key=lambda part: -sum(part[1]))[: STYLES - 1]
    small = [cells for name, cells in parts if (name, cells) not in large]
    other = [sum(column) for column in zip(*small, strict=True)]
    return [*(part for part in parts if part in large), ("other", other)]


def stages_of(summary: Entry, field: str) -> list[str]:
    """The stages that have a figure, in the order a model goes through them: made, tested, then set to write."""
    there = {stage for e in summary["iterations"] for stage, value in e[field].items() if value}
    return [stage for stage in _ORDER if stage in there]


_ORDER = ("train", "preferences", "prefer", "evaluate", "instructions", "responses", "followups", "assessment",
          "likelihood", "vectors", "filter", "review")  # fmt: skip


def _seed_dots(summary: Entry, score: Entry, entry: Entry) -> list[tuple[str, float]]:
    """What the same model scored in runs with other seeds, on the same test in the same layout."""
    wanted = (entry["iteration"], *(score[key] for key in ("task", "metric", "layout")))
    return [
        (f"seed {other['seed']}", row["value"])
        for other in summary.get("seeds") or ()
        for row in other["scores"]
        if (row["iteration"], row["task"], row["metric"], row["layout"]) == wanted
        and row["value"] is not None
    ]


def _point(cell: Entry | None, dots: Sequence[tuple[str, float]] = ()) -> Point | None:
    return Point(cell["value"], cell["ci_low"], cell["ci_high"], share(cell), dots) if cell else None


def _gain_point(cell: Entry | None) -> Point | None:
    return Point(cell["value"], cell["ci_low"], cell["ci_high"], f"{gain(cell)} points") if cell else None


def _said(entries: Sequence[Entry], texts: Sequence[Sequence[str]]) -> str:
    pairs = zip(entries, texts, strict=True)
    return "; ".join(f"{model_name(e['iteration'])}: {', '.join(said)}" for e, said in pairs)


def _pair(groups: Sequence[tuple[str, Sequence[float | None]]], index: int, show: Any) -> str:
    return ", ".join(f"{name} {show(cells[index])}" for name, cells in groups)
