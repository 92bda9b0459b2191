"""The verbs `chat` and `serve`. Thin, like cli.py, and as slow to import anything heavy."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from isheep.cli_sweep import DEFAULT_STORE, JsonOption, StoreOption

if TYPE_CHECKING:
    from isheep.talk.conversation import Models

_RunArg = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, the beginning of one, or `last`.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command()(chat)
    app.command()(serve)


def chat(
    run: _RunArg = "last",
    iterations: Annotated[
        str | None,
        typer.Option(
            "--iterations",
            metavar="N,N,...",
            help="Models to talk to: 0 is the base, n is what n iterations made. Base and last if not given.",
        ),
    ] = None,
    web: Annotated[bool, typer.Option("--web", help="In the browser instead of the terminal.")] = False,
    blind: Annotated[
        bool,
        typer.Option("--blind", help="Two models as A and B in a hidden order; you say which is better."),
    ] = False,
    temperature: Annotated[
        float, typer.Option("--temperature", help="0: always the most probable token.", min=0)
    ] = 0.0,
    top_p: Annotated[float, typer.Option("--top-p", help="Nucleus to draw from.", min=0.01, max=1)] = 1.0,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", help="Longest answer; the run's own if not given.", min=1)
    ] = None,
    system: Annotated[str, typer.Option("--system", help="What the models are told before all else.")] = "",
    seed: Annotated[int, typer.Option("--seed", help="Of draws, and of the order in --blind.", min=0)] = 0,
    port: Annotated[int, typer.Option("--port", help="Port of --web; any free one if not given.", min=0)] = 0,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page of --web in the browser.")
    ] = True,
    store: StoreOption = DEFAULT_STORE,
    json_: JsonOption = False,
) -> None:
    """Talk to a run's models side by side: the base, and what the iterations made of it.

    All are asked the same, in the layout the run used, and answer as they write. The base is loaded once.

    \b
    isheep chat                                  the last run: base and last model
    isheep chat last --iterations 0,1,2,3        four models
    isheep chat last --blind                     which is better? votes are kept beside the run
    isheep chat last --web                       the same in the browser
    echo "Name a fruit." | isheep chat --json    for scripts

    In the terminal: /help, /reset, /retry, /quit.
    """
    from isheep import open_run
    from isheep.talk.blind import Blind, check_pair
    from isheep.talk.conversation import Decoding
    from isheep.talk.conversation import Models as TalkModels
    from isheep.talk.models import models, open_models, parse_iterations
    from isheep.talk.terminal import talk_here
    from isheep.view import terminal

    opened = open_run(run, store)
    chosen = models(opened, None if iterations is None else parse_iterations(iterations))
    if blind:
        check_pair([model.iteration for model in chosen])
    if web:
        from isheep.web import check_installed

        check_installed()
    limit = max_tokens or opened.recipe.responses.max_tokens
    streamer = open_models(opened, chosen, system)
    talk: Models = TalkModels(streamer, chosen, Decoding(limit, temperature, top_p, seed))
    try:
        session = Blind(opened, talk) if blind else None
        if web:
            from isheep.talk.page import show

            show(opened.name, talk, session, port=port, open_browser=open_browser, say=typer.echo)
            if session is not None:
                typer.echo(session.closing())
            return
        talk_here(opened.name, talk, session, terminal(), json_)
    finally:
        streamer.close()


def serve(
    iteration: Annotated[
        int,
        typer.Option("--iteration", help="Which model: 0 is the base, n is what n iterations made.", min=0),
    ],
    run: _RunArg = "last",
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to listen on.", min=1, max=65535)] = 8000,
    engine: Annotated[
        Literal["transformers", "vllm"], typer.Option("--engine", help="Whose server it is.")
    ] = "transformers",
    dry: Annotated[bool, typer.Option("--dry-run", help="Only print the server's command.")] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Serve one model of a run behind an OpenAI-compatible API, on this machine alone unless told otherwise.

    The server is transformers' own or vLLM's. The adapter is put on the base, not merged. Messages are laid
    out as the model was trained, also where the base has no chat template.

    
    isheep serve last --iteration 3
    isheep serve last --iteration 3 --engine vllm --port 8001
    isheep serve last --iteration 0              the base, asked the same way

    Prints a line of curl and a few of the `openai` client. The model goes by RUN-iterationN.
    """
    import shlex

    from isheep import open_run
    from isheep.talk import server

    warning = "" if dry else server.check_address(host, port)
    if warning:
        typer.echo(warning, err=True)
    with server.prepared(open_run(run, store), iteration, engine, host, port) as made:
        if dry:
            typer.echo(shlex.join(made.command))
        else:
            server.serve(made, typer.echo)
