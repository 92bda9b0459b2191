"""What is put between the harness and its model classes: answers kept on disk batch by batch, memory, our layouts.

Batches are planned over all requests of a task and run whole or not at all, so a resumed examination sees the same
batches as an unbroken one. Imported only in the examiner's own process.
"""

from __future__ import annotations

import copy
import gc
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from isheep.errors import BackendError
from isheep.text.prompts import Layout

#: (requests done so far, all of the task's) is told after every batch.
Told = Callable[[int, int], None]


class Journal:
    """Answers to requests, one JSON line a batch. A torn last line is cut off."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Any] = {}
        text = path.read_bytes() if path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self.answers.update(json.loads(line))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole)
        self._file = path.open("a", encoding="utf-8")

    def write(self, answers: dict[str, Any]) -> None:
        self.answers.update(answers)
        self._file.write(json.dumps(answers) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Careful:
    """Mixed into a model class of the harness: what it is asked goes through a journal, a batch at a time."""

    journal: Journal
    told: Told
    batch: int
    layout: Layout | None = None
    #: Longest answer in tokens, where the task's own limit is not wanted.
    max_tokens: int | None = None
    #: (between question and answer, between examples) of the task at hand.
    delimiters: tuple[str, str] = (" ", "\n\n")

    def prepare(self, journal: Journal, told: Told, delimiters: tuple[str, str]) -> None:
        """To be called before each task."""
        self.journal, self.told, self.delimiters = journal, told, delimiters
        self._written: dict[str, tuple[int, int, bool]] = {}
        self._rows: list[tuple[int, int, bool]] = []
        #: prompt as laid out -> sha256 of the same without a layout.
        self.hashes: dict[str, str] = {}
        self.set_cache_hook(self)  # type: ignore[attr-defined]

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        work = super().loglikelihood  # type: ignore[misc]

        def run(part: Sequence[Any]) -> list[Any]:
            fits = [self._holds(request.args[1]) for request in part]
            results = iter(work([r for r, fit in zip(part, fits, strict=True) if fit], disable_tqdm=True))
            # What the model cannot hold it cannot have meant: no probability, in place of the harness's assertion.
            return [next(results) if fit else (float("-inf"), False) for fit in fits]

        return [(float(a), bool(b)) for a, b in self._by_batches("loglikelihood", requests, run)]

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        work = super().generate_until  # type: ignore[misc]

        def run(part: Sequence[Any]) -> list[Any]:
            asked = [self._asked(request) for request in part]
            texts = work(asked, disable_tqdm=True)
            return [[text, *self._counts(r, text)] for r, text in zip(asked, texts, strict=True)]

        return [str(answer[0]) for answer in self._by_batches("generate_until", requests, run)]

    def counts(self, request: Any) -> tuple[int, int, bool]:
        """(tokens of the prompt, tokens written, whether the model ended by itself) of a request that was answered."""
        _, prompt, written, ended = self.journal.answers[_key("generate_until", request.args)]
        return prompt, written, ended

    def add_partial(self, kind: str, request: Sequence[Any], result: Any) -> None:
        """The harness's hook, called for every answer in the order of the rows just decoded."""
        if kind == "generate_until" and self._rows:
            self._written[request[0]] = self._rows.pop(0)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """A conversation in our layout, up to where the answer begins; what a task says first leads the request."""
        assert self.layout is not None
        turns = [dict(turn) for turn in chat_history]
        first = turns.pop(0)["content"] if turns[0]["role"] == "system" else ""
        turns[0]["content"] = first + turns[0]["content"]
        texts = [turn["content"] for turn in turns]
        laid_out = self.layout.prompt(texts[-1], history=texts[:-1]) + self.layout.lead
        target, between = self.delimiters
        ends = [target if n % 2 == 0 else between for n in range(len(texts) - 1)]
        plain = "".join(f"{t}{e}" for t, e in zip(texts, [*ends, ""], strict=True))
        self.hashes[laid_out] = hashlib.sha256(plain.encode()).hexdigest()
        return laid_out

    def _by_batches(
        self, kind: str, requests: Sequence[Any], run: Callable[[Sequence[Any]], list[Any]]
    ) -> list[Any]:
        keys = [_key(kind, request.args) for request in requests]
        done = 0
        for part in batches(requests, self.batch):
            if any(keys[n] not in self.journal.answers for n in part):
                results = self._fitting(lambda part=part: run([requests[n] for n in part]))  # type: ignore[misc]
                self.journal.write({keys[n]: result for n, result in zip(part, results, strict=True)})
            done += len(part)
            self.told(done, len(requests))
        return [self.journal.answers[key] for key in keys]

    def _fitting(self, work: Callable[[], list[Any]]) -> list[Any]:
        """Run a batch; while it does not fit into memory, in rows of half as many."""
        while True:
            results = _try(work)
            if results is not None:
                return results
            size = int(getattr(self, "batch_size_per_gpu", 1))
            if size == 1:
                raise BackendError(
                    "out of memory with a single prompt", "choose a smaller model or max_tokens"
                )
            self.batch_size_per_gpu = size // 2
            # Only here, outside the except blocks, are the tensors of the failed attempt truly free.
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _holds(self, text: str) -> bool:
        room = int(self.max_length)  # type: ignore[attr-defined]
        return len(text.encode()) <= room or len(self._encode(text)) <= room

    def _asked(self, request: Any) -> Any:
        """The request as it is put: our limit, never more than half the context, and the layout's own stops."""
        context, options = request.args
        options = dict(options)
        wanted = self.max_tokens or options.get("max_gen_toks") or self.max_gen_toks  # type: ignore[attr-defined]
        options["max_gen_toks"] = min(int(wanted), max(1, int(self.max_length) // 2))  # type: ignore[attr-defined]
        if self.layout is not None:
            context = context.removesuffix(self.layout.lead) if self.layout.lead else context
            options["until"] = [*(options.get("until") or ()), *self.layout.stop_texts]
        asked = copy.copy(request)
        asked.arguments = (context, options)
        return asked

    def _counts(self, request: Any, text: str) -> tuple[int, int, bool]:
        context, options = request.args
        known = self._written.get(context)
        if known is not None:
            return known
        written = len(self._encode(text))
        return len(self._encode(context)), written, written < options["max_gen_toks"]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self.tok_encode(text)  # type: ignore[attr-defined]
        return ids


def batches(requests: Sequence[Any], size: int) -> Iterator[list[int]]:
    """Numbers of the requests, longest prompts first; `size` different prompts at a time with all their choices."""
    prompts = [request.args[0] for request in requests]
    order = sorted(range(len(requests)), key=lambda n: (-len(prompts[n]), prompts[n], n))
    part: list[int] = []
    held: set[str] = set()
    for n in order:
        if prompts[n] not in held and len(held) == size:
            yield part
            part, held = [], set()
        part.append(n)
        held.add(prompts[n])
    if part:
        yield part


def _key(kind: str, args: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps([kind, *args], sort_keys=True).encode()).hexdigest()


def _try(work: Callable[[], list[Any]]) -> list[Any] | None:
    try:
        return work()
    except torch.OutOfMemoryError:
        return None
    except RuntimeError as error:
        if "not enough memory" not in str(error) and "out of memory" not in str(error):
            raise
        return None
