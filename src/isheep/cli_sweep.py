"""The verbs over many runs: `sweep` and `compare`. Thin, like cli.py, and as slow to import anything heavy."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isheep.errors import StoreError, YieldError

if TYPE_CHECKING:
    from isheep.runs import Run
    from isheep.sweep import LoadedSweep

DEFAULT_STORE = "isheep-store"  # = isheep.runs.DEFAULT_STORE, which is too heavy to import for --help
StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="DIR_OR_URL",
        help="Folder that keeps everything that was made, or an object store (s3://bucket/path).",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print the last result lines and errors alone.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(sweep)
    app.command()(compare)


def sweep(
    name: Annotated[
        str | None, typer.Argument(metavar="SWEEP", help="A shipped sweep's name or a path to YAML.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change one setting of every arm."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    seeds: Annotated[
        list[int] | None,
        typer.Option("--seed", help="Run these seeds instead of the sweep's; may be given many times."),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", help="Seeds to run side by side, a process each.", min=1)
    ] = 1,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Only show what would run: steps, how many are done, tokens, disk, time."
        ),
    ] = False,
    show_list: Annotated[bool, typer.Option("--list", help="List the shipped sweeps.")] = False,
    json_: JsonOption = False,
) -> None:
    """Run every arm of a sweep with every seed on one store, then compare them.

    Steps that arms have in common are done once. Run the same command again after an interruption: it goes on. An arm
    that fails by itself (its filter keeps nothing) is reported and the others go on.
    """
    from isheep.sweep import load_sweep, run_sweep
    from isheep.view import key_value_table, terminal, visible
    from isheep.view_sweep import SweepLive, sweep_list

    console = terminal(stderr=json_)
    if show_list or name is None:
        listed = sweep_list()
        if json_:
            typer.echo(json.dumps(listed, indent=1))
        else:
            console.print(key_value_table("sweeps", [(name, "", said) for name, said in listed.items()]))
        return
    loaded = load_sweep(name, overrides or (), seeds)
    if not any(job.loaded.recipe.tests_something for job in loaded.jobs):
        console.print(
            "no test is named (evaluate.tasks, benchmarks, ifeval, chat): nothing will be compared",
            style="yellow",
        )
    if plan:
        _plan(loaded, store, json_)
        return
    with SweepLive(console, loaded) as live:
        record = run_sweep(loaded, store, workers, live.tell)
    failed = [entry for entry in record.entries if entry.error]
    try:
        _compare(record.arms, loaded.sweep.reference, loaded.sweep.iteration, record.folder, json_)
        record.store.send_papers(record.folder)
    except StoreError as error:
        if not failed:
            raise
        console.print(f"not compared: {error.message}", soft_wrap=True)
    for entry in failed:
        console.print(f"failed: {entry.run}: {visible(entry.error)}", style="yellow", soft_wrap=True)
    if failed:
        sys.exit(YieldError.exit_code)


def compare(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RUN RUN ... | SWEEP", help="Two or more runs, or the name of a sweep."),
    ],
    store: StoreOption = DEFAULT_STORE,
    reference: Annotated[
        str | None, typer.Option("--reference", help="The arm or run the others are compared with.")
    ] = None,
    iteration: Annotated[
        str | None, typer.Option("--iteration", help="Which model of each run: last, best, all, or a number.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Compare arms over the same seeds and test questions: paired differences, 95 % intervals, Holm's correction.

    Of runs given one by one, those that differ only in their seed are one arm. Writes compare.html, .csv and .json.
    """
    from isheep.runs import open_run
    from isheep.sweep import arms_of, open_sweep

    chosen: int | str | None = int(iteration) if iteration and iteration.isdigit() else iteration
    if len(names) == 1:
        record = open_sweep(names[0], store)
        plain = record.definition
        which = plain["iteration"] if chosen is None else chosen
        _compare(record.arms, reference or plain["reference"], which, record.folder, json_)
        return
    runs = [open_run(name, store) for name in names]
    arms = arms_of(runs)
    _compare(
        arms, reference or next(iter(arms)), "last" if chosen is None else chosen, _beside(runs[0]), json_
    )


def side_by_side(runs: "Sequence[Run]") -> Path:
    """Write the page that `isheep compare` writes of these runs, and nothing else; its path."""
    from isheep.compare import compare as compare_arms
    from isheep.compare import write_comparison
    from isheep.sweep import arms_of

    arms = arms_of(runs)
    found = compare_arms(arms, next(iter(arms)))
    return write_comparison(found, _beside(runs[0]), {name: of[0] for name, of in arms.items()})


def _beside(run: "Run") -> Path:
    """The folder of comparisons of runs that were named one by one."""
    return run.store.root / "sweeps" / "compare"


def _plan(loaded: "LoadedSweep", store: str, json_: bool) -> None:
    from isheep.view import terminal
    from isheep.view_sweep import sweep_plan, sweep_plan_rows

    rows = sweep_plan_rows(loaded, store)
    if json_:
        typer.echo(json.dumps(rows, indent=1))
    else:
        terminal().print(sweep_plan(loaded, rows))


def _compare(arms: Any, reference: str, iteration: Any, folder: Path, json_: bool) -> None:
    from isheep.compare import compare as compare_arms
    from isheep.compare import headline, write_comparison
    from isheep.view import terminal
    from isheep.view_sweep import comparison_table

    found = compare_arms(arms, reference, iteration=iteration)
    page = write_comparison(found, folder, {name: runs[0] for name, runs in arms.items() if runs})
    if json_:
        typer.echo(json.dumps(found.rows(), indent=1, allow_nan=False))
        return
    console = terminal()
    console.print(comparison_table(found))
    for line in (headline(found), *found.notes):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"page    {page}", soft_wrap=True)
