"""Scores of evaluations and what a comparison can see, as tables for a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table

from isheep.report.evaluation_view import evaluation_cells
from isheep.report.evaluations import in_other_layout
from isheep.report.numbers import metric_text
from isheep.view import key_value_table, plain_table, visible

if TYPE_CHECKING:
    from isheep.stats.power import PowerReport

Entry = Mapping[str, Any]


def eval_table(summary: Entry, exact: bool = True) -> Table:
    """A line per task and metric: each model's score with its interval, and its change against the base model.
    `exact`: also those of exact-match tests, which have a table of their own elsewhere.

    Grades by category and turn, and other layouts of the base model, are left to the report.
    """
    scores = [s for e in summary["iterations"] for s in e["scores"] if not in_other_layout(s)]
    cells = [cell for cell in dict.fromkeys((s["task"], s["metric"]) for s in scores) if "/" not in cell[1]]
    if not exact:
        cells = evaluation_cells(summary)
    table = plain_table("scores (95 % interval); shares in %, changes in points")
    table.add_column("task", no_wrap=True)
    table.add_column("metric", no_wrap=True)
    table.add_column("items", justify="right")
    for entry in summary["iterations"]:
        t = entry["iteration"]
        table.add_column("base" if t == 0 else f"M{t}", justify="right", no_wrap=True)
        if t:
            table.add_column("change", justify="right", no_wrap=True)
    for task, metric in cells:
        line, items = [], ""
        for entry in summary["iterations"]:
            score = _of(entry["scores"], task, metric)
            items = items or (str(score["n"]) if score else "")
            line.append(_interval(metric, score))
            if entry["iteration"]:
                line.append(_interval(metric, _of(entry["gain"], task, metric), signed=True))
        table.add_row(visible(task), metric.replace("_", " "), items, *line)
    return table


def _of(rows: list[Entry], task: str, metric: str) -> Entry | None:
    return next((row for row in rows if (row["task"], row["metric"]) == (task, metric)), None)


def _interval(metric: str, row: Entry | None, signed: bool = False) -> str:
    if row is None:
        return ""
    if row["value"] is None:
        return "refused" if "refused" in row else f"none ({row.get('missing', 0)} missing)"
    value, low, high = (metric_text(metric, row[name], signed) for name in ("value", "ci_low", "ci_high"))
    star = " *" if signed and (row.get("p_holm") or 1) < 0.05 else ""
    return f"{value} ({low} to {high}){star}"


def eval_json(summary: Entry) -> str:
    """`scores` as in summary.json, of every model, each with its `iteration`; and the changes against the base."""
    return json.dumps(
        {
            "run": summary["run"],
            "model": summary["model"],
            "seed": summary["seed"],
            "scores": [
                {"iteration": e["iteration"], **row} for e in summary["iterations"] for row in e["scores"]
            ],
            "gain": [
                {"iteration": e["iteration"], **row} for e in summary["iterations"] for row in e["gain"]
            ],
        },
        indent=1,
    )


def power_view(found: PowerReport) -> Group:
    """What a comparison can see, in words and two tables."""

    def points(share: float | None) -> str:
        return "more than any" if share is None else f"{100 * share:.1f} points"

    facts = [
        ("prompts", str(found.prompts), ""),
        ("seeds of each arm", str(found.seeds), ""),
        ("SD of seeds", points(found.seed_sd), "how much the score differs from seed to seed"),
        ("prompts that change", f"{100 * found.discordant:.0f} %", "right in one model, wrong in the other"),
        (
            "smallest change seen",
            points(found.minimum_detectable_effect),
            "with a chance of 80 %, at a level of 5 %",
        ),
        (
            "false claims, one seed",
            f"{100 * found.false_positives_of_one_seed:.0f} %",
            "equal methods called different if each is trained once",
        ),
    ]
    if found.effect is not None:
        facts += [
            (f"chance to see {points(found.effect)}", f"{100 * (found.power or 0):.0f} %", ""),
            ("seeds needed for 80 %", _needed(found.needed_seeds, "prompts"), "with these prompts"),
            ("prompts needed for 80 %", _needed(found.needed_prompts, "seeds"), "with these seeds"),
        ]
    more = plain_table("more seeds, or more prompts")
    for name in ("seeds", "prompts", "smallest change", "chance"):
        more.add_column(name, justify="right")
    for row in (*found.more_seeds, *found.more_prompts):
        plain = asdict(row)
        chance = plain.get("power")
        more.add_row(
            str(plain["seeds"]),
            str(plain["prompts"]),
            points(plain["minimum_detectable_effect"]),
            "" if chance is None else f"{100 * chance:.0f} %",
        )
    return Group(key_value_table("what this comparison can see", facts), more)


def _needed(count: int | None, limit: str) -> str:
    return f"none is enough: the {limit} are the limit" if count is None else str(count)
