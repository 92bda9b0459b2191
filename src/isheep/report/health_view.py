"""The collapse guard and the judge's health as tables and plots, from the summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from isheep.report.chart import PERCENT, PLAIN
from isheep.report.figures import Figure, model_name
from isheep.report.gauges import Reading, dots, gauge
from isheep.report.measures import guard_names, held, named
from isheep.report.numbers import NONE, fixed, number, percent
from isheep.report.tables import Marked, Table
from isheep.text.probes import KINDS

Entry = Mapping[str, Any]

#: What a figure on the right side of its limit is marked with, and what one on the wrong side is.
OK, BROKEN = "✓", "✗ broken"
#: More models than this do not fit into the legend of one plot: the last ones are shown.
DOTTED = 4


def guard_table(summary: Entry) -> Table | None:
    """Every figure of the guard by iteration, each with its limit and whether it holds."""
    entries = _reviewed(summary)
    rows = [
        (named(name).title, *(_against(name, e["review"]["measures"].get(name)) for e in entries))
        for name in guard_names(summary)
    ]
    columns = ("figure", *(f"iteration {e['iteration']}" for e in entries))
    return Table("Collapse guard: figure, mark, limit", columns, tuple(rows)) if rows else None


def _against(name: str, measure: Entry | None) -> str:
    if measure is None:
        return NONE
    value, limit = held(name, measure)
    if measure["ok"] is None:
        return value
    mark, look = (OK, "good") if measure["ok"] else (BROKEN, "bad")
    return Marked(f"{value} {mark} ({limit})", look)


def guard_figures(summary: Entry) -> Iterator[Figure]:
    """A plot for each figure that is held to a limit."""
    entries = _reviewed(summary)
    columns = [f"it. {e['iteration']}" for e in entries]
    for place, name in enumerate(guard_names(summary)):
        found = [e["review"]["measures"].get(name, _NOTHING) for e in entries]
        if all(m["limit"] is None for m in found):
            continue
        said = [_said(name, m) for m in found]
        readings = [Reading(m["value"], m["limit"], m["ok"], s) for m, s in zip(found, said, strict=True)]
        title = named(name).title
        title = title[0].upper() + title[1:]
        desc = "; ".join(f"{c}: {s}" for c, s in zip(columns, said, strict=True))
        unit = PERCENT if named(name).is_share else PLAIN
        yield Figure(
            title,
            gauge(f"guard-{place}", title, desc, columns, readings, unit),
        )


_NOTHING: Entry = {"value": None, "limit": None, "ok": None}


def _said(name: str, measure: Entry) -> str:
    value, limit = held(name, measure)
    if not limit:
        return value
    return f"{value}, {limit}: {'ok' if measure['ok'] else 'broken'}"


def _reviewed(summary: Entry) -> list[Entry]:
    return [e for e in summary["iterations"] if e["review"]]


# ---------------------------------------------------------------- the judge


def judge_table(summary: Entry) -> Table | None:
    """How the judge of each iteration fared: on what it was given, and on planted answers."""
    entries = [e for e in summary["iterations"] if e["judge"]]
    if not entries:
        return None
    scales = dict.fromkeys(scale for e in entries for scale in e["judge"]["saturation"])
    rows = [
        ("unreadable scores", *(percent(e["judge"]["unreadable"]) for e in entries)),
        *(
            (f"top scores for {scale}", *(percent(e["judge"]["saturation"].get(scale)) for e in entries))
            for scale in scales
        ),
        ("agreement of the two scales", *(fixed(e["judge"]["agreement"]).replace("-", "−") for e in entries)),
        ("AUROC on its own answers", *(fixed(e["assessment"]["auroc"]) for e in entries)),
        ("AUROC on planted answers", *(_probe_auroc(e) for e in entries)),
        *(
            (f"mean of planted {_kind(kind)} answers", *(_probe_mean(e, kind) for e in entries))
            for kind in KINDS
        ),
    ]
    rows = [row for row in rows if any(cell != NONE for cell in row[1:])]
    columns = ("", *(f"iteration {e['iteration']}" for e in entries))
    return Table("Judge health", columns, tuple(rows))


def _probe_auroc(entry: Entry) -> str:
    probes = entry["judge"]["probes"]
    if not probes or probes["auroc"] is None:
        return NONE
    value, limit = fixed(probes["auroc"]), f"at least {fixed(probes['limit'])}"
    if probes["blind"] is None:
        return value
    return (
        Marked(f"{value} ✗ blind ({limit})", "bad")
        if probes["blind"]
        else Marked(f"{value} {OK} ({limit})", "good")
    )


def _probe_mean(entry: Entry, kind: str) -> str:
    """The mean score of a kind; marked where the judge likes it as well as the right answers."""
    probes = entry["judge"]["probes"]
    mean = fixed(probes["kinds"][kind]["mean"]) if probes else NONE
    return Marked(f"{mean} ✗ not below right", "bad") if probes and kind in probes["preferred"] else mean


def _kind(kind: str) -> str:
    return kind.replace("_", "-")


def probe_figures(summary: Entry) -> Iterable[Figure]:
    """What the judge gave each kind of planted answer on average."""
    entries = [e for e in summary["iterations"] if e["judge"] and e["judge"]["probes"]]
    entries = [e for e in entries if e["judge"]["probes"]["judged_by"] == e["iteration"]][-DOTTED:]
    if not entries:
        return
    series = [
        (f"it. {e['iteration']}", [e["judge"]["probes"]["kinds"][kind]["mean"] for kind in KINDS])
        for e in entries
    ]
    said = "; ".join(
        f"{name}: {', '.join(f'{_kind(k)} {fixed(v)}' for k, v in zip(KINDS, values, strict=True))}"
        for name, values in series
    )
    title = "Mean score of planted answers, by kind"
    rows = [_kind(kind) for kind in KINDS]
    plot = dots("probes", title, said, rows, series, lambda v: number(v, 2), (1.0, 10.0), "mean score")
    judges = ", ".join(dict.fromkeys(model_name(e["judge"]["probes"]["judged_by"]) for e in entries))
    yield Figure(title, plot, f"Right answers should lie to the right of all others. Judged by {judges}.")
