"""The verb `plan`. Thin, like cli.py, and as slow to import anything heavy."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isheep.cli_sweep import DEFAULT_STORE, JsonOption, StoreOption
from isheep.errors import RecipeError

if TYPE_CHECKING:
    from isheep.plan_capacity import Capacity


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command()(plan)


def plan(
    recipe: Annotated[
        str, typer.Argument(help="A shipped recipe's name (see `isheep recipes`) or a path to YAML.")
    ] = "lamb",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change one setting; may be given many times."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of every random draw.", min=0)] = None,
    devices: Annotated[
        int | None, typer.Option("--devices", help="Estimate time and memory on so many GPUs.", min=1)
    ] = None,
    gpu: Annotated[
        str | None, typer.Option("--gpu", metavar="NAME", help="Which GPU: a100-80gb, h100, rtx4090, ...")
    ] = None,
    parameters: Annotated[
        float | None,
        typer.Option("--params", metavar="7e9", help="Parameters of a model that is not at hand.", min=1e6),
    ] = None,
    longest: Annotated[
        bool,
        typer.Option("--longest", help="Every text as long as the recipe lets it be: an upper bound."),
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Show what would run: each step, its key, whether the store has it, and roughly how many tokens and bytes.

    With --devices and --gpu also roughly how long it takes there, the memory on each GPU, and what does not fit.
    """
    from isheep import Store, load_recipe, make_plan
    from isheep.estimate import LONGEST, TYPICAL, plan_rows
    from isheep.runs import default_name
    from isheep.view import terminal
    from isheep.view_plan import plan_table

    if gpu is None and (devices, parameters) != (None, None):
        raise RecipeError("--devices and --params need --gpu", "--gpu a100-80gb, for instance")
    made = make_plan(load_recipe(recipe, overrides or (), seed=seed))
    lengths = LONGEST if longest else TYPICAL
    rows = plan_rows(made, Store(store), lengths)
    found = None
    if gpu is not None:
        from isheep.plan_capacity import capacity

        done = {row["step"] for row in rows if row["state"] == "done"}
        found = capacity(made, gpu, devices or 1, parameters, lengths, done)
        for row in rows:
            row.update(found.row(row["step"]))
    todo = [row for row in rows if row["state"] != "done"]
    totals = {what: sum(row[what] for row in todo) for what in ("read", "written", "bytes")}
    if json_:
        told: dict[str, Any] = {"run": default_name(made), "steps": rows, "to_do": totals}
        if found is not None:
            told["capacity"] = found.summary([row["step"] for row in todo])
        typer.echo(json.dumps(told, indent=1))
        return
    console = terminal()
    console.print(plan_table(rows))
    console.print(
        f"{len(rows)} steps, {len(rows) - len(todo)} done; {_rest(totals) if todo else 'nothing to do'}"
    )
    if found is not None and todo:
        for line in _lines(found, [row["step"] for row in todo]):
            console.print(line, soft_wrap=not console.is_terminal)


def _rest(totals: dict[str, int]) -> str:
    from isheep.view import count, size

    return (
        f"to do: about {count(totals['read'])} tokens read, {count(totals['written'])} written, "
        f"{size(totals['bytes'])} on disk (estimates)"
    )


def _lines(found: "Capacity", todo: list[str]) -> list[str]:
    """What is printed below the table: the total, and how the work is spread."""
    from isheep.report.numbers import duration
    from isheep.view_plan import memory

    told = found.summary(todo)
    where = f"{told['devices']} x {told['gpu']} ({found.room.gpu.memory:g} GiB)"
    total = (
        f"about {duration(told['seconds'])} on {where}, at most {memory(told['memory'])} on each (estimates)"
    )
    if not told["fits"]:
        total = f"does not fit on {where}"
    elif told["unknown"]:
        total += f"; without {len(told['unknown'])} steps that a server does"
    size = f"{found.model}: {_many(found.shape.parameters)} parameters"
    if not found.shape.exact:
        size += ", of a shape like others of that size" if found.shape.given else ", roughly"
    files = f"{memory(told['files'])} of files, and as much of the machine's memory while they are loaded"
    return [total, f"{size}; {files}", *found.notes]


def _many(parameters: int) -> str:
    return f"{parameters / 1e9:.3g} billion" if parameters >= 1e9 else f"{parameters / 1e6:.3g} million"
