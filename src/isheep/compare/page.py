"""compare.html: one file that opens from disk, asks the network for nothing, and runs no script but ours.

The order is the reader's: who is better, by how much and how surely, over which iterations, at what cost, from which
runs. Everything goes through `el`, which escapes whatever is not markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files

from isheep.compare import sides, tables
from isheep.compare.figures import climb_figures, difference_figures, gain_figures
from isheep.compare.results import Comparison
from isheep.compare.words import covered, headline
from isheep.report.chart import Chart
from isheep.report.drawing import scripts
from isheep.report.markup import Child, Html, el, join
from isheep.report.numbers import count
from isheep.report.page import page_head
from isheep.report.tables import Table
from isheep.report.views import Plots, table_view
from isheep.runs import Run

#: The report's look, and what a comparison adds to it.
STYLES = ("isheep.report", "isheep.compare")


def page(comparison: Comparison, shown: Mapping[str, Run] | None = None) -> tuple[str, list[Chart]]:
    """The whole page, and the charts in it. `shown`: by arm, the run whose recipe, funnel and report stand for it."""
    plots = Plots()
    first = _first_screen(comparison, plots)
    css = "".join(files(room).joinpath("style.css").read_text(encoding="utf-8") for room in STYLES)
    others = [arm.name for arm in comparison.arms if arm.name != comparison.reference]
    title = f"{others[0] if len(others) == 1 else f'{len(others)} arms'} against {comparison.reference}"
    head = page_head(f"{title}: isheep comparison", css)
    made = [(id, name, join(content)) for id, name, content in _sections(comparison, plots, shown or {})]
    sections = [(id, name, content) for id, name, content in made if content]
    links = [el("a", name, href=f"#{id}") for id, name, _ in sections]
    body = el(
        "body",
        el(
            "header",
            el("h1", el("small", "isheep comparison / "), title),
            el("p", _facts(comparison), cls="meta"),
            el("nav", links, aria_label="Sections"),
        ),
        el(
            "main",
            first,
            [el("section", el("h2", name), content, id=id) for id, name, content in sections],
        ),
        el(
            "footer",
            "Made by isheep from the manifests and records of these runs. It asks the network for nothing.",
        ),
        scripts(plots.charts),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n', plots.charts


def _facts(comparison: Comparison) -> str:
    runs = sum(len(arm.runs) for arm in comparison.arms)
    seeds = sorted({seed for arm in comparison.arms for seed in arm.runs})
    tests = dict.fromkeys(f"{r.task} ({count(r.score.prompts)} prompts)" for r in comparison.results)
    which = f"M{comparison.iteration}" if comparison.iteration.isdigit() else f"{comparison.iteration} model"
    compared = which if comparison.iteration != "all" else "all models"
    return f"{runs} runs · seeds {', '.join(map(str, seeds))} · {', '.join(tests)} · {compared} compared"


def _first_screen(comparison: Comparison, plots: Plots) -> Html:
    """Who is better: in words, then in plots."""
    verdict = el("section", el("h2", headline(comparison)), cls="verdict calm", aria_label="Verdict")
    warned = [
        f"{run} of {arm.name} is left out: {why}."
        for arm in comparison.arms
        for run, why in arm.left_out.items()
    ]
    warned += comparison.notes
    listed = el("ul", [el("li", text) for text in warned])
    title = el("strong", "Look at this first")
    box = el("section", title, listed, cls="box", aria_label="Warnings") if warned else None
    details = el("div", el("ul", [el("li", text) for text in covered(comparison)]), cls="details")
    return join([verdict, box, plots.grid(difference_figures(comparison), "grid wide"), details])


def _sections(
    comparison: Comparison, plots: Plots, shown: Mapping[str, Run]
) -> Iterable[tuple[str, str, Child]]:
    """(anchor, title, content); one without content is left out."""
    yield "figures", "All figures", table_view(tables.figure_table(comparison), captioned=False)
    gains = gain_figures(comparison)
    if gains:
        yield "gains", "Does it help at all?", [
            _lead("Each arm against its own base model: same prompts, same seeds."),
            plots.grid(gains, "grid wide"),
        ]  # fmt: skip
    yield "climb", "Scores by iteration", [
        _lead("Means over seeds with 95 % intervals. Small dots are single seeds, the dotted line is the reference."),
        [plots.grid(climb_figures(comparison, cell), "grid three") for cell in comparison.cells()],
    ]  # fmt: skip
    differ = sides.recipe_table(shown)
    if differ:
        yield "recipe", "What the recipes differ in", table_view(differ, captioned=False)
    funnels = list(sides.funnels(shown))
    if funnels:
        yield "funnel", "Funnels", [
            _lead("From what each model wrote to what was trained on, one run for each arm."),
            plots.grid(funnels, "grid three"),
        ]  # fmt: skip
    kept = tables.kept_table(comparison)
    if kept:
        yield "kept", "Pairs kept", table_view(kept)
    yield "cost", "What it cost", _costs(comparison)
    yield "runs", "Runs and files", [
        table_view(tables.run_table(comparison), captioned=False),
        el("p", "All figures: ", el("a", "compare.csv", href="compare.csv"), ", ",
           el("a", "compare.json", href="compare.json"), "."),
        _folded(tables.column_table()),
    ]  # fmt: skip


def _costs(comparison: Comparison) -> Iterable[Child]:
    labels = tables.label_table(comparison)
    notes = dict.fromkeys(note for r in comparison.results for note in r.ledger.notes)
    yield [el("p", note, cls="lead") for note in notes]
    yield table_view(tables.cost_table(comparison))
    if labels:
        yield table_view(labels)
    yield _folded(tables.stage_table(comparison))


def _folded(table: Table) -> Html:
    return el("details", el("summary", table.caption), table_view(table, captioned=False))


def _lead(text: str) -> Html:
    return el("p", text, cls="lead")
