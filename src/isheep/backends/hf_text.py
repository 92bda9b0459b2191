"""Text to token ids and back: one rule, shared by generation, scoring and training.

The rule: a prompt is tokenised as the tokenizer does by default (which may add a begin token), and without additions
when the text already begins with the begin token, so it is never doubled. An end token that the tokenizer would append
is removed. A completion is tokenised as it follows its prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isheep.errors import BackendError
from isheep.text.prompts import Layout


def encode_prompts(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each prompt; never empty."""
    bos = tokenizer.bos_token
    plain = [bool(bos) and text.startswith(bos) for text in texts]
    rows: list[list[int]] = [[] for _ in texts]
    for without in (False, True):
        chosen = [n for n, flag in enumerate(plain) if flag is without]
        if chosen:
            ids = tokenizer([texts[n] for n in chosen], add_special_tokens=not without)["input_ids"]
            for n, row in zip(chosen, ids, strict=True):
                rows[n] = _tidy(tokenizer, texts[n], list(row))
    return rows


def encode_prompt(tokenizer: Any, text: str) -> list[int]:
    """Token ids of one prompt."""
    return encode_prompts(tokenizer, [text])[0]


def encode_completions(tokenizer: Any, prompts: Sequence[str], completions: Sequence[str]) -> list[list[int]]:
    """Token ids of each completion as it follows its prompt, whose own ids stay exactly `encode_prompts`."""
    before = encode_prompts(tokenizer, prompts)
    whole = encode_prompts(tokenizer, [p + c for p, c in zip(prompts, completions, strict=True)])
    rows = []
    for p, w, completion in zip(before, whole, completions, strict=True):
        if w[: len(p)] == p:
            rows.append(w[len(p) :])
        else:  # the tokenizer merged over the border: then the completion on its own
            rows.append(list(tokenizer(completion, add_special_tokens=False)["input_ids"]))
    return rows


def end_ids(tokenizer: Any, layout: Layout) -> list[int]:
    """The tokens that close an answer: the layout's end text, else the tokenizer's end-of-sequence token."""
    if layout.end:
        return list(tokenizer(layout.end, add_special_tokens=False)["input_ids"])
    if tokenizer.eos_token_id is None:
        raise BackendError(
            "the tokenizer has no end-of-sequence token, so a model cannot learn to stop",
            "set eos_token in tokenizer_config.json, or choose a layout with an end of its own",
        )
    return [int(tokenizer.eos_token_id)]


def special_id(tokenizer: Any, text: str) -> int | None:
    """The id of the special (or added) token that `text` is exactly, white space around it aside."""
    text = text.strip()
    token_id = tokenizer.get_added_vocab().get(text) if text else None
    if token_id is None and text in tokenizer.all_special_tokens:
        token_id = tokenizer.convert_tokens_to_ids(text)
    return None if token_id is None else int(token_id)


class Decoder:
    """Token ids of a continuation back to text, special tokens left out, leading space kept."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        # Some decoders drop the space in front of the first word: decode behind an anchor and cut it off.
        self._anchor = list(tokenizer("a", add_special_tokens=False)["input_ids"])
        self._cut = len(self._decode(self._anchor))
        self._pieces: list[str] | None = None

    def text(self, ids: Sequence[int]) -> str:
        return self._decode([*self._anchor, *ids])[self._cut :]

    def may_complete(self, stops: Sequence[str], size: int) -> list[bool]:
        """For each token id below `size`: could this token be the last one of a stop text? (Never a false no.)"""
        if any(stop[-1] == " " for stop in stops):
            return [True] * size
        if self._pieces is None or len(self._pieces) < size:
            known = len(self._tokenizer)
            self._pieces = self._tokenizer.batch_decode(
                [[i] if i < known else [] for i in range(size)], clean_up_tokenization_spaces=False
            )
        last = {stop[-1] for stop in stops} | {"\ufffd"}
        return [not last.isdisjoint(piece) for piece in self._pieces[:size]]

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def _tidy(tokenizer: Any, text: str, row: list[int]) -> list[int]:
    eos = tokenizer.eos_token_id
    if row and row[-1] == eos and not text.endswith(tokenizer.eos_token):
        row.pop()
    if row:
        return row
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else eos
    return [0 if start is None else int(start)]
