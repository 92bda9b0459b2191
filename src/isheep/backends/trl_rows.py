"""Training texts as token ids, the very ids that asking and answering have; nothing is left for TRL to tokenise.

Knows where a prompt ends, where an answer ends, and what is cut. Does not know how any of it is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isheep.backends.base import Example, Preferred
from isheep.backends.hf_text import encode_completions, encode_prompts, end_ids
from isheep.errors import BackendError
from isheep.text.prompts import Layout

Row = dict[str, list[int]]

#: Rows that teach nothing, as `tokenise` and `tokenise_preferred` would write them: one token is read, none learned.
BLANK: Row = {"input_ids": [0], "completion_mask": [0]}
BLANK_PREFERRED: Row = {"prompt_ids": [0], "chosen_ids": [], "rejected_ids": []}


def tokenise(
    tokenizer: Any, examples: Sequence[Example], layout: Layout, cutoff: int
) -> tuple[list[Row], int]:
    """Rows for fine-tuning, and how many were cut. A cut row loses its end; one without any answer left is dropped."""
    rows, truncated = _cut(tokenizer, [(e.prompt, e.completion) for e in examples], layout, cutoff)
    return [
        {"input_ids": [*prompt, *answer], "completion_mask": [0] * len(prompt) + [1] * len(answer)}
        for prompt, answer in rows
    ], truncated


def tokenise_preferred(
    tokenizer: Any, examples: Sequence[Preferred], layout: Layout, cutoff: int
) -> tuple[list[Row], int]:
    """Rows for DPO, and how many had an answer cut. Prompt and answer joined are what `tokenise` makes of them."""
    rows, truncated = _cut(tokenizer, [(e.prompt, e.chosen, e.rejected) for e in examples], layout, cutoff)
    return [
        {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}
        for prompt, chosen, rejected in rows
    ], truncated


def _cut(
    tokenizer: Any, texts: Sequence[tuple[str, ...]], layout: Layout, cutoff: int
) -> tuple[list[list[list[int]]], int]:
    """For each prompt and the answers behind it their ids, ends included; and how many had an answer cut."""
    if not texts:
        raise BackendError("there is nothing to train on", "loosen the filter, or ask for more instructions")
    prompts, *answers = zip(*texts, strict=True)
    end = end_ids(tokenizer, layout)
    columns = [encode_prompts(tokenizer, prompts)]
    for column in answers:
        columns.append([[*ids, *end] for ids in encode_completions(tokenizer, prompts, column)])
    rows: list[list[list[int]]] = []
    truncated = 0
    for prompt, *behind in zip(*columns, strict=True):
        room = cutoff - len(prompt)
        truncated += any(len(ids) > room for ids in behind)
        if room > 0:
            rows.append([prompt, *(ids[:room] for ids in behind)])
    if not rows:
        raise BackendError(
            f"every prompt alone is longer than the cutoff of {cutoff} tokens", "raise the cutoff"
        )
    return rows, truncated
