"""The verb `clean`. Thin, like cli.py, and as slow to import anything heavy."""

from typing import Annotated

import typer

from isheep.cli_sweep import DEFAULT_STORE, StoreOption


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(clean)


def clean(
    store: StoreOption = DEFAULT_STORE,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this, only say what.")] = False,
) -> None:
    """Remove the steps that no run names, finished or not: what is left of settings that were tried and given up.

    Says what it would remove; `--yes` removes it. What any run under STORE/runs names stays, and so does what somebody
    works on at this moment. Of a remote store, only this machine's side is cleaned.
    """
    from isheep import Store
    from isheep.runs import named_keys

    opened = Store(store)
    found = opened.collect_garbage(named_keys(opened), only_say=not yes)
    for name in found:
        typer.echo(name)
    if yes:
        typer.echo(f"removed {len(found)} steps from {opened.root}")
    else:
        again = "; `isheep clean --yes` removes them" if found else ""
        typer.echo(f"{len(found)} steps in {opened.root} are named by no run{again}")
