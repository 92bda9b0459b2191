"""The page of the judge's trial, "does this model know what it knows?": tables and plots, from the summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from isheep.report.figures import Figure, model_name
from isheep.report.markup import Html, el, join
from isheep.report.numbers import NONE, count, fixed, gain, percent, points, share
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
    """The judges by source, and what their scores are good for; then, where there are any, the recipe's filter, drift,
    and self-preference."""
    found = summary.get("trial")
    made = [make(found) for make in (_judges, _worth, _filters, _drifts, _preferences)] if found else []
    return [table for table in made if table.rows]


def _judges(trial: Entry) -> Table:
    columns = (
        "judge and answers", "answers", "right", "AUROC", "rank correlation", "at equal length", "top scores",
        "unreadable",
    )  # fmt: skip
    rows = tuple(
        (
            name,
            count(figures["n"]),
            share(figures["right"]),
            _auroc(figures),
            span(figures["spearman"]),
            span(figures["partial"]),
            percent(figures["top"], 0),
            count(figures["unreadable"]),
        )
        for name, figures in _named(trial)
    )
    return Table("Scores against the truth, before any filter, with 95 % intervals", columns, rows)


def _auroc(figures: Entry) -> str:
    text, look = span(figures["auroc"]), finding(figures).look
    if figures["auroc"] and look in ("good", "bad"):
        return Marked(f"{text} {'✓' if look == 'good' else '✗'}", look)
    return text


def _worth(trial: Entry) -> Table:
    """What filtering and predicting by the scores would gain."""
    rows = []
    for name, figures in _named(trial):
        area, chance = (figures["curve"] or {}).get("area"), figures["calibration"] or {}
        if area is None:
            continue
        rows.append(
            (
                name,
                gain(area),
                f"{points(area['random_low'])} to {points(area['random_high'])}",
                percent(area["value"] / area["best"], 0).replace("-", "−"),
                fixed(chance.get("ece"), 3),
                fixed(chance.get("brier"), 3),
                fixed(chance.get("base_brier"), 3),
            )
        )
    columns = (
        "judge and answers", "mean gain in points", "random filters", "of what is possible", "ECE", "Brier",
        "Brier of the base rate",
    )  # fmt: skip
    return Table(
        "What the scores are good for: filtering at every size, and predicting", columns, tuple(rows)
    )


def _named(trial: Entry) -> Iterator[tuple[str, Entry]]:
    """Every judge on every source, by the name of its row."""
    for model in trial["models"]:
        for source, figures in model["sources"].items():
            yield f"{model_name(model['iteration'])}, {NAMES.get(source, source)}", figures


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
