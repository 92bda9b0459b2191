"""The verbs `browse` and `why`. Thin, like cli.py, and as slow to import anything heavy."""

import json
from pathlib import Path
from typing import Annotated

import typer

from isheep.cli_sweep import DEFAULT_STORE, JsonOption, StoreOption

RunArg = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, the beginning of one, or `last`.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(browse)
    app.command()(why)


def browse(
    run: RunArg = "last",
    store: StoreOption = DEFAULT_STORE,
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1; a free one if not given.")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only print the address.")] = False,
    export_marks: Annotated[
        Path | None,
        typer.Option("--export-marks", metavar="FILE", help="Write the marked records as JSONL, and end."),
    ] = None,
) -> None:
    """Look into a run's data in the browser: search, filter, sort, follow one record through all steps, mark it.

    The page is on this machine alone and opens by the address that is printed. It works while a run is going on, and
    shows what its finished steps have made. Ctrl-C ends it. Needs `pip install 'isheep[browse]'`.

    Examples: `isheep browse`, `isheep browse lamb --no-open`, `isheep browse last --export-marks marks.jsonl`.
    """
    from isheep import open_run

    opened = open_run(run, store)
    if export_marks is not None:
        from isheep.look.marks import export_marks as export

        typer.echo(f"{export(opened, export_marks)} marked records written to {export_marks}")
        return
    from isheep.web import check_installed

    check_installed()
    from isheep.look.app import serve_run

    serve_run(opened, port=port, open_browser=not no_open, say=typer.echo)


def why(
    run: RunArg,
    id: Annotated[str, typer.Argument(metavar="ID", help="A record's id, or a beginning only it has.")],
    store: StoreOption = DEFAULT_STORE,
    json_: JsonOption = False,
) -> None:
    """Show why a record is what it is: the seeds shown, the prompt, the raw completion, scores, and its fate.

    Ids are in `isheep browse`, in the report, and in the store's JSONL files.

    Examples: `isheep why last 0.000028.02`, `isheep why last 0.000028.02 --json`.
    """
    from isheep import open_run
    from isheep.look import find_id, lineage

    opened = open_run(run, store)
    found = lineage(opened, find_id(opened, id))
    if json_:
        typer.echo(json.dumps(found.plain(), indent=1))
        return
    from isheep.look.terminal import print_lineage
    from isheep.view import terminal

    print_lineage(terminal(), found)
