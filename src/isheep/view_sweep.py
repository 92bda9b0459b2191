"""What a person sees of a sweep on a terminal: its plan, its progress, and the comparison at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from isheep.estimate import estimate
from isheep.recipe_text import read
from isheep.report.numbers import duration
from isheep.store import Store
from isheep.sweep import JobEvent, LoadedSweep, sweep_names
from isheep.view import PLAIN_SECONDS, count, size, visible

if TYPE_CHECKING:
    from isheep.compare import Comparison


class SweepLive:
    """Shows the events of a sweep: one bar over all steps that are still to do, a line for each finished run."""

    def __init__(self, console: Console, loaded: LoadedSweep) -> None:
        self.console = console
        self.runs = len(loaded.jobs)
        self.finished = 0
        self.made = 0
        self.begun = self._said = time.monotonic()
        self._keys = {
            (job.arm, job.seed, step.name): step.key for job in loaded.jobs for step in job.plan.steps
        }
        self._over: set[str] = set()
        self.total = len(set(self._keys.values()))
        self._progress = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), MofNCompleteColumn(),
            TextColumn("steps, left"), TimeRemainingColumn(), console=console, transient=True,
            disable=not console.is_terminal,
        )  # fmt: skip
        self._bar = self._progress.add_task(loaded.sweep.name, total=self.total)

    def __enter__(self) -> SweepLive:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def tell(self, event: JobEvent) -> None:
        """The listener to hand to `run_sweep`."""
        where = f"{event.arm} seed {event.seed}"
        if event.kind == "step" and event.step is not None:
            if event.step.kind in ("done", "cached"):
                self._over.add(self._keys[event.arm, event.seed, event.step.step])
                self.made += event.step.kind == "done"
                self._progress.update(
                    self._bar, completed=len(self._over), description=f"{where}: {event.step.step}"
                )
                self._say()
        elif event.kind in ("done", "failed"):
            self.finished += 1
            how = "done" if event.kind == "done" else f"failed: {visible(event.text)}"
            style = "" if event.kind == "done" else "yellow"
            self.console.print(
                Text(f"[{self.finished:>{len(str(self.runs))}}/{self.runs}] {where:<24} {how}", style)
            )

    def _say(self) -> None:
        """A line now and then where there is no terminal."""
        now = time.monotonic()
        if self.console.is_terminal or not self.made or now - self._said < PLAIN_SECONDS:
            return
        self._said = now
        spent = now - self.begun
        left = spent * (self.total - len(self._over)) / self.made
        self.console.print(
            f"{len(self._over)} steps of at most {self.total}, {spent:.0f} s spent, about {left:.0f} s left",
            markup=False,
        )


def sweep_list() -> dict[str, str]:
    """The shipped sweeps and what they say of themselves."""
    return {name: str(read(path).get("description", "")) for name, path in sweep_names().items()}


def sweep_plan_rows(loaded: LoadedSweep, store: Path | str) -> list[dict[str, Any]]:
    """One row per run: its steps, how many are done, how many another run before it will have done, what is to do.

    `seconds` is told by what this sweep's finished steps of each stage took; null while some stage has none.
    """
    where = Store(store)
    planned: set[str] = set()
    took = _seconds_by_stage(loaded, where)
    rows = []
    for job in loaded.jobs:
        guessed = estimate(job.plan)
        done = [s for s in job.plan.steps if where.find(s.stage, s.key)]
        shared = [s for s in job.plan.steps if s.key in planned and s not in done]
        todo = [s for s in job.plan.steps if s not in done and s not in shared]
        planned.update(s.key for s in job.plan.steps)
        rows.append(
            {
                "arm": job.arm,
                "seed": job.seed,
                "steps": len(job.plan.steps),
                "done": len(done),
                "shared": len(shared),
                "to_do": len(todo),
                "read": sum(guessed[s.name].read for s in todo),
                "written": sum(guessed[s.name].written for s in todo),
                "bytes": sum(guessed[s.name].bytes for s in todo),
                "seconds": None
                if any(s.stage not in took for s in todo)
                else sum(took[s.stage] for s in todo),
            }
        )
    return rows


def _seconds_by_stage(loaded: LoadedSweep, where: Store) -> dict[str, float]:
    """Mean seconds of this sweep's finished steps, by stage."""
    keys = {(s.stage, s.key) for job in loaded.jobs for s in job.plan.steps}
    found: dict[str, list[float]] = {}
    for stage, key in keys:
        artifact = where.find(stage, key)
        if artifact is not None:
            found.setdefault(stage, []).append(artifact.manifest["seconds"])
    return {stage: fmean(seconds) for stage, seconds in found.items()}


def sweep_plan(loaded: LoadedSweep, rows: Sequence[Mapping[str, Any]]) -> Table:
    """The plan of a sweep as a table, with totals."""
    table = Table(title=Text(loaded.sweep.name), title_justify="left")
    for name in ("arm", "seed", "steps", "done", "shared", "to do", "tokens read", "written", "disk", "time"):
        table.add_column(name, justify="left" if name == "arm" else "right")
    for row in rows:
        table.add_row(
            row["arm"], str(row["seed"]), str(row["steps"]), str(row["done"]), str(row["shared"]), str(row["to_do"]),
            count(row["read"]), count(row["written"]), size(row["bytes"]), duration(row["seconds"]),
        )  # fmt: skip
    total = {
        k: sum(row[k] for row in rows)
        for k in ("steps", "done", "shared", "to_do", "read", "written", "bytes")
    }
    table.add_section()
    table.add_row(
        "all", "", str(total["steps"]), str(total["done"]), str(total["shared"]), str(total["to_do"]),
        count(total["read"]), count(total["written"]), size(total["bytes"]),
        duration(None if None in (times := [row["seconds"] for row in rows]) else sum(times)),
    )  # fmt: skip
    table.caption = Text("Estimates; the time is told once some runs are done, for one worker.")
    table.caption_justify = "left"
    return table


def comparison_table(found: Comparison) -> Table:
    """The comparison as a table."""
    from isheep.compare import lines

    head, *body = lines(found)
    table = Table(title=Text(f"compared with {found.reference}"), title_justify="left")
    for n, name in enumerate(head):
        table.add_column(Text(name), justify="left" if n == 0 else "right")
    for line in body:
        table.add_row(*(Text(visible(cell.replace("\N{NO-BREAK SPACE}", " "))) for cell in line))
    return table
