"""Streaming with transformers and PEFT: the base model once, its adapters beside one another, never merged.

The decode loop, the drawing and the ends of a text are the engine's own (hf.py), so what is streamed is what a run
would have got for the same prompt and seed. transformers' streamers know no stop texts that are cut, and no seeds.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from isheep.backends import hf_load
from isheep.backends.base import ModelSpec, Request, Runtime
from isheep.backends.hf_decode import Runner
from isheep.backends.hf_ending import Ending
from isheep.backends.hf_layout import resolve
from isheep.backends.hf_sampling import Draws
from isheep.backends.hf_text import Decoder, encode_prompt
from isheep.backends.streaming import Pieces, Tell, with_system
from isheep.errors import BackendError
from isheep.records import Completion
from isheep.text.prompts import Layout


class HFStreamer:
    """A loaded base model and its adapters."""

    def __init__(
        self, model: ModelSpec, runtime: Runtime, *, adapters: Sequence[str], layout: str, system: str
    ) -> None:
        device = hf_load.prepare(runtime)
        self._tokenizer: Any = hf_load.load_tokenizer(model)
        dtype = hf_load.pick_dtype(model.dtype, device)
        base = hf_load.load_model(model, device, dtype, hf_load.spread(runtime, device))
        self.layout = asked_in(layout, self._tokenizer, base, system)
        self.device_name = hf_load.describe_device(device, base)
        self._context = hf_load.context_length(base.config, model)
        self._decoder = Decoder(self._tokenizer)
        self._model: Any = _with_adapters(base, model, adapters)
        self._runner = Runner(self._model, self._tokenizer.pad_token_id)

    def answer(self, adapter: int | None, request: Request, tell: Tell) -> Completion:
        row = encode_prompt(self._tokenizer, request.prompt)
        room = self._context - len(row)
        if room <= 0:
            return Completion(request.id, "", "too_long", len(row), 0)
        sampling = request.sampling
        limit = min(sampling.max_tokens, room)
        ending = Ending(sampling, self._model, self._tokenizer, self._decoder)
        pieces = Pieces(sampling.stops, tell)

        def done(_: int, tokens: list[int]) -> bool:
            if ending.reached(tokens):
                return True
            pieces.grown(self._decoder.text(tokens))
            return False

        with self._turned_to(adapter), torch.inference_mode():
            drawn = Draws([sampling], [request.seed], limit)
            (tokens,) = self._runner.decode([row], [limit], drawn, done)
        completion = ending.completion(request.id, len(row), tokens)
        pieces.finished(completion.text)
        return completion

    def close(self) -> None:
        self._model = self._runner = None  # type: ignore[assignment]
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @contextlib.contextmanager
    def _turned_to(self, adapter: int | None) -> Iterator[None]:
        if adapter is not None:
            self._model.set_adapter(str(adapter))
        elif hasattr(self._model, "peft_config"):
            with self._model.disable_adapter():
                yield
            return
        yield


def asked_in(layout: str, tokenizer: Any, base: Any, system: str) -> Layout:
    """The layout of this name, with a system's message: through the chat template where it is one, above it else."""
    found = resolve(layout, tokenizer, base, system)
    return found if found.name == "chat" else with_system(found, system)


def _with_adapters(base: Any, model: ModelSpec, adapters: Sequence[str]) -> Any:
    """The base with every adapter beside it, named by its number."""
    adapted = base
    for number, folder in enumerate(adapters):
        if not (Path(folder) / "adapter_config.json").is_file():
            raise BackendError(f"no adapter at {folder}", "the folder must hold adapter_config.json")
        try:
            if number == 0:
                adapted = PeftModel.from_pretrained(base, folder, adapter_name="0")
            else:
                adapted.load_adapter(folder, adapter_name=str(number))
        except Exception as error:
            raise BackendError(
                f"the adapter {folder} cannot be put on {model.base}: {error}",
                "an adapter fits only the base model it was trained on",
            ) from error
    return adapted.eval()
