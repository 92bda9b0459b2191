"""Figures as words, the same everywhere in a report. Knows: numbers. None is "–": not known, or not done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NONE = "–"
#: Beginnings of the names of metrics that are no shares of one.
NO_SHARES = ("grade", "mean_length")
#: Keeps a number and its unit on one line.
_GAP = "\u00a0"


def count(value: float | None) -> str:
    """12345 -> "12,345"."""
    return NONE if value is None else f"{value:,.0f}"


def short_count(value: float | None) -> str:
    """12345 -> "12.3k"."""
    if value is None:
        return NONE
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.0f}"


def percent(value: float | None, digits: int = 1) -> str:
    """0.625 -> "62.5 %"."""
    return NONE if value is None else f"{100 * value:.{digits}f}{_GAP}%"


def points(value: float, digits: int = 1) -> str:
    """A difference of shares: 0.341 -> "+34.1"."""
    shown = f"{100 * value:+.{digits}f}"
    return (shown.lstrip("+-") if float(shown) == 0 else shown).replace("-", "−")


def number(value: float | None, digits: int = 2) -> str:
    """A plain figure; whole numbers without digits."""
    return NONE if value is None else (f"{value:.0f}" if value == int(value) else f"{value:.{digits}f}")


def fixed(value: float | None, digits: int = 2) -> str:
    """A plain figure, always with its digits."""
    return NONE if value is None else f"{value:.{digits}f}"


def duration(seconds: float | None) -> str:
    """93.4 -> "1 min 33 s"."""
    if seconds is None:
        return NONE
    if seconds < 10:
        return f"{seconds:.1f}{_GAP}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{_GAP}s"
    if whole < 3600:
        return f"{whole // 60}{_GAP}min {whole % 60}{_GAP}s"
    return f"{whole // 3600}{_GAP}h {whole % 3600 // 60}{_GAP}min"


def large(value: float | None) -> str:
    """FLOPs and the like: 1.23e15."""
    return NONE if value is None else ("0" if not value else f"{value:.2e}".replace("e+", "e"))


def energy(joules: float | None) -> str:
    """Joules, as Wh from 3600 on."""
    if joules is None:
        return NONE
    return f"{joules:.0f}{_GAP}J" if joules < 3600 else f"{joules / 3600:,.1f}{_GAP}Wh"


def share(cell: Mapping[str, Any] | None) -> str:
    """A share with its interval: "62.5 % (58.1 to 66.7)"."""
    if cell is None:
        return NONE
    return f"{percent(cell['value'])} ({100 * cell['ci_low']:.1f} to {100 * cell['ci_high']:.1f})"


def gain(cell: Mapping[str, Any] | None) -> str:
    """A paired difference with its interval: "+34.1 (+29.0 to +39.2)", in points."""
    if cell is None:
        return NONE
    return f"{points(cell['value'])} ({points(cell['ci_low'])} to {points(cell['ci_high'])})"


def metric_text(metric: str, value: float, signed: bool = False) -> str:
    """A score without its unit: a share in percent, a grade or a length as it is; `signed` for a change."""
    if metric.startswith(NO_SHARES):
        return f"{value:+.2f}".replace("-", "−") if signed else f"{value:.2f}"
    return points(value) if signed else f"{100 * value:.1f}"
