"""When a text being written is complete, and where it is cut.

Three things end a text: an end token, a stop text (cut before it), and the pattern `until` (cut behind its first
match). Stop texts and the pattern are looked for in decoded text, so it does not matter how they fall into tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from isheep.backends.base import Sampling
from isheep.backends.hf_text import Decoder, special_id
from isheep.records import Completion

#: What an unfinished character decodes to; it stands at the end of a text until its last byte is written.
_UNFINISHED = "\ufffd"


class Ending:
    """The ends of one sampling, for one model."""

    def __init__(self, sampling: Sampling, model: Any, tokenizer: Any, decoder: Decoder) -> None:
        self._decoder = decoder
        #: The tokens that end a text.
        self.ends = _end_ids(sampling.stops, model, tokenizer)
        self._stops = tuple(s for s in sampling.stops if s and special_id(tokenizer, s) is None)
        self._until = re.compile(sampling.until) if sampling.until else None
        size = model.get_input_embeddings().weight.shape[0]
        # Decoding after every token is dear: for stop texts only the tokens that could complete one are looked at.
        self._telling = decoder.may_complete(self._stops, size) if self._stops else [False] * size

    @property
    def by_text(self) -> bool:
        """Can the text itself end it, besides the end tokens?"""
        return self._until is not None or bool(self._stops)

    def reached(self, tokens: Sequence[int]) -> bool:
        """Is the text complete with the last of these tokens?"""
        if tokens[-1] in self.ends:
            return True
        if self._until is None and not self._telling[tokens[-1]]:
            return False
        return self._cut(self._decoder.text(tokens)) is not None

    def completion(self, id: str, prompt_tokens: int, tokens: Sequence[int]) -> Completion:
        """The finished text, cut where it ends."""
        text = self._decoder.text(tokens)
        cut = self._cut(text)
        ended = cut is None and tokens[-1] in self.ends
        return Completion(
            id=id,
            text=text if cut is None else text[:cut],
            finish="length" if cut is None and not ended else "stop",
            prompt_tokens=prompt_tokens,
            tokens=len(tokens),
            ended=ended,
        )

    def _cut(self, text: str) -> int | None:
        """Where the text ends: at the earliest stop, or behind the pattern's first match."""
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if self._until is not None and (match := self._until.search(text.rstrip(_UNFINISHED))):
            found.append(match.end())
        return min(found, default=None)


def _end_ids(stops: Sequence[str], model: Any, tokenizer: Any) -> set[int]:
    """Tokens that end a turn: the model's own, the tokenizer's, and stops that are one special token."""
    own = model.generation_config.eos_token_id
    ends = {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id}
    ends |= {special_id(tokenizer, stop) for stop in stops}
    return {int(end) for end in ends if end is not None}
