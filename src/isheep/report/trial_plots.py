"""The plots of the judge's trial: threshold curves, reliability, drift. Knows: the summary's `trial`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from isheep.report.chart import PLAIN
from isheep.report.charts import Point, Series, interval_plot
from isheep.report.figures import Figure
from isheep.report.numbers import count, fixed, gain, percent, points
from isheep.report.planes import Band, Line, Spot, plane
from isheep.stats import wilson
from isheep.trial.words import span

Entry = Mapping[str, Any]

#: source -> its short name, for rows and legends.
NAMES: Mapping[str, str] = {
    "tests": "exam, answers",
    "constraints": "exam, constraints",
    "generated": "generated",
}
#: Up to so many thresholds, each is marked and has its interval; beyond, a line is all one can read.
MARKED = 12


def trial_figures(summary: Entry) -> Iterator[Figure]:
    """Threshold curves and reliability of the last judge on each source, then drift by model."""
    found = summary.get("trial")
    if not found:
        return
    last = {
        source: (m["iteration"], f)
        for m in found["models"]
        for source, f in m["sources"].items()
        if f["curve"]
    }
    for source, (t, figures) in last.items():
        yield _threshold_curve(source, t, figures["curve"])
    for source, (t, figures) in last.items():
        if figures["calibration"]:
            yield _reliability(source, t, figures["calibration"])
    yield from _drift_figures(found)


def _threshold_curve(source: str, t: int, curve: Entry) -> Figure:
    kept = sorted(curve["points"], key=lambda p: p["share"])
    spots = [
        Spot(
            p["share"],
            p["precision"],
            f"scores from {p['threshold']:.2f}: {count(p['kept'])} kept, {percent(p['precision'])} right "
            f"({100 * p['ci_low']:.1f} to {100 * p['ci_high']:.1f})",
            *((p["ci_low"], p["ci_high"]) if len(kept) <= MARKED else (None, None)),
        )
        for p in kept
    ]
    band = Band("95 % of random filters", [(p["share"], p["random_low"], p["random_high"]) for p in kept])
    area = curve["area"]
    said = "; ".join(f"{percent(p['share'], 0)} kept: {percent(p['precision'])} right" for p in _some(kept))
    title = f"Right among what a threshold keeps: {NAMES.get(source, source)}, M{t}"
    plot = plane(
        f"trial-curve-{source}", title, f"All answers: {percent(curve['base'])} right; {said}",
        [Line(f"M{t}", spots, 0, marked=len(kept) <= MARKED)], "share kept, best scores first", "right, of kept",
        guide=[(0.0, curve["base"]), (1.0, curve["base"])], band=band if len(kept) > 1 else None,
        span=_shown([p[field] for p in kept for field in ("precision", "ci_low", "random_low")]),
    )  # fmt: skip
    gained = (
        f"Mean gain over all sizes: {gain(area)} points of {points(area['best'])} possible. " if area else ""
    )
    return Figure(
        title, plot, f"{gained}Dashed: all answers, which is what a random filter keeps on average."
    )


def _some(kept: Sequence[Entry]) -> list[Entry]:
    """About five points of a curve, for its text."""
    step = max(1, len(kept) // 5)
    return [*kept[:-1:step], kept[-1]]


def _shown(values: Sequence[float]) -> tuple[float, float]:
    """The part of the axis that holds these, at least half of it, so that noise looks like noise."""
    low = min(0.5, *values)
    return (low if low > 0.05 else 0.0), 1.0


def _reliability(source: str, t: int, calibration: Entry) -> Figure:
    spots = []
    for held in calibration["bins"]:
        hits = round(held["right"] * held["n"])
        low, high = wilson(hits, held["n"])
        hover = f"said {percent(held['said'], 0)}: {percent(held['right'])} of {count(held['n'])} were right"
        spots.append(Spot(held["said"], held["right"], hover, low, high))
    title = f"Reliability: {NAMES.get(source, source)}, M{t}"
    plot = plane(
        f"trial-reliability-{source}", title, "; ".join(spot.hover for spot in spots),
        [Line(f"M{t}", spots, 0, joined=False)], "chance of being right, by its score", "were right",
        guide=[(0.0, 0.0), (1.0, 1.0)],
    )  # fmt: skip
    note = (
        f"Scores turned into chances on half of the questions, held to the truth on the other half "
        f"({count(calibration['n'])} answers): on the dashed line they come true. ECE {fixed(calibration['ece'], 3)}, "
        f"Brier {fixed(calibration['brier'], 3)}; always saying the base rate: {fixed(calibration['base_brier'], 3)}."
    )
    return Figure(title, plot, note)


#: Figure of a drift -> title, least span of the axis, its limits, and how to read it.
_DRIFT: Mapping[str, tuple[str, float, tuple[float, float], str]] = {
    "auroc": ("AUROC", 0.3, (0.0, 1.0), "0.5 is chance."),
    "mean": ("Mean score", 2.0, (1.0, 10.0), "A rise is leniency, not progress."),
}


def _drift_figures(trial: Entry) -> Iterator[Figure]:
    first: Entry = next((m["sources"] for m in trial["models"] if m["iteration"] == 0), {})
    judges: list[Entry] = [first, *(m["sources"] for m in trial["drift"])]
    columns = ["M0", *(f"M{m['iteration']}" for m in trial["drift"])]
    sources = [source for source in NAMES if any(source in judge for judge in judges[1:])]
    for field, (what, least, limits, note) in _DRIFT.items():
        series = []
        for look, source in enumerate(sources):
            found = [_point(judge.get(source, {}).get(field)) for judge in judges]
            if any(found):
                series.append(Series(NAMES[source], found, look))
        if not series:
            continue
        title = f"{what} on the frozen answers of M0"
        said = "; ".join(
            f"{column}: {', '.join(f'{s.name} {p.hover}' for s in series if (p := s.points[i]))}"
            for i, column in enumerate(columns)
        )
        plot = interval_plot(
            f"trial-drift-{field}", title, said, columns, series, PLAIN, what, least_span=least, limits=limits
        )
        yield Figure(title, plot, f"The same answers, judged by every model. {note}")


def _point(cell: Entry | None) -> Point | None:
    return Point(cell["value"], cell["ci_low"], cell["ci_high"], span(cell)) if cell else None
