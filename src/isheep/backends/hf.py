"""Any causal LM of transformers as an engine: writes and scores, on a CPU or a GPU.

Batches are planned over all requests, sorted by length, and run whole or not at all; each request draws its random
numbers from its own seed. So neither the batch, nor the order, nor an interruption changes a text.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch

from isheep.backends import hf_load, hf_score
from isheep.backends.base import Choice, ModelSpec, Query, Request, Runtime, Sampling
from isheep.backends.hf_batches import Halving, plan
from isheep.backends.hf_decode import Runner
from isheep.backends.hf_layout import resolve
from isheep.backends.hf_sampling import draw, uniforms
from isheep.backends.hf_text import Decoder, encode_prompts, special_id
from isheep.records import Completion
from isheep.text.prompts import Layout


class HFEngine:
    """A loaded model. `close` gives its memory back."""

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        device = hf_load.prepare(runtime)
        self.device_name = hf_load.describe_device(device)
        self._batch_size = runtime.batch_size
        self.tokenizer: Any = hf_load.load_tokenizer(model)
        base = hf_load.load_model(model, device, hf_load.pick_dtype(model.dtype, device))
        self.model: Any = hf_load.add_adapter(base, model)
        self._context = hf_load.context_length(self.model)
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

    def generate(self, requests: Sequence[Request], skip: Collection[str] = ()) -> Iterator[Completion]:
        prompts = encode_prompts(self.tokenizer, [r.prompt for r in requests]) if requests else []
        groups: dict[Sampling, list[int]] = {}
        for n, request in enumerate(requests):
            if len(prompts[n]) < self.context:
                groups.setdefault(request.sampling, []).append(n)
            elif request.id not in skip:
                yield Completion(request.id, "", "too_long", len(prompts[n]), 0)
        for sampling in sorted(groups, key=repr):
            ends = self._end_ids(sampling.stops)
            stops = tuple(s for s in sampling.stops if s and special_id(self.tokenizer, s) is None)
            yield from self._batches(
                requests,
                prompts,
                groups[sampling],
                skip,
                lambda part, s=sampling, e=ends, t=stops: self._write(requests, prompts, part, s, e, t),
            )

    def score(self, queries: Sequence[Query], skip: Collection[str] = ()) -> Iterator[Choice]:
        prompts = encode_prompts(self.tokenizer, [q.prompt for q in queries]) if queries else []
        branches = [self._choices.branches(q.prompt, q.choices) for q in queries]
        fitting: list[int] = []
        for n, query in enumerate(queries):
            if len(prompts[n]) + branches[n].depth <= self.context:
                fitting.append(n)
            elif query.id not in skip:
                yield _choice(query, [0.0] * len(query.choices), len(prompts[n]))

        def work(part: Sequence[int]) -> list[Choice]:
            with torch.inference_mode():
                raw = hf_score.read(self._runner, [prompts[n] for n in part], [branches[n] for n in part])
            return [_choice(queries[n], values, len(prompts[n])) for n, values in zip(part, raw, strict=True)]

        yield from self._batches(queries, prompts, fitting, skip, work)

    def close(self) -> None:
        self.model = self._runner = None  # type: ignore[assignment]
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _batches(
        self,
        items: Sequence[Request] | Sequence[Query],
        prompts: Sequence[list[int]],
        chosen: Sequence[int],
        skip: Collection[str],
        work: Any,
    ) -> Iterator[Any]:
        """Run the batches of `chosen` that hold an id which is not skipped; yield only those ids."""
        ids = [items[n].id for n in chosen]
        for batch in plan([prompts[n] for n in chosen], ids, self._batch_size):
            if all(ids[at] in skip for at in batch):
                continue
            for result in self._halving.run([chosen[at] for at in batch], work):
                if result.id not in skip:
                    yield result

    def _write(
        self,
        requests: Sequence[Request],
        prompts: Sequence[list[int]],
        part: Sequence[int],
        sampling: Sampling,
        ends: set[int],
        stops: tuple[str, ...],
    ) -> list[Completion]:
        rows = [prompts[n] for n in part]
        limits = [self._limit(len(row), sampling.max_tokens) for row in rows]
        numbers = uniforms([requests[n].seed for n in part], max(limits))
        size = self.model.get_input_embeddings().weight.shape[0]
        telling = self._decoder.may_complete(stops, size) if stops else []

        def done(row: int, written: list[int]) -> bool:
            if written[-1] in ends:
                return True
            return (
                bool(stops) and telling[written[-1]] and _find(self._decoder.text(written), stops) is not None
            )

        with torch.inference_mode():
            written = self._runner.decode(
                rows, limits, lambda logits, alive, step: draw(logits, sampling, numbers[alive, step]), done
            )
        return [
            self._completion(requests[n].id, len(row), tokens, ends, stops)
            for n, row, tokens in zip(part, rows, written, strict=True)
        ]

    def _completion(
        self, id: str, prompt: int, tokens: list[int], ends: set[int], stops: tuple[str, ...]
    ) -> Completion:
        text = self._decoder.text(tokens)
        cut = _find(text, stops)
        ended = cut is None and tokens[-1] in ends
        return Completion(
            id=id,
            text=text if cut is None else text[:cut],
            finish="length" if cut is None and not ended else "stop",
            prompt_tokens=prompt,
            tokens=len(tokens),
            ended=ended,
        )

    def _end_ids(self, stops: Sequence[str]) -> set[int]:
        """Tokens that end a turn: the model's own, the tokenizer's, and stops that are one special token."""
        own = self.model.generation_config.eos_token_id
        ends = {*(own if isinstance(own, list) else [own]), self.tokenizer.eos_token_id}
        ends |= {special_id(self.tokenizer, stop) for stop in stops}
        return {int(end) for end in ends if end is not None}

    def _limit(self, prompt: int, wanted: int) -> int:
        return min(wanted, self._context - prompt)


def _find(text: str, stops: Sequence[str]) -> int | None:
    """Where the earliest stop text begins."""
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    return min(found, default=None)


def _choice(query: Query, values: Sequence[float], prompt_tokens: int) -> Choice:
    total = sum(values)
    shares = [v / total for v in values] if total > 0 else [1 / len(values)] * len(values)
    return Choice(query.id, tuple(shares), min(1.0, total), prompt_tokens)
