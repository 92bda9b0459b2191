"""What a model behind a server needs of the base model's own files: its tokenizer, its context, its layout.

The trainer resolves a layout with the loaded model. So that both come to the same, the layout `auto` looks at the same
embeddings here; they are all that is loaded. Knows: files of a base model. Does not know: servers.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from isheep.backends import hf_layout, hf_load
from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.hf_text import encode_prompt, special_id
from isheep.text.prompts import Layout


class Base:
    """The files of one base model, read when they are needed. Raises BackendError where they are not at hand."""

    def __init__(self, model: ModelSpec) -> None:
        self._model = model
        hf_load.prepare(Runtime(device="cpu"))

    @cached_property
    def tokenizer(self) -> Any:
        return hf_load.load_tokenizer(self._model)

    @property
    def context(self) -> int:
        """Tokens the model can hold, as its configuration has it."""
        return hf_load.context_length(hf_load.load_config(self._model), self._model)

    def count(self, text: str) -> int:
        """Tokens of a text, read as a prompt."""
        return len(encode_prompt(self.tokenizer, text))

    def layout(self, name: str) -> Layout:
        """The layout that the trainer and the engine `hf` come to under this name."""
        looks = name == "auto" and self.tokenizer.chat_template
        return hf_layout.resolve(
            name, self.tokenizer, hf_load.load_embeddings(self._model) if looks else None
        )

    def begin(self) -> str:
        """The begin token's text where the tokenizer puts it before every prompt, as servers do by themselves."""
        ids = self.tokenizer("a")["input_ids"]
        return self.tokenizer.bos_token or "" if ids[0] == self.tokenizer.bos_token_id else ""

    def special(self, texts: tuple[str, ...]) -> dict[str, int]:
        """Those texts that are one special token, with its id."""
        found = {text: special_id(self.tokenizer, text) for text in texts}
        return {text: token for text, token in found.items() if token is not None}
