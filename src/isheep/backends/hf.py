"""Any causal LM of transformers as an engine: writes, scores and reads, on a CPU or a GPU.

Batches are planned over all requests, sorted by length, and run whole or not at all; each request draws its random
numbers from its own seed. So neither the batch, nor the order, nor an interruption changes a text.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from isheep.backends import hf_load, hf_read, hf_score
from isheep.backends.base import (
    Choice,
    Embedding,
    Items,
    ModelSpec,
    Passage,
    Query,
    Request,
    Runtime,
    Sampling,
)
from isheep.backends.hf_batches import Halving, plan
from isheep.backends.hf_decode import Runner
from isheep.backends.hf_ending import Ending
from isheep.backends.hf_layout import resolve
from isheep.backends.hf_sampling import Draws
from isheep.backends.hf_text import Decoder, encode_prompts
from isheep.records import Completion, Likelihood
from isheep.text.prompts import Layout


class HFEngine:
    """A loaded model. `close` gives its memory back."""

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        self._spec = model
        device = hf_load.prepare(runtime)
        self._batch_size = runtime.batch_size
        self.tokenizer: Any = hf_load.load_tokenizer(model)
        dtype = hf_load.pick_dtype(model.dtype, device)
        base = hf_load.load_model(model, device, dtype, hf_load.spread(runtime, device))
        self.device_name = hf_load.describe_device(device, base)
        self.model: Any = hf_load.add_adapter(base, model)
        # Shared ones once; an adapter merged in memory adds none, as it costs nothing to run.
        self.parameters: int | None = hf_load.count_parameters(self.model)
        self._context = hf_load.context_length(self.model.config, model)
        self._runner = Runner(self.model, self.tokenizer.pad_token_id)
        self._decoder = Decoder(self.tokenizer)
        self._choices = hf_score.Tokenised(self.tokenizer)
        self._halving = Halving()

    def layout(self, name: str) -> Layout:
        return resolve(name, self.tokenizer, self.model)

    @property
    def context(self) -> int:
        return self._context

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in encode_prompts(self.tokenizer, texts)] if texts else []

    def turn_to(self, model: ModelSpec) -> bool:
        return model == self._spec

    def batches(self, items: Items) -> list[list[int]]:
        return self._plan(items, self._rows(items))

    def generate(self, requests: Sequence[Request], skip: Collection[str] = ()) -> Iterator[Completion]:
        prompts = self._rows(requests)
        endings = {
            sampling: Ending(sampling, self.model, self.tokenizer, self._decoder)
            for sampling in {r.sampling for r in requests}
        }

        def work(part: Sequence[int]) -> list[Completion]:
            return self._write(requests, prompts, part, endings)

        def unread(n: int) -> Completion | None:
            fits = len(prompts[n]) < self.context
            return None if fits else Completion(requests[n].id, "", "too_long", len(prompts[n]), 0)

        yield from self._run(requests, prompts, skip, work, unread)

    def score(self, queries: Sequence[Query], skip: Collection[str] = ()) -> Iterator[Choice]:
        prompts = self._rows(queries)
        branches = [self._choices.branches(q.prompt, q.choices) for q in queries]

        def work(part: Sequence[int]) -> list[Choice]:
            with torch.inference_mode():
                raw = hf_score.read(self._runner, [prompts[n] for n in part], [branches[n] for n in part])
            return [_choice(queries[n], values, len(prompts[n])) for n, values in zip(part, raw, strict=True)]

        def unread(n: int) -> Choice | None:
            if len(prompts[n]) + branches[n].depth <= self.context:
                return None
            return _choice(queries[n], [0.0] * len(queries[n].choices), len(prompts[n]))

        yield from self._run(queries, prompts, skip, work, unread)

    def likelihood(self, passages: Sequence[Passage], skip: Collection[str] = ()) -> Iterator[Likelihood]:
        yield from self._read(passages, skip, hf_read.likelihoods, hf_read.no_likelihood)

    def embed(
        self, passages: Sequence[Passage], pooling: hf_read.Pooling, skip: Collection[str] = ()
    ) -> Iterator[Embedding]:
        read = partial(hf_read.embeddings, pooling=pooling)
        yield from self._read(passages, skip, read, partial(hf_read.no_embedding, self._runner))

    def close(self) -> None:
        self.model = self._runner = None  # type: ignore[assignment]
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _read(
        self,
        passages: Sequence[Passage],
        skip: Collection[str],
        read: Callable[[Runner, Sequence[str], Sequence[hf_read.Tokens]], list[Any]],
        nothing: Callable[[str], Any],
    ) -> Iterator[Any]:
        """What `read` finds in the passages that can be read, and `nothing` for the others."""
        rows = hf_read.tokenise(self.tokenizer, passages)

        def work(part: Sequence[int]) -> list[Any]:
            with torch.inference_mode():
                return read(self._runner, [passages[n].id for n in part], [rows[n] for n in part])

        def unread(n: int) -> Any:
            fits = rows[n].text and len(rows[n].ids) <= self.context
            return None if fits else nothing(passages[n].id)

        yield from self._run(passages, [row.ids for row in rows], skip, work, unread)

    def _rows(self, items: Items) -> list[list[int]]:
        """Token ids of what is read of each item before anything is written."""
        passages = [item for item in items if isinstance(item, Passage)]
        if passages:
            return [row.ids for row in hf_read.tokenise(self.tokenizer, passages)]
        return encode_prompts(self.tokenizer, [item.prompt for item in items]) if items else []

    def _plan(self, items: Items, rows: Sequence[list[int]]) -> list[list[int]]:
        """Batches of indices; what is written together has one limit."""
        groups: dict[int, list[int]] = {}
        for n, item in enumerate(items):
            groups.setdefault(item.sampling.max_tokens if isinstance(item, Request) else 0, []).append(n)
        return [
            [group[at] for at in batch]
            for _, group in sorted(groups.items())
            for batch in plan([rows[n] for n in group], [items[n].id for n in group], self._batch_size)
        ]

    def _run(
        self,
        items: Items,
        rows: Sequence[list[int]],
        skip: Collection[str],
        work: Callable[[Sequence[int]], list[Any]],
        unread: Callable[[int], Any],
    ) -> Iterator[Any]:
        """Run the batches that hold an id which is not skipped; yield only those ids.

        `unread(n)`: what an item gets that the model cannot take, None for all others.
        """
        for batch in self._plan(items, rows):
            if all(items[n].id in skip for n in batch):
                continue
            without = {n: found for n in batch if (found := unread(n)) is not None}
            yield from (found for n, found in without.items() if items[n].id not in skip)
            fitting = [n for n in batch if n not in without]
            for result in self._halving.run(fitting, work) if fitting else ():
                if result.id not in skip:
                    yield result

    def _write(
        self,
        requests: Sequence[Request],
        prompts: Sequence[list[int]],
        part: Sequence[int],
        endings: Mapping[Sampling, Ending],
    ) -> list[Completion]:
        rows = [prompts[n] for n in part]
        limits = [
            self._limit(len(row), requests[n].sampling.max_tokens) for n, row in zip(part, rows, strict=True)
        ]
        samplings = [requests[n].sampling for n in part]
        drawn = Draws(samplings, [requests[n].seed for n in part], max(limits))
        with torch.inference_mode():
            written = self._runner.decode(
                rows, limits, drawn, lambda row, tokens: endings[samplings[row]].reached(tokens)
            )
        return [
            endings[sampling].completion(requests[n].id, len(row), tokens)
            for n, sampling, row, tokens in zip(part, samplings, rows, written, strict=True)
        ]

    def _limit(self, prompt: int, wanted: int) -> int:
        return min(wanted, self._context - prompt)


def _choice(query: Query, values: Sequence[float], prompt_tokens: int) -> Choice:
    total = sum(values)
    shares = [v / total for v in values] if total > 0 else [1 / len(values)] * len(values)
    return Choice(query.id, tuple(shares), min(1.0, total), prompt_tokens)
