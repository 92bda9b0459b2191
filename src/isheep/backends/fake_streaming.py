"""Streaming by the model that is none: what FakeEngine writes, a token at a time. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isheep.backends.base import ModelSpec, Request, Runtime
from isheep.backends.fake import FakeEngine, layout_named, tokens_of
from isheep.backends.streaming import Pieces, Tell, with_system
from isheep.records import Completion


class FakeStreamer:
    """A FakeEngine for the base and for each adapter."""

    device_name = "none"

    def __init__(
        self, model: ModelSpec, runtime: Runtime, *, adapters: Sequence[str], layout: str, system: str
    ) -> None:
        self.layout = with_system(layout_named(layout), system)
        self._engines = {
            number: FakeEngine(replace(model, adapter=adapter), runtime)
            for number, adapter in ((None, None), *enumerate(adapters))
        }

    def answer(self, adapter: int | None, request: Request, tell: Tell) -> Completion:
        (completion,) = self._engines[adapter].generate([request])
        pieces, text = Pieces(request.sampling.stops, tell), ""
        for token in tokens_of(completion.text):
            text += token
            pieces.grown(text)
        pieces.finished(completion.text)
        return completion

    def close(self) -> None:
        pass
