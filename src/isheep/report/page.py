"""report.html: one file that opens from disk, asks the network for nothing, and runs no script but ours.

The order is the reader's: did it work, what happened in each iteration, what did the model write, where does it come
from. Everything goes through `el`, which escapes whatever is not markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from isheep.report import figures, health_view
from isheep.report.chart import Chart
from isheep.report.drawing import policy, scripts
from isheep.report.figures import model_name
from isheep.report.first_screen import first_screen
from isheep.report.markup import Child, Html, el, join
from isheep.report.numbers import duration, short_count
from isheep.report.origin import RECIPE_FILE, REPRODUCE, finished, provenance_table, recipe_yaml, step_table
from isheep.report.rigor_view import rigor_section
from isheep.report.sample_view import sample_view
from isheep.report.sections import Corners, evaluation_sections, laid_out
from isheep.report.tables import (
    cost_table,
    dropped_table,
    iteration_table,
    ledger_table,
    score_tables,
)
from isheep.report.views import Plots, table_view
from isheep.runs import Run

#: The page's look, and what single parts add to it.
STYLES = ("style.css", "quality.css", "rigor.css")
#: The page stays below this many bytes; sample texts are cut shorter until it does.
MAX_BYTES = 4_500_000
_CUTS = (700, 300, 120, 50)

#: What a broken limit does -> how its section begins.
GUARD_LEADS: Mapping[str, str] = {
    "warn": "A limit that is broken is a warning.",
    "stop": "A limit that is broken stops the run.",
    "off": "Switched off: a limit that is broken changes nothing.",
}
Entry = Mapping[str, Any]


def page(run: Run, summary: Entry, samples: Mapping[int, Entry], corners: Corners) -> tuple[str, list[Chart]]:
    """The whole page, and the charts in it. `samples` and `corners`: by iteration, as `sample_records` and `cases` give
    them."""
    made, plots = "", Plots()
    for limit in _CUTS:
        plots = Plots()
        made = _page(run, summary, samples, corners, limit, plots)
        if len(made.encode()) < MAX_BYTES:
            break
    return made, plots.charts


def page_head(title: str, css: str) -> Html:
    """The head of a page that loads nothing, runs no script but those that draw plots, and tells nobody where it was
    opened. `css` is ours."""
    return el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy()),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", title),
        el("style", Html(css)),
    )


def _page(
    run: Run, summary: Entry, samples: Mapping[int, Entry], corners: Corners, limit: int, plots: Plots
) -> str:
    top = first_screen(summary, plots.grid(figures.score_figures(summary)))
    sections = [
        (id, title, join(body)) for id, title, body in _sections(run, summary, samples, corners, limit, plots)
    ]
    sections = [(id, title, body) for id, title, body in sections if body]
    css = "".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in STYLES)
    head = page_head(f"{summary['run']}: isheep report", css)
    links = el("nav", [el("a", title, href=f"#{id}") for id, title, _ in sections], aria_label="Sections")
    body = el(
        "body",
        _header(run, summary, links),
        el(
            "main",
            top,
            [el("section", el("h2", title), content, id=id) for id, title, content in sections],
        ),
        _footer(),
        scripts(plots.charts),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'


def _header(run: Run, summary: Entry, links: Html) -> Html:
    planned = len(summary["iterations"]) - 1
    facts = [
        f"recipe {summary['recipe']}",
        f"base model {summary['model']}",
        f"seed {summary['seed']}",
        f"{planned} iteration{'s' * (planned != 1)}",
        f"{duration(summary['totals']['seconds'])}",
        f"{short_count(summary['totals']['tokens'])} tokens",
        finished(run)[:10],
    ]
    meta = join([el("span", fact) for fact in facts if fact], " · ")
    return el(
        "header", el("h1", el("small", "isheep report / "), summary["run"]), el("p", meta, cls="meta"), links
    )


def _sections(
    run: Run, summary: Entry, samples: Mapping[int, Entry], corners: Corners, limit: int, plots: Plots
) -> Iterable[tuple[str, str, Child]]:
    """(anchor, title, content); one without content is left out."""
    made = [t for t in (dropped_table(summary), cost_table(summary)) if t]
    dropped, cost = (next((t for t in made if t.columns[0] == n), None) for n in ("reason", "stage"))
    yield "iterations", "Iterations", [
        _lead("M0 is the base model; M1 is what it became by training on what M0 wrote, and so on. – means not done, "
              "not asked, or not known."),
        [table_view(t) for t in score_tables(summary)],
        table_view(iteration_table(summary)),
    ]  # fmt: skip
    funnels = list(figures.funnel_figures(summary))
    if funnels:
        yield "funnel", "Funnel", [
            _lead("From what the model wrote to what is trained on. Grey is what each reason took away."),
            plots.grid(funnels, "grid three"),
            table_view(dropped) if dropped else None,
        ]  # fmt: skip
    guard = health_view.guard_table(summary)
    if guard:
        yield "guard", "Collapse guard", [
            _lead(f"{GUARD_LEADS[summary['guard']]} Short lines: the limit, most relative to iteration 0."),
            plots.grid(health_view.guard_figures(summary), "grid three"),
            table_view(guard, captioned=False),
        ]  # fmt: skip
    judge, histograms = health_view.judge_table(summary), list(figures.histogram_figures(summary))
    if judge:
        across = sum(f.title.startswith(histograms[0].title.split(",")[0]) for f in histograms)
        yield "judge", "Judge health", [
            _lead("Planted answers are known to be right or not; a judge that does not tell them apart is blind. One "
                  "that gives everything the same score separates nothing."),
            plots.grid(health_view.probe_figures(summary), "grid three"),
            table_view(judge, captioned=False),
            plots.grid(histograms, "grid three" if across != 2 else "grid"),
        ]  # fmt: skip
    lengths, duplicates = list(figures.length_figures(summary)), figures.duplicate_figure(summary)
    if lengths or duplicates:
        yield "text", "Lengths and duplicates", [
            _lead("Answers that shrink and tasks that repeat are the first signs of collapse."),
            plots.grid([*lengths, *([duplicates] if duplicates else [])], "grid three"),
        ]  # fmt: skip
    spent = [*figures.loss_figures(summary), *figures.cost_figures(summary)]
    if spent:
        yield "training", "Training and cost", [
            plots.grid(spent, "grid three"),
            table_view(cost) if cost else None,
        ]  # fmt: skip
    yield from evaluation_sections(summary, corners, limit, plots)
    ledger = ledger_table(summary)
    if ledger:
        yield "ledger", "Ledger", [
            table_view(ledger, captioned=False),
            el("div", el("ul", [el("li", note) for note in summary["ledger"]["notes"]]), cls="details"),
        ]  # fmt: skip
    shown = [(t, s) for t, s in samples.items() if any(s.values())]
    if shown:
        yield "samples", "What the model wrote", [
            _lead("Drawn at random by the hash of each record's id. Characters that would hide something are shown "
                  "by their number; long texts are cut."),
            [sample_view(t, model_name(t), s, limit, opened=t == shown[-1][0]) for t, s in shown],
            _all_records(run),
        ]  # fmt: skip
    yield "rigor", "A reviewer's checklist", laid_out(rigor_section(summary), "grid", plots)
    yield "origin", "Recipe and origin", _origin(run, summary)


#: Stages whose records a reader of samples may want in full.
_FULL = ("instructions", "responses", "assessment", "filter")


def _all_records(run: Run) -> Html:
    """Links to the whole files the samples were drawn from, by their place in the store (on another machine too)."""
    rows = []
    for t in range(run.recipe.iterations):
        found = [a for stage in _FULL if (a := run.artifacts(stage).get(t)) is not None]
        links = [
            el("a", f"{a.stage}: {kind}.jsonl", href=f"../../artifacts/{a.stage}/{a.key}/{kind}.jsonl")
            for a in found
            for kind in sorted(a.manifest["records"])
        ]
        if links:
            rows.append(el("li", f"iteration {t}: ", join(links, ", ")))
    return (
        el("div", el("p", "All of them, as JSON lines in the store:"), el("ul", rows), cls="details")
        if rows
        else Html("")
    )


def _origin(run: Run, summary: Entry) -> Iterable[Child]:
    notes = [f"Iteration {e['iteration']}: {note}" for e in summary["iterations"] for note in e["notes"]]
    yield el("p", "This run again, from ", el("a", RECIPE_FILE, href=RECIPE_FILE), " beside this page: ",
             el("code", REPRODUCE))  # fmt: skip
    yield el("p", "All figures: ", el("a", "summary.json", href="summary.json"), ". The same without plots: ",
             el("a", "report.md", href="report.md"), ".")  # fmt: skip
    if notes:
        yield _folded("Notes the steps left", el("ul", [el("li", note) for note in notes]))
    yield _folded("Recipe, with every default", el("pre", recipe_yaml(run), tabindex=0))
    for table in (step_table(run), provenance_table(run)):
        if table.rows:
            yield _folded(table.caption, table_view(table, captioned=False))


def _folded(title: str, *content: Child) -> Html:
    return el("details", el("summary", title), *content)


def _lead(text: str) -> Html:
    return el("p", text, cls="lead")


def _footer() -> Html:
    return el(
        "footer", "Made by isheep from the manifests and records of this run; plots by Vega-Lite. No network."
    )
