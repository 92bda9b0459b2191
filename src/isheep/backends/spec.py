"""Which model, and how to run it: the two values every backend is opened with. Plain data; imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A model behind a server that speaks the OpenAI API.

    `url`: the API's base ("http://localhost:8000/v1"); `key_env`: the environment variable that holds its key. Neither
    is part of any key of the store.
    """

    url: str = ""
    key_env: str = ""
    #: The name the server knows the model by; empty: the only one it lists.
    model: str = ""
    #: Which of the two ways to ask: raw text that is continued, or messages that are answered.
    api: Literal["completions", "chat"] = "completions"
    #: How the server gets an adapter to put on the base: not at all, or by vLLM's runtime loading.
    adapters: Literal["none", "vllm"] = "none"
    #: Seconds without a word from the server before a request is asked again.
    timeout: float = 600.0


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model to load: a folder or hub id, and optionally the folder of an adapter on top of it."""

    base: str
    revision: str | None = None
    adapter: str | None = None
    dtype: str = "auto"
    trust_remote_code: bool = False
    #: What files that leave this machine call the base ("lamb" for the embedded model); empty: `base` itself.
    name: str = ""
    #: Weights loaded in fewer bits by bitsandbytes: "8bit" (LLM.int8), "4bit" (NF4); empty: as `dtype` says.
    load_in: Literal["", "8bit", "4bit"] = ""
    #: Tokens a prompt and its answer may have together, where that is to be fewer than the model can hold.
    context: int | None = None
    #: Where it is served, for the engine that asks a server.
    server: ServerSpec | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """How to run, never what to compute: nothing here enters a key, everything here may change speed."""

    batch_size: int = 64
    device: str = "auto"
    threads: int | None = None
    #: Where answers of judges are kept, so that the same question is never paid for twice; None: nowhere.
    cache: Path | None = None
    #: Questions a server is asked at once.
    concurrency: int = 8
    #: Engines at work at once, each in a Ray worker; 1: one engine, in the step's own process.
    workers: int = 1
    #: Address of the Ray cluster ("ray://HOST:10001", "auto"); empty: Ray is started on this machine.
    ray: str = ""
    #: GPUs one engine of vLLM is spread over.
    tensor_parallel: int = 1
    #: Share of a GPU's memory vLLM takes for itself.
    gpu_memory: float = 0.9
    #: Spread one transformers model over all devices it finds, layer by layer.
    device_map: bool = False
    #: What starts the processes of a training: a shipped accelerate config's name, or the command before the module
    #: ("torchrun --nproc-per-node 2"); empty: it runs in the step's own process.
    launch: str = ""
    #: May code that a model wrote be run (in a subprocess with limits)? Only ever by the user's explicit word.
    allow_code_execution: bool = False
