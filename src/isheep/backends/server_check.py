"""What of a run a server will not do, found out before any work: by asking it for a few tokens of everything needed.

Knows: what steps need, and which setting names the way out. Does not know: engines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from isheep.backends import server_adapters
from isheep.backends.base import ModelSpec, Runtime, Sampling
from isheep.backends.http import HttpError, RefusedError, Retry
from isheep.backends.server import Server
from isheep.backends.server_ask import Api, draws, most_probable
from isheep.backends.server_dialect import decoding
from isheep.backends.server_read import find_way
from isheep.errors import BackendError

#: A server that is down is told so within seconds; a run itself waits longer.
_RETRY = Retry(tries=3)
#: Tokens of a prompt of one letter, with what tokenizers put around it. More is a template that somebody put there.
_BARE = 3
#: Statuses that speak of the address: nothing there, or not that way.
_NOT_THERE = (404, 405, 501)


def obstacles(model: ModelSpec, runtime: Runtime, needs: Collection[str], retry: Retry = _RETRY) -> list[str]:
    """What stands in the way of steps that need this of the server: sentences with the setting and the way out."""
    if model.server is None:
        return ["server.url: no server is named; write its address (http://localhost:8000/v1)"]
    try:
        server = Server(model.server, runtime.concurrency, retry)
    except BackendError as error:
        return [_sentence("server.url", error)]
    try:
        return list(_found(server, runtime, needs))
    except BackendError as error:
        return [_sentence("server.url", error)]
    finally:
        server.close()


def _found(server: Server, runtime: Runtime, needs: Collection[str]) -> Iterator[str]:
    spec = server.spec
    if spec.key_env and not server.key:
        yield f"server.key_env: the environment variable {spec.key_env} is not set; put the server's key there"
    api = Api(server, spec.api == "chat")
    trouble = _refuses(api)
    if trouble:
        yield trouble
        return
    if "generate" in needs and not draws(api, runtime.concurrency)[0]:
        yield (
            "server.url: at temperature 1 the server writes the same text whatever the seed, so it does not sample; "
            "start it with sampling on"
        )
    if "score" in needs and not most_probable(api):
        yield (
            "assessment.reading: the server gives no log-probabilities, which expected scores are read from; set it to "
            "'sampled', or use a server that does (docs/servers.md)"
        )
    if "likelihood" in needs and find_way(api) is None:
        yield (
            "filter.ppl: the server does not show how probable a given text is"
            + (" (the chat API cannot)" if api.is_chat else "")
            + "; set it to null, or serve the model with vLLM and server.api: completions"
        )
    if "adapter" in needs:
        yield from _adapters(server)


def _refuses(api: Api) -> str:
    """Why the server does not even write a token; empty when it does."""
    server = api.server
    try:
        server.name  # noqa: B018  (may have to be asked for)
    except RefusedError as refusal:
        return _sentence("server.key_env", refusal)
    except HttpError as error:
        return _sentence("server.url", error)
    except BackendError as error:
        return _sentence("server.model", error)
    try:
        read = api.write("a", decoding(Sampling(1), 0)).prompt_tokens or 0
    except RefusedError as refusal:
        return _refusal(api, refusal)
    except HttpError as error:
        return _sentence("server.url", error)
    except BackendError as error:  # another model answered, or a field is wanted that the server lacks
        return _sentence("server.model", error)
    if read > _BARE and not api.is_chat:
        return (
            f"server.api: the server puts a template of its own around raw prompts (one letter was {read} tokens); "
            "set it to 'chat', or have it leave them as they are (Ollama: TEMPLATE {{ .Prompt }})"
        )
    return ""


def _refusal(api: Api, refusal: RefusedError) -> str:
    if refusal.status in (401, 403):
        return _sentence("server.key_env", refusal)
    explained = api.server.explained(refusal)
    if explained is not refusal:
        return _sentence("server.model", explained)
    if refusal.status in _NOT_THERE:
        have, other = ("chat", "completions") if api.is_chat else ("raw completions", "chat")
        return (
            f"server.api: {api.server.host} has no {have} ({refusal.reason}); set it to '{other}', "
            "or see that server.url is the API's base, which mostly ends in /v1"
        )
    return _sentence("server.url", refusal)


def _adapters(server: Server) -> Iterator[str]:
    if server.spec.adapters == "none":
        yield (
            "server.adapters: trained models are asked for, and the server has the base alone; set it to 'vllm', or "
            "train nothing (iterations: 0)"
        )
    elif found := server_adapters.obstacle(server):
        yield found


def _sentence(setting: str, error: BackendError) -> str:
    return f"{setting}: {error.message}" + (f"; {error.hint}" if error.hint else "")
