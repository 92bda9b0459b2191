"""The verbs `export data`, `export model` and `push`. Thin, like cli.py, and as slow to import anything heavy."""

from pathlib import Path
from typing import Annotated

import typer

from isheep.cli_sweep import DEFAULT_STORE, StoreOption
from isheep.errors import ExportError

RunArg = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, the beginning of one, or `last`.")]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write; it must not exist.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace an earlier export in that folder (never any other folder).")
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    group = typer.Typer(
        help="Take it elsewhere: a run's data or one of its models, as a folder other tools read.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command("data")(export_data)
    group.command("model")(export_model)
    app.add_typer(group, name="export")
    app.command()(push)


def export_data(
    out: OutOption,
    run: RunArg = "last",
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="alpaca, sharegpt, messages, parquet or hub.")
    ] = "hub",
    iteration: Annotated[
        str, typer.Option("--iteration", metavar="N|all", help="0 is what the base model wrote.")
    ] = "all",
    kept: Annotated[
        bool, typer.Option("--kept/--all-pairs", help="What was kept for training, or every answered pair.")
    ] = True,
    force: ForceOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Export the pairs of a run: what it was trained on, in the form another tool reads.

    \b
    isheep export data last --format messages --out my-data     # TRL, axolotl, LLaMA-Factory
    isheep export data last --format alpaca --iteration 2 --out alpaca
    isheep export data last --format hub --out for-the-hub      # Parquet, a configuration for each iteration

    Every folder opens with `datasets.load_dataset`, and holds a card, LLaMA-Factory's dataset_info.json and the recipe.
    Preferences come along where the run has them.
    """
    from isheep import open_run
    from isheep.export import export_data as export

    asked = None if iteration == "all" else _number(iteration)
    made = export(open_run(run, store), format_, out, asked, kept, force)
    typer.echo(f'{made}\nload it with: datasets.load_dataset("{made}")')


def export_model(
    out: OutOption,
    run: RunArg = "last",
    iteration: Annotated[
        int | None,
        typer.Option(
            "--iteration",
            metavar="N",
            help="1 is the first tuned model; the run's result if left out.",
            min=0,
        ),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Base and adapter in one model, compared with the two.")
    ] = False,
    gguf: Annotated[bool, typer.Option("--gguf", help="A GGUF file too, by llama.cpp's converter.")] = False,
    ollama: Annotated[bool, typer.Option("--ollama", help="A Modelfile too, for `ollama create`.")] = False,
    llama_cpp: Annotated[
        Path | None,
        typer.Option(
            "--llama-cpp", metavar="DIR", help="A checkout of llama.cpp, if its converter is not on PATH."
        ),
    ] = None,
    dtype: Annotated[
        str,
        typer.Option("--dtype", help="Of a merged model: auto (as the base), float32, bfloat16 or float16."),
    ] = "auto",
    datasets: Annotated[
        list[str] | None,
        typer.Option("--dataset", metavar="OWNER/NAME", help="A dataset on the hub for the card to name."),
    ] = None,
    force: ForceOption = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Export one of a run's models: the PEFT adapter, or base and adapter merged.

    \b
    isheep export model last --out my-adapter
    isheep export model last --iteration 3 --merge --out my-model
    isheep export model last --gguf --ollama --llama-cpp ~/llama.cpp --out my-model

    The tokenizer comes with a chat template that asks the model as it was trained. A merged model is read back and
    compared with base and adapter; where they differ, nothing is written.
    """
    from isheep import open_run
    from isheep.export import export_model as export

    made = export(
        open_run(run, store), out, iteration, merge=merge, gguf=gguf, ollama=ollama, llama_cpp=llama_cpp, dtype=dtype,
        datasets=datasets or (), force=force, tell=_say,
    )  # fmt: skip
    typer.echo(made)


def push(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `isheep export` wrote.")],
    repo: Annotated[str, typer.Option("--repo", metavar="OWNER/NAME", help="Repository on the hub.")],
    public: Annotated[
        bool, typer.Option("--public", help="For everybody to see; private if not given.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be uploaded; asks no server.")
    ] = False,
) -> None:
    """Upload an export to the Hugging Face Hub, as a private repository unless told otherwise.

    \b
    isheep push my-model --repo me/my-model --dry-run
    isheep push my-model --repo me/my-model

    The token comes from HF_TOKEN, or from `hf auth login`.
    """
    from isheep.export import plan_push
    from isheep.export import push as upload
    from isheep.view import size

    plan = plan_push(folder, repo, public)
    for name, length in plan.files.items():
        typer.echo(f"{size(length):>8}  {name}")
    seen = "private" if plan.private else "public"
    typer.echo(
        f"{len(plan.files)} files, {size(sum(plan.files.values()))}, to {plan.url} ({plan.kind}, {seen})"
    )
    if dry_run:
        typer.echo("nothing was uploaded (--dry-run)")
    else:
        typer.echo(upload(plan, tell=_say))


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ExportError(f"--iteration {text!r} is no iteration", "a number from 0, or all")
    return int(text)


def _say(text: str) -> None:
    typer.echo(text, err=True)
