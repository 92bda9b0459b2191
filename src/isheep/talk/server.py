"""`isheep serve`: an OpenAI-compatible endpoint of one model of a run, by transformers' or vLLM's own server.

Knows: the commands of these servers, and how long one of them lives. Does not know: what they read from a model's
folder (backends/served_folder.py).
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import ipaddress
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from isheep.child import ended
from isheep.errors import BackendError, MissingExtraError, RecipeError
from isheep.runs import Run
from isheep.talk.models import base_of, models

if TYPE_CHECKING:
    from isheep.backends.base import ModelSpec
    from isheep.backends.served_folder import ServedFolder

Engine = Literal["transformers", "vllm"]
#: What each server needs, beside the packages isheep has anyway, and how it is installed.
_NEEDS = {"transformers": ("fastapi", "uvicorn", "openai"), "vllm": ("vllm",)}
_INSTALL = {"transformers": "pip install 'transformers[serving]'", "vllm": "pip install 'isheep[vllm]'"}

#: Run without the working directory on the path: it holds a folder by the model's name and nothing else.
_TRANSFORMERS = ("-P", "-c", "from transformers.cli.transformers import main; main()", "serve")
_VLLM = ("-P", "-m", "vllm.entrypoints.cli.main", "serve")


@dataclass(frozen=True)
class Server:
    """A server that is ready to be started."""

    #: What a request calls the model.
    model: str
    command: tuple[str, ...]
    cwd: Path
    host: str
    port: int
    #: What a request sends along: the run's longest answer, and the texts at which an untuned base is cut.
    request: Mapping[str, object] = field(default_factory=dict)

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/v1"


@contextlib.contextmanager
def prepared(run: Run, iteration: int, engine: Engine, host: str, port: int) -> Iterator[Server]:
    """Write what the server loads into a temporary folder, gone afterwards; the server that would load it."""
    check(run, engine)
    from isheep.backends.served_folder import write_served_folder

    (chosen,) = models(run, [iteration])
    base = base_of(run)
    name = f"{run.name}-iteration{iteration}"
    with TemporaryDirectory(prefix="isheep-serve-") as folder:
        made = write_served_folder(
            base, run.recipe.model.layout, run.recipe.runtime.device, Path(folder) / name, chosen.adapter
        )
        request = {"max_tokens": run.recipe.responses.max_tokens, "stop": list(made.layout.stop_texts)}
        where = ("--host", host, "--port", str(port))
        trust = ("--trust-remote-code",) if base.trust_remote_code else ()
        if engine == "transformers":
            fewer = ("--quantization", f"bnb-{base.load_in}") if base.load_in else ()
            command = (
                *_TRANSFORMERS,
                name,
                *where,
                "--device",
                made.device,
                "--dtype",
                made.dtype,
                *fewer,
                *trust,
            )
        else:
            command = (*_VLLM, *vllm_arguments(base, made, name, chosen.adapter), *where, *trust)
        yield Server(name, (sys.executable, *command), Path(folder), host, port, request)


def vllm_arguments(base: ModelSpec, made: ServedFolder, name: str, adapter: str | None) -> list[str]:
    """What `vllm serve` is told: the base from its own place, the adapter beside it, our template and ends."""
    words = [base.base, *(("--revision", base.revision) if base.revision else ())]
    words += ["--served-model-name", name if adapter is None else f"{name}-base"]
    words += ["--tokenizer", str(made.folder), "--chat-template", str(made.template)]
    words += ["--generation-config", str(made.folder), "--dtype", made.dtype]
    if base.context:
        words += ["--max-model-len", str(base.context)]
    if adapter is not None:
        from isheep.backends.vllm_adapters import read

        room = str(read(adapter).room)
        words += ["--enable-lora", "--max-lora-rank", room, "--lora-modules", f"{name}={adapter}"]
    return words


def check(run: Run, engine: Engine) -> None:
    """Raise what stands in the way before anything is written."""
    if run.recipe.backend.engine == "fake":
        raise RecipeError(
            f"{run.name} was made without a model: there is nothing to serve", "serve another run"
        )
    if engine == "vllm" and run.recipe.model.load_in:
        raise RecipeError(
            "vLLM does not load a base in fewer bits (model.load_in)", "use --engine transformers"
        )
    missing = [name for name in _NEEDS[engine] if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"the server needs {', '.join(missing)}, not installed here", _INSTALL[engine]
        )


def check_address(host: str, port: int) -> str:
    """Raise BackendError when the port is taken. A warning where others can reach it; else nothing."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise BackendError(
            f"cannot listen on {host}:{port}: {error.strerror or error}", "give another --port"
        ) from error
    if ipaddress.ip_address(address[0]).is_loopback:
        return ""
    return (
        f"warning: everybody who can reach {host}:{port} can use this model: the server asks for no password"
    )


def usage(server: Server) -> str:
    """How to ask it: a line of curl, and the client of OpenAI."""
    body = {"model": server.model, "messages": [{"role": "user", "content": "What is one more than 375?"}]}
    asked = json.dumps({**body, **server.request})
    more = "".join(f"    {name}={value!r},\n" for name, value in server.request.items())
    return (
        f"curl {server.url}/chat/completions -H 'Content-Type: application/json' -d {shlex.quote(asked)}\n\n"
        "from openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{server.url}", api_key="none")\n'
        "reply = client.chat.completions.create(\n"
        f"    model={server.model!r},\n"
        f"    messages={body['messages']!r},\n"
        f"{more})\n"
        "print(reply.choices[0].message.content)\n"
    )


def serve(server: Server, say: Callable[[str], None]) -> None:
    """Start it, say how it is asked once it answers, and stay until it ends or Ctrl-C. It never outlives this call."""
    env = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1", "VLLM_NO_USAGE_STATS": "1"}
    child = subprocess.Popen(server.command, cwd=server.cwd, env=env)
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        while child.poll() is None and not _answers(server):
            time.sleep(0.2)
        if child.returncode is None:
            say(usage(server))
            say("Ctrl-C ends it")
            child.wait()
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)
        _end(child)
    raise BackendError(f"the server {ended(child.returncode)}", "what it said stands above")


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _answers(server: Server) -> bool:
    """Whether it is up. Asked directly: a proxy of the environment has no business on this machine."""
    host = server.url.removeprefix("http://").rpartition(":")[0].strip("[]")
    line = http.client.HTTPConnection(host, server.port, timeout=5)
    try:
        line.request("GET", "/health")
        return line.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()
