"""Several runs side by side: arms of an experiment over the same seeds and test prompts, against one of them.

`compare` does the statistics, `lines` is its table for a terminal, `write_comparison` leaves the page and the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from isheep.compare.page import page
from isheep.compare.results import COLUMNS, Comparison
from isheep.compare.table import compare
from isheep.compare.words import covered, headline, lines
from isheep.errors import StoreError
from isheep.report.drawing import write_plots
from isheep.runs import Run

__all__ = ["COLUMNS", "Comparison", "compare", "covered", "headline", "lines", "write_comparison"]


def write_comparison(comparison: Comparison, folder: Path, shown: Mapping[str, Run] | None = None) -> Path:
    """Write compare.json, compare.csv, compare.html and its plots into a folder, made if need be; the path of the page.
    `shown`: by arm, the run whose recipe and funnel stand for it.

    Each file is replaced at once. Raises StoreError when it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / "compare.json", comparison.to_json)
        _replace(folder / "compare.csv", comparison.to_csv)
        text, charts = page(comparison, shown)
        write_plots(charts, folder)
        return _replace(folder / "compare.html", lambda path: _write(path, text))
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}", "choose another folder") from error


def _replace(target: Path, write: Callable[[Path], object]) -> Path:
    aside = target.with_name(f".{target.name}.part")
    write(aside)
    return aside.replace(target)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
