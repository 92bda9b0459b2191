"""What a person sees on a terminal: the tables of `run`, `show`, `recipes` and `doctor`, and the bar of `lamb build`.

It and its kin (view_live.py, view_eval.py, ...) are the only modules that know about colour. Model text is printed as
data: no markup in it is read, control characters are made visible.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

#: Columns of a table that goes to a file or a pipe, where nothing has to be cut short.
FILE_WIDTH = 160
#: Seconds between two progress lines where there is no terminal.
PLAIN_SECONDS = 10.0


@contextlib.contextmanager
def build_progress(console: Console) -> Iterator[Callable[[Any], None]]:
    """A bar for `isheep lamb build`: tokens, rate, time left, loss."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[words]}"), console=console,
    )  # fmt: skip
    task = bar.add_task("corpus", total=None, words="")
    said = 0.0

    def tell(state: Any) -> None:
        nonlocal said
        loss = "" if state.loss is None else f", loss {state.loss:.3f}"
        words = f"{state.tokens_per_second:,.0f} tokens/s, {state.seconds_left:.0f} s left{loss}"
        bar.update(task, description=state.phase, completed=state.done, total=state.total, words=words)
        if not console.is_terminal and time.monotonic() - said > PLAIN_SECONDS:
            said = time.monotonic()
            console.print(f"{state.phase}: {state.done} of {state.total} tokens, {words}", highlight=False)

    if not console.is_terminal:
        yield tell
        return
    with bar:
        yield tell


def visible(text: str) -> str:
    """Control and direction-changing characters as \\x.. escapes: model text must not drive the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def terminal(stderr: bool = False) -> Console:
    """Where tables are printed. Nothing printed is markup: names and model text may hold square brackets."""
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = FILE_WIDTH
    return console


def plain_table(title: str, show_header: bool = True) -> Table:
    heading = Text(title, no_wrap=True, overflow="ignore")
    return Table(title=heading, title_justify="left", box=None, pad_edge=False, show_header=show_header)


def count(number: float) -> str:
    """1234567 -> "1.2M"."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.1f}{unit}"
    return f"{number:.0f}" if number else "-"


def size(number: float) -> str:
    """Bytes for people."""
    return f"{count(number)}B" if number else "-"


def percent(share: float | None) -> str:
    """0.4567 -> "45.7 %"."""
    return "-" if share is None else f"{100 * share:.1f} %"


def score_table(summary: Mapping[str, Any]) -> Table:
    """Scores by iteration, in percent, with their intervals; below, what stopped the run and what its result is."""
    table = plain_table("scores in % (95 % interval)")
    if summary["verdict"]["outcome"]:
        # Folded by hand: a caption of its own accord is as wide as its table, however narrow that is.
        width = shutil.get_terminal_size((FILE_WIDTH, 24)).columns
        said = "\n".join(textwrap.fill(visible(line), width) for line in summary["verdict"]["outcome"])
        table.caption = Text(said, justify="left", no_wrap=True, overflow="ignore")
    rows = [(s["task"], s["metric"]) for i in summary["iterations"] for s in i["scores"]]
    exact = ("accuracy_", "ended_")  # what else was evaluated stands in a table of its own
    metrics = [cell for cell in dict.fromkeys(rows) if cell[1].startswith(exact) and "@" not in cell[1]]
    table.add_column("model", no_wrap=True)
    for task, metric in metrics:
        table.add_column(f"{task}\n{metric.replace('_', ' ')}", justify="right", no_wrap=True)
    for entry in summary["iterations"]:
        found = {(s["task"], s["metric"]): s for s in entry["scores"]}
        cells = [_score(found.get(metric)) for metric in metrics]
        table.add_row("base" if entry["iteration"] == 0 else f"M{entry['iteration']}", *cells)
    return table


def _score(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return "-"
    low, high = 100 * score["ci_low"], 100 * score["ci_high"]
    return f"{100 * score['value']:.1f} ({low:.0f}-{high:.0f})"


def funnel_table(summary: Mapping[str, Any]) -> Table:
    """What each iteration wrote, answered and kept."""
    table = plain_table("funnel")
    names = (
        "",
        "candi-\ndates",
        "new\ntasks",
        "answers",
        "kept",
        "mean\nscore",
        "AUROC",
        "right",
        "right\nof kept",
    )
    for name in names:
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for entry in summary["iterations"]:
        if not entry["candidates"]:
            continue
        judged = entry["assessment"]
        right, kept = judged.get("right"), judged.get("right_kept")
        table.add_row(
            str(entry["iteration"]), str(entry["candidates"]), str(entry["instructions"]), str(entry["responses"]),
            str(entry["kept"]), _number(judged["mean"]), _number(judged["auroc"]),
            percent(right["value"]) if right else "-", percent(kept["value"]) if kept else "-",
        )  # fmt: skip
    return table


def dropped_table(summary: Mapping[str, Any]) -> Table:
    """Why records were dropped, by iteration."""
    table = plain_table("dropped, by reason and iteration")
    entries = [entry for entry in summary["iterations"] if entry["dropped"]]
    table.add_column("reason")
    for entry in entries:
        table.add_column(str(entry["iteration"]), justify="right", no_wrap=True)
    for reason in sorted({reason for entry in entries for reason in entry["dropped"]}):
        table.add_row(reason, *(str(entry["dropped"].get(reason, 0)) for entry in entries))
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def key_value_table(
    title: str, rows: Sequence[tuple[str, str, str]], say: Callable[[str], str] = str
) -> Table:
    """Rows of (name, state, remark)."""
    table = plain_table(title, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, state, remark in rows:
        table.add_row(Text(name), Text(state), Text(say(remark)))
    return table
