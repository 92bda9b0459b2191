"""The command line: thin; every verb calls one public function. Imports the heavy rest only inside a verb.

No `from __future__ import annotations` here and in the other modules of verbs: typer would evaluate the text of every
annotation several times over, a tenth of the time of `isheep --help`.
"""

import io
import json
import os
import shlex
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from isheep import cli_eval, cli_export, cli_look, cli_plan, cli_store, cli_sweep, cli_talk
from isheep.cli_sweep import DEFAULT_STORE, JsonOption, QuietOption, StoreOption
from isheep.errors import EXIT_INTERRUPTED, IsheepError

if TYPE_CHECKING:
    from isheep.recipe import Loaded

app = typer.Typer(
    help="Align a base language model with nothing but the model itself and 175 seed tasks (I-SHEEP).\n\n"
    "Start with `isheep run`: three iterations on the embedded model, a few minutes on a laptop. Then "
    "`isheep recipes --copy one_gpu my.yaml` and `isheep run my.yaml` for a model of your own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
lamb_app = typer.Typer(help="The embedded base model.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(lamb_app, name="lamb")

RecipeArg = Annotated[
    str, typer.Argument(help="A shipped recipe's name (see `isheep recipes`) or a path to YAML.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change one setting; may be given many times."),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Seed of every random draw.", min=0)]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the run; made from the recipe if not given.")
]
RunArg = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, the beginning of one, or `last`.")]


def _version(value: bool) -> None:
    if value:
        from isheep import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    recipe: RecipeArg = "lamb",
    overrides: SetOption = None,
    store: StoreOption = DEFAULT_STORE,
    seed: SeedOption = None,
    name: NameOption = None,
    quiet: QuietOption = False,
    json_: Annotated[
        bool,
        typer.Option("--json", help="Print events for machines: one JSON object a line, the result last."),
    ] = False,
) -> None:
    """Run a recipe: do every step the store does not have yet, then write the report.

    Run the same command again after an interruption: it goes on from where it stopped and ends with the same result.

    On a terminal it shows what is at work; in a file or a pipe it writes plain lines. `isheep run my.yaml --quiet`
    prints the result alone; `isheep run my.yaml --json | jq -c 'select(.event == "done")'` is for programs
    (docs/progress.md).
    """
    from isheep import make_plan
    from isheep import run as run_recipe
    from isheep.view import score_table
    from isheep.view_eval import eval_table
    from isheep.view_live import JsonLines, display

    loaded = _load(recipe, overrides, seed)
    console = _console()
    shown = display(console, len(make_plan(loaded).steps), "json" if json_ else "quiet" if quiet else "shown")
    with shown as live:
        done = run_recipe(loaded, store, name, live.tell)
    summary = json.loads((done.folder / "summary.json").read_text(encoding="utf-8"))
    if isinstance(shown, JsonLines):
        shown.result(done.name, done.folder, summary)
        return
    for table in () if quiet else (score_table(summary), eval_table(summary, exact=False)):
        if table.row_count and len(table.columns) > 1:
            console.print(table)
    console.print(f"run     {done.name}", soft_wrap=True)
    console.print(f"report  {done.folder / 'report.html'}", soft_wrap=True)


@app.command()
def show(
    run: RunArg = "last",
    store: StoreOption = DEFAULT_STORE,
    json_: JsonOption = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check every file against its digest.")] = False,
    samples: Annotated[int, typer.Option("--samples", help="Sample records per iteration.", min=0)] = 3,
    items: Annotated[
        bool, typer.Option("--items", help="Print every scored item as JSONL, for statistics of your own.")
    ] = False,
) -> None:
    """Show a run: scores, funnel, why records were dropped, and samples. `--json` prints summary.json."""
    from isheep import open_run, summarize
    from isheep.show import item_lines, problems, sample_lines, watch_table
    from isheep.view import dropped_table, funnel_table, score_table
    from isheep.view_eval import eval_table

    opened = open_run(run, store)
    if verify:
        found = problems(opened)
        for line in found:
            typer.echo(line, err=True)
        checked = sum(opened.artifact(step) is not None for step in opened.steps)
        typer.echo(f"{checked} artifacts checked, {len(found)} problems")
        raise typer.Exit(5 if found else 0)
    if items:
        for line in item_lines(opened):
            typer.echo(line)
        return
    summary = summarize(opened, deep=json_)
    if json_:
        typer.echo(json.dumps(summary, indent=1, allow_nan=False))
        return
    console = _console()
    state = "complete" if summary["complete"] else "not complete"
    console.print(
        f"{summary['run']}: recipe {summary['recipe']}, model {summary['model']}, {state}", highlight=False
    )
    for table in (
        score_table(summary),
        eval_table(summary, exact=False),
        funnel_table(summary),
        watch_table(summary),
        dropped_table(summary),
    ):
        if table.row_count:
            console.print(table)
    for line in sample_lines(opened, samples):
        console.print(line, soft_wrap=not console.is_terminal)


@app.command()
def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN [RUN...]", help="Runs by name or its beginning; `last` if none is given."
        ),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write report.html, report.md and summary.json of a run again, and print where the page is.

    Of several runs: each report, then one page with all side by side: scores by iteration, differences, funnels, costs,
    and what their recipes differ in. The first is what the others are compared with.

    isheep report last

    isheep report lamb-seed0 lamb-seed1 other-recipe
    """
    from isheep import open_run, write_report

    opened = [open_run(name, store) for name in runs or ["last"]]
    for one in opened:
        typer.echo(write_report(one))
    if len(opened) > 1:
        typer.echo(cli_sweep.side_by_side(opened))


@app.command()
def recipes(
    copy: Annotated[
        tuple[str, Path] | None,
        typer.Option("--copy", metavar="NAME DEST", help="Copy a recipe to change it."),
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of recipes.")] = False,
) -> None:
    """List the shipped recipes, or copy one to start your own from."""
    from isheep.recipe import copy_recipe, load_recipe, recipe_names
    from isheep.recipe import schema as recipe_schema
    from isheep.view import key_value_table

    if schema:
        typer.echo(json.dumps(recipe_schema(), indent=1))
    elif copy:
        dest = copy_recipe(*copy)
        typer.echo(f"{dest}\nrun it with: isheep run {shlex.quote(str(dest))}")
    else:
        rows = [(n, "", load_recipe(p).recipe.description) for n, p in recipe_names().items()]
        _console().print(key_value_table("recipes", rows))


@app.command()
def doctor(store: StoreOption = DEFAULT_STORE) -> None:
    """Show what is installed, which device would be used, and what is missing."""
    from isheep import Store
    from isheep.doctor import machine, packages
    from isheep.view import key_value_table

    console = _console()
    found = packages()
    console.print(key_value_table("machine", machine(Store(store).root)))
    console.print(key_value_table("packages", found))
    if any(state == "missing" for _, state, _ in found):
        raise typer.Exit(3)


@lamb_app.command("build")
def lamb_build(
    out: Annotated[Path, typer.Argument(help="Folder to write the model to; run again to resume.")],
    seed: Annotated[int, typer.Option(help="Seed of corpus and weights.")] = 0,
    tokens: Annotated[
        int | None, typer.Option(help="Tokens to train on; as shipped if not given.", min=1)
    ] = None,
    threads: Annotated[int, typer.Option(help="CPU threads.", min=1)] = 1,
) -> None:
    """Pre-train the embedded model from scratch (some minutes on two cores). Resumes where it was interrupted."""
    from isheep.lamb.build import TOKENS, build
    from isheep.view import build_progress

    with build_progress(_console()) as progress:
        build(out, seed=seed, tokens=tokens or TOKENS, threads=threads, progress=progress)
    typer.echo(f"built {out}; run the loop on it with: isheep run --set model.base={shlex.quote(str(out))}")


cli_plan.register(app)
cli_sweep.register(app)
cli_eval.register(app)
cli_export.register(app)
cli_store.register(app)
cli_look.register(app)
cli_talk.register(app)


def _load(recipe: str, overrides: list[str] | None, seed: int | None) -> "Loaded":
    from isheep import load_recipe

    return load_recipe(recipe, overrides or (), seed=seed)


def _console(stderr: bool = False) -> Any:
    from isheep.view import terminal

    return terminal(stderr)


def main() -> None:
    """The console script: errors become a message, a hint and an exit code; no traceback without --debug."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # model text may hold what a terminal has no letter for
    # PyTorch's threads wait without spinning: where anything else computes, a spinning one holds up the thread it waits
    # for, and a small model trains three times slower. Alone on a machine it costs a twelfth. Children inherit it.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    debug = "--debug" in sys.argv  # wherever it stands, before the verb or after
    try:
        code = app([word for word in sys.argv[1:] if word != "--debug"], standalone_mode=False)
        if code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
    except IsheepError as error:
        if debug:
            traceback.print_exc()
        typer.echo(f"error: {error.message}", err=True)
        if error.hint:
            typer.echo(f"hint: {error.hint}", err=True)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        again = " ".join(shlex.quote(word) for word in ["isheep", *sys.argv[1:]])
        typer.echo(f"\nstopped; everything written so far is safe. Go on with: {again}", err=True)
        code = EXIT_INTERRUPTED
    except OSError as error:
        if debug:
            traceback.print_exc()
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {where}{error.strerror or error}", err=True)
        typer.echo("hint: check the path, its permissions and the room on the disk", err=True)
        code = 1
    except Exception as error:
        code = _usage_or_bug(error, debug)
    sys.exit(code if isinstance(code, int) else 0)


def _usage_or_bug(error: Exception, debug: bool) -> int:
    """Wrong use of the command line prints its usage; anything else is a bug of ours and says so."""
    show_usage = getattr(error, "show", None)  # click's own errors know how to print themselves
    if show_usage is not None:
        show_usage()
        return int(getattr(error, "exit_code", 2))
    if debug:
        traceback.print_exc()
    typer.echo(f"error: {type(error).__name__}: {error}", err=True)
    typer.echo("hint: this looks like a bug in isheep; run again with --debug for a traceback", err=True)
    return 1


if __name__ == "__main__":
    main()
