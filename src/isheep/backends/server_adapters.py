"""Adapters put on a served base model while it runs, as vLLM does it (POST /v1/load_lora_adapter).

An adapter's name there is made of its files' content, so that the same one is loaded once, whoever asks for it, and two
that differ can never be taken for one another. Knows: vLLM's endpoint. Does not know: when an adapter is asked for.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from isheep.backends.http import RefusedError
from isheep.backends.server import ADAPTER, Server
from isheep.errors import BackendError

_ENDPOINT = "load_lora_adapter"
_HOW = "start vLLM with --enable-lora and the environment variable VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"


def adapter_name(folder: Path) -> str:
    """What an adapter is called on the server. Raises BackendError where there is none."""
    files = sorted(path for path in folder.glob("adapter_*") if path.is_file())
    if not any(path.name == "adapter_config.json" for path in files):
        raise BackendError(f"no adapter at {folder}", "the folder must hold adapter_config.json")
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            whole.update(f"{path.name}\x1f{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return f"{ADAPTER}{whole.hexdigest()[:16]}"


def load(server: Server, folder: Path) -> str:
    """Has the server load an adapter, unless it has it; its name there."""
    name = adapter_name(folder)
    if any(model["id"] == name for model in server.models()):
        return name
    try:
        server.tell(_ENDPOINT, {"lora_name": name, "lora_path": str(folder.resolve())})
    except RefusedError as refusal:
        if "already been loaded" not in refusal.reason:
            hint = _HOW if refusal.status == 404 and "adapter" not in refusal.reason else (
                "the server must see this folder under this path, and take adapters of its rank (--max-lora-rank)"
            )  # fmt: skip
            raise BackendError(f"the adapter {folder} cannot be loaded: {refusal.message}", hint) from None
    return name


def obstacle(server: Server) -> str | None:
    """Why adapters cannot be loaded into this server, as far as an empty question tells."""
    try:
        server.tell(_ENDPOINT, {})
    except RefusedError as refusal:
        if refusal.status in (404, 405):
            return f"server.adapters: this server loads none while it runs; {_HOW}, or train elsewhere (iterations: 0)"
    return None
