"""Packs lamb's corpus into rows of tokens for pre-training, and marks which tokens can be known.

Knows: the corpus and its tokenizer. Does not know: the model, or how it is trained.
"""

from __future__ import annotations

import itertools
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from isheep.lamb.corpus import END, KNOWN, UNKNOWN, marked_document

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer

#: Tokens in a row: the model's context.
CONTEXT = 256
#: Added to a token id in the packed corpus: this token can be known from what stands before it.
LOUD = 1 << 15
#: Documents encoded at once.
_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is. `phase` is "corpus" or "training"; `done` and `total` count tokens in both."""

    phase: str
    done: int
    total: int
    tokens_per_second: float
    seconds_left: float
    loss: float | None = None


def packed_rows(
    path: Path, count: int, tokenizer_file: Path, seed: int, threads: int, tell: Callable[[Progress], None]
) -> np.ndarray:
    """The corpus as `count` rows of CONTEXT tokens (uint16), kept at `path` for a resume.

    Documents are joined by the end token, and each row begins with a new document: nothing stands before a prompt when
    the model is used, so that must be how documents begin. What does not fit into a row is cut off.
    """
    import numpy as np

    if path.exists():
        rows: np.ndarray = np.load(path)
        return rows
    rows, row, began, done = np.zeros((count, CONTEXT), dtype=np.uint16), list[int](), time.monotonic(), 0
    for ids in encoded(tokenizer_file, seed, threads):
        row += ids
        if len(row) < CONTEXT:
            continue
        rows[done] = row[:CONTEXT]
        row, done = [], done + 1
        if done % 400 == 0 or done == count:
            rate = done * CONTEXT / max(time.monotonic() - began, 1e-9)
            tell(Progress("corpus", done * CONTEXT, rows.size, rate, (rows.size - done * CONTEXT) / rate))
        if done == count:
            break
    write_aside(path, lambda aside: _save_array(aside, rows))
    return rows


def _save_array(path: Path, array: np.ndarray) -> None:
    import numpy as np

    with path.open("wb") as file:
        np.save(file, array)


def encoded(tokenizer_file: Path, seed: int, threads: int) -> Iterator[list[int]]:
    """The documents as token ids, in order, without end; on several processes where threads allow."""
    encode = partial(_encode_chunk, str(tokenizer_file), seed)
    if threads == 1:
        for chunk in itertools.count():
            yield from encode(chunk)

    with ProcessPoolExecutor(threads, mp_context=get_context("spawn")) as pool:
        ahead = deque(pool.submit(encode, chunk) for chunk in range(2 * threads))
        for chunk in itertools.count(2 * threads):
            yield from ahead.popleft().result()
            ahead.append(pool.submit(encode, chunk))


def _encode_chunk(tokenizer_file: str, seed: int, chunk: int) -> list[list[int]]:
    """A chunk of documents as token ids; LOUD is added to those that can be known and to the one behind them."""
    tokenizer = _load(tokenizer_file)
    end = tokenizer.token_to_id(END) or 0
    pieces = [
        piece
        for index in range(chunk * _CHUNK, (chunk + 1) * _CHUNK)
        for piece in (*re.split(f"([{KNOWN}{UNKNOWN}])", marked_document(seed, index)), END)
    ]
    texts: list[list[int]] = [[]]
    loud, behind = False, False
    for piece, encoded in zip(pieces, tokenizer.encode_batch(pieces), strict=True):
        if piece in (KNOWN, UNKNOWN):
            loud = piece == KNOWN
            behind = not loud
            continue
        for i in (end,) if piece == END else encoded.ids:
            texts[-1].append(i + LOUD if loud or behind else i)
            behind = False
        if piece == END:
            texts.append([])
    return texts[:-1]


@cache
def _load(path: str) -> Tokenizer:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(path)


def write_aside(path: Path, save: Callable[[Path], None]) -> None:
    """Write aside, then rename: a kill leaves the old file or the new one, never half of one."""
    aside = path.with_name(path.name + ".aside")
    save(aside)
    aside.replace(path)
