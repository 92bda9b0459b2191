"""The verbs of evaluation: `eval` and `power`. Thin, like cli.py, and as slow to import anything heavy."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from isheep.cli_sweep import DEFAULT_STORE, JsonOption, QuietOption, StoreOption
from isheep.errors import RecipeError


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command("eval")(evaluate)
    app.command()(power)


def evaluate(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODEL_OR_RUN",
            help="`lamb`, a folder or hub id of a model; or a run's name, the beginning of one, or `last`.",
        ),
    ],
    tasks: Annotated[
        list[str],
        typer.Option(
            "--tasks",
            help="Tasks, with commas between: a benchmark's name, a group (paper_standard, paper_code, "
            "paper_knowledge, paper_chat), a shipped test (lamb), or a file of questions.",
        ),
    ],
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Folder with local copies of the data; nothing is then downloaded."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            help="The first so many prompts of each task; exact-match tests are asked whole.",
            min=1,
        ),
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="Who judges chat: openai, engine, or scripted.")
    ] = None,
    judge_model: Annotated[
        str | None, typer.Option("--judge-model", help="The judge's name on its server, or a model to load.")
    ] = None,
    judge_url: Annotated[
        str | None, typer.Option("--judge-url", help="Base URL of a server with the OpenAI chat API.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", help="What pairwise answers are held against: file (its `output`), or base."
        ),
    ] = None,
    allow_code_execution: Annotated[
        bool,
        typer.Option(
            "--allow-code-execution",
            help="Run code the model wrote (humaneval, mbpp) in a sandbox; read docs/sandbox.md first.",
        ),
    ] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Change one setting; may be given many times."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    quiet: QuietOption = False,
    json_: JsonOption = False,
) -> None:
    """Evaluate a model, or the base and every iteration of a run: scores with intervals, changes with p values.

    What is done is in the store; the same command again goes on from where it stopped, and costs nothing once done.
    """
    from isheep.evaluation import evaluate as evaluate_target
    from isheep.report import summarize
    from isheep.view import terminal
    from isheep.view_eval import eval_json, eval_table
    from isheep.view_live import display

    if data_dir is not None and not data_dir.is_dir():
        raise RecipeError(
            f"--data-dir: no folder {str(data_dir)!r}", "docs/benchmarks.md shows what it holds"
        )
    given = {
        "judge.kind": judge,
        "judge.model": judge_model,
        "judge.url": judge_url,
        "chat.baseline": baseline,
        "runtime.allow_code_execution": True if allow_code_execution else None,
    }
    named = [f"{path}={json.dumps(value)}" for path, value in given.items() if value is not None]
    console = terminal(stderr=json_)
    with display(console, how="quiet" if quiet else "shown") as live:
        run = evaluate_target(
            target,
            [name.strip() for text in tasks for name in text.split(",") if name.strip()],
            data_dir=data_dir,
            limit=limit,
            overrides=[*named, *(overrides or ())],
            store=store,
            tell=live.tell,
        )
    summary = summarize(run, deep=False)
    if json_:
        typer.echo(eval_json(summary))
        return
    if not quiet:
        console.print(eval_table(summary))
    console.print(f"run     {run.name}", soft_wrap=True)
    console.print(f"report  {run.folder / 'report.html'}", soft_wrap=True)


def power(
    prompts: Annotated[int, typer.Option(help="Prompts of the test (IFEval 541, HumanEval 164).", min=2)],
    seeds: Annotated[int, typer.Option(help="Training seeds of each arm.", min=1)] = 1,
    seed_sd: Annotated[
        float, typer.Option(help="How much a score differs from seed to seed, as a share (0.015).", min=0)
    ] = 0.015,
    discordant: Annotated[
        float,
        typer.Option(help="Share of prompts right in one model and wrong in the other.", min=0.001, max=1),
    ] = 0.2,
    effect: Annotated[
        float | None, typer.Option(help="The change you hope for, as a share (0.05 is five points).")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """What can a comparison see? The smallest detectable change, and what more seeds or prompts would bring.

    Ask before you train: with one seed, noise of training is mistaken for improvement. docs/statistics.md explains.
    """
    from isheep.stats.power import power_report
    from isheep.view import terminal
    from isheep.view_eval import power_view

    try:
        found = power_report(prompts, seeds, seed_sd, discordant, effect)
    except ValueError as error:
        raise RecipeError(str(error), "`isheep power --help` says what each figure means") from None
    if json_:
        typer.echo(json.dumps(asdict(found), indent=1))
    else:
        terminal().print(power_view(found))
