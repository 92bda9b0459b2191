"""The page of the judge's trial, "does this model know what it knows?": tables and plots, from the summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from isheep.report.figures import Figure, model_name
from isheep.report.markup import Html, el, join
from isheep.report.numbers import NONE, count, fixed, gain, percent, share
from isheep.report.tables import Marked, Table
from isheep.report.trial_plots import NAMES, trial_figures
from isheep.trial.words import finding, span

Entry = Mapping[str, Any]


def trial_section(summary: Entry) -> Iterator[Html | Figure | Table]:
    """The headline, the table by model and source, plots for a grid of three, further tables, and what it all says.
    Nothing where no scored answer has a known truth."""
    found = summary.get("trial")
    if not found:
        return
    head = found["headline"]
    yield el("p", join([el("span", head["answer"], cls=f"pill {head['look']}"), head["text"]], " "))
    yield from trial_tables(summary)[:1]
    yield from trial_figures(summary)
    yield from trial_tables(summary)[1:]
    yield el("div", el("ul", [el("li", text) for text in found["sentences"]]), cls="details")


# ---------------------------------------------------------------- tables


def trial_tables(summary: Entry) -> list[Table]:
    """The judges by source; then, where there are any, the recipe's filter, drift, and self-preference."""
    found = summary.get("trial")
    made = [_judges(found), _filters(found), _drifts(found), _preferences(found)] if found else []
    return [table for table in made if table.rows]


def _judges(trial: Entry) -> Table:
    columns = (
        "judge and answers", "answers", "right", "AUROC", "rank correlation", "at equal length", "mean gain",
        "of possible", "ECE", "Brier", "Brier, base rate", "top scores", "unreadable", "meaning",
    )  # fmt: skip
    rows = tuple(
        (f"{model_name(model['iteration'])}, {NAMES.get(source, source)}", *_judge_row(figures))
        for model in trial["models"]
        for source, figures in model["sources"].items()
    )
    return Table("Scores against the truth, before any filter, with 95 % intervals", columns, rows)


def _judge_row(figures: Entry) -> tuple[str, ...]:
    told, area, calibration = (
        finding(figures),
        (figures["curve"] or {}).get("area"),
        figures["calibration"] or {},
    )
    auroc = span(figures["auroc"])
    if figures["auroc"] and told.look in ("good", "bad"):
        auroc = Marked(f"{auroc} {'✓' if told.look == 'good' else '✗'}", told.look)
    possible = percent(area["value"] / area["best"], 0) if area and area["best"] else NONE
    return (
        count(figures["n"]),
        share(figures["right"]),
        auroc,
        span(figures["spearman"]),
        span(figures["partial"]),
        gain(area),
        possible,
        fixed(calibration.get("ece"), 3),
        fixed(calibration.get("brier"), 3),
        fixed(calibration.get("base_brier"), 3),
        percent(figures["top"], 0),
        count(figures["unreadable"]),
        told.text,
    )


def _filters(trial: Entry) -> Table:
    rows = tuple(
        (
            f"iteration {model['iteration']}",
            count(found["kept"]),
            percent(found["precision"]),
            percent(found["base"]),
            gain(found["gain"]),
            f"{100 * found['random_low']:.1f} to {percent(found['random_high'])}",
        )
        for model in trial["models"]
        for figures in model["sources"].values()
        if (found := figures.get("filter"))
    )
    columns = (
        "filter of",
        "kept",
        "right, of kept",
        "right, of all",
        "gain in points",
        "random filters keep",
    )
    return Table(
        "The recipe's own filter, its rules included, against random filters of its size", columns, rows
    )


def _drifts(trial: Entry) -> Table:
    rows = tuple(
        (
            f"{model_name(model['iteration'])}, {NAMES.get(source, source)}",
            count(found["n"]),
            span(found["mean"]),
            span(found["mean_change"], signed=True),
            span(found["auroc"]),
            span(found["auroc_change"], signed=True),
            span(found["rank_correlation"]),
            percent(found["top"], 0),
        )
        for model in trial["drift"]
        for source, found in model["sources"].items()
    )
    columns = (
        "judge and answers", "answers", "mean score", "change from M0", "AUROC", "change from M0", "agreement with M0",
        "top scores",
    )  # fmt: skip
    return Table("Drift: every model on the frozen answers of M0", columns, rows)


def _preferences(trial: Entry) -> Table:
    rows = tuple(
        (
            model_name(found["iteration"]),
            count(found["questions"]),
            count(found["same"]),
            count(found["unreadable"]),
            span(found["all"], signed=True),
            span(found["equal"], signed=True),
            count(found["equal"]["n"]) if found["equal"] else NONE,
        )
        for found in trial["self_preference"]
    )
    columns = (
        "judge",
        "questions",
        "same answer",
        "unreadable",
        "all",
        "both right or both wrong",
        "questions of these",
    )
    return Table("Self-preference against M0, in points of the score", columns, rows)
