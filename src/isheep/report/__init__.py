"""The report of a run: summary.json, report.md and report.html in the run's folder.

Drawn anew from the store whenever it is asked for; it holds times, so it is no artifact and has no key.
"""

from __future__ import annotations

import json
from pathlib import Path

from isheep.report.cases import cases
from isheep.report.drawing import replace, write_plots
from isheep.report.markdown import markdown
from isheep.report.origin import RECIPE_FILE, recipe_yaml
from isheep.report.page import page
from isheep.report.samples import sample_records
from isheep.report.summary import summarize
from isheep.runs import Run

__all__ = ["sample_records", "summarize", "write_report"]


def write_report(run: Run) -> Path:
    """Write summary.json, report.md, report.html with its plots, and the recipe beside them; the path of the page.

    Works on a run in any state. Each file is replaced at once: a reader sees the old one or the new one. Of a remote
    store, they are sent there too.
    """
    summary = summarize(run)
    samples = {t: sample_records(run, t, run.recipe.report.samples) for t in range(run.recipe.iterations)}
    corners = {t: cases(run, t) for t in range(run.recipe.iterations)}
    run.folder.mkdir(parents=True, exist_ok=True)
    plain = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
    replace(run.folder / "summary.json", plain + "\n")
    replace(run.folder / RECIPE_FILE, recipe_yaml(run))
    replace(run.folder / "report.md", markdown(run, summary, samples))
    target = run.folder / "report.html"
    text, charts = page(run, summary, samples, corners)
    plots = write_plots(charts, run.folder)
    replace(target, text)
    run.store.send_papers(run.folder)
    run.store.send_papers(plots)
    return target
