"""A causal LM in vLLM's offline engine, on one GPU or several: writes, scores and reads, with the adapters of a run.

Texts become token ids by the rule all engines share, and are cut by it (`hf_text`, `hf_ending`); vLLM sees ids only.
Chunks of requests are planned over all of them and run whole or not at all; each draws from its own seed.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from isheep.backends import hf_load, hf_read, vllm_adapters
from isheep.backends.base import Choice, Items, ModelSpec, Passage, Query, Request, Runtime
from isheep.backends.hf_choices import Branches, Path, Tokenised, answer, exclusive
from isheep.backends.hf_ending import Ending
from isheep.backends.hf_layout import resolve
from isheep.backends.hf_text import Decoder, encode_prompts
from isheep.backends.vllm_check import NO_FEWER_BITS
from isheep.backends.vllm_check import obstacles as obstacles
from isheep.backends.vllm_core import MOST_IDS, Core, Done, Job, arguments
from isheep.errors import BackendError
from isheep.records import Completion, Likelihood
from isheep.text.prompts import Layout

if (
    importlib.util.find_spec("vllm") is None
):  # importing it takes seconds and looks for GPUs: only an engine does
    raise ModuleNotFoundError("No module named 'vllm'", name="vllm")

#: Requests handed over at once, in units of runtime.batch_size: 2048 by default, where vLLM runs 256 or 1024 together
#: (`max_num_seqs`), so that its slots stay full while the long answers of a chunk end.
CHUNK = 32

#: vLLM takes a seed as a signed 64-bit number, and -1 for none.
_SEEDS = 2**63 - 1

#: Reading: vLLM has to write a token to give numbers.
_ONE_TOKEN = {"max_tokens": 1, "temperature": 0.0}


class VllmEngine:
    """A model loaded by vLLM. `close` gives back what one process can; a process of its own gives back all."""

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        if model.load_in:
            raise BackendError(*NO_FEWER_BITS)
        device = hf_load.prepare(runtime)
        self._spec = model
        self._chunk = CHUNK * runtime.batch_size
        self.tokenizer: Any = hf_load.load_tokenizer(model)
        #: What the model knows of its tokens; vLLM shows neither its embeddings nor its end tokens.
        self._embeddings: Any = hf_load.load_embeddings(model)
        adapter = vllm_adapters.read(model.adapter) if model.adapter else None
        self._first = adapter
        self._size = hf_load.size(model)
        dtype = str(hf_load.pick_dtype(model.dtype, device)).removeprefix("torch.")
        context = hf_load.context_length(hf_load.load_config(model), model)
        limit = context if context < hf_load.NO_LIMIT else None
        self._core = Core(arguments(model, runtime, dtype, limit, adapter))
        several = f"{runtime.tensor_parallel} x " if runtime.tensor_parallel > 1 else ""
        self.device_name = several + hf_load.describe_device(device)
        self._decoder = Decoder(self.tokenizer)
        self._choices = Tokenised(self.tokenizer)
        self._put_on(adapter)

    def layout(self, name: str) -> Layout:
        return resolve(name, self.tokenizer, self._embeddings)

    @property
    def context(self) -> int:
        return self._core.context

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in encode_prompts(self.tokenizer, texts)] if texts else []

    def turn_to(self, model: ModelSpec) -> bool:
        if model == self._spec:
            return True
        if replace(model, adapter=None) != replace(self._spec, adapter=None):
            return False
        adapter = vllm_adapters.read(model.adapter) if model.adapter else None
        if adapter is not None and not (self._first and self._first.makes_room_for(adapter)):
            return False  # it was opened for no adapters, or for smaller ones
        self._put_on(adapter)
        self._spec = model
        return True

    def batches(self, items: Items) -> list[list[int]]:
        order = sorted(range(len(items)), key=lambda n: items[n].id)
        return [order[at : at + self._chunk] for at in range(0, len(order), self._chunk)]

    def generate(self, requests: Sequence[Request], skip: Collection[str] = ()) -> Iterator[Completion]:
        prompts = self._encode([r.prompt for r in requests])
        endings = {
            s: Ending(s, self._embeddings, self.tokenizer, self._decoder)
            for s in {r.sampling for r in requests}
        }

        def jobs(n: int) -> list[Job]:
            return [self._writing(requests[n], prompts[n], endings[requests[n].sampling])]

        def read(n: int, done: Sequence[Done]) -> Completion:
            ending = endings[requests[n].sampling]
            return ending.completion(requests[n].id, len(prompts[n]), done[0].written)

        def unread(n: int) -> Completion | None:
            fits = len(prompts[n]) < self.context
            return None if fits else Completion(requests[n].id, "", "too_long", len(prompts[n]), 0)

        yield from self._run(requests, skip, jobs, read, unread)

    def score(self, queries: Sequence[Query], skip: Collection[str] = ()) -> Iterator[Choice]:
        prompts = self._encode([q.prompt for q in queries])
        branches = [self._choices.branches(q.prompt, q.choices) for q in queries]

        def jobs(n: int) -> list[Job]:
            return [
                Job([*prompts[n], *before], {**_ONE_TOKEN, "logprob_token_ids": ids})
                for before, ids in _questions(branches[n])
            ]

        def read(n: int, done: Sequence[Done]) -> Choice:
            raw = _probabilities(branches[n], done)
            _check(queries[n].id, sum(raw))
            return answer(queries[n], exclusive(branches[n].paths, raw), len(prompts[n]))

        def unread(n: int) -> Choice | None:
            if len(prompts[n]) + branches[n].depth < self.context:
                return None
            return answer(queries[n], [0.0] * len(queries[n].choices), len(prompts[n]))

        yield from self._run(queries, skip, jobs, read, unread)

    def likelihood(self, passages: Sequence[Passage], skip: Collection[str] = ()) -> Iterator[Likelihood]:
        rows = hf_read.tokenise(self.tokenizer, passages)

        def jobs(n: int) -> list[Job]:
            return [Job(rows[n].ids, {**_ONE_TOKEN, "prompt_logprobs": 0})]

        def read(n: int, done: Sequence[Done]) -> Likelihood:
            logs, border = done[0].prompt, rows[n].border - 1  # nothing predicts the first token
            prompt, text = math.fsum(logs[:border]), math.fsum(logs[border:])
            _check(passages[n].id, prompt + text)
            return Likelihood(passages[n].id, prompt, border, text, rows[n].text)

        def unread(n: int) -> Likelihood | None:
            fits = rows[n].text and len(rows[n].ids) < self.context
            return None if fits else hf_read.no_likelihood(passages[n].id)

        yield from self._run(passages, skip, jobs, read, unread)

    def close(self) -> None:
        self._core.close()

    def _put_on(self, adapter: vllm_adapters.Adapter | None) -> None:
        self._adapter = self._core.put_on(adapter) if adapter else None
        self.parameters: int | None = self._size + (adapter.parameters if adapter else 0)

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return encode_prompts(self.tokenizer, texts) if texts else []

    def _writing(self, request: Request, prompt: list[int], ending: Ending) -> Job:
        sampling = request.sampling
        settings = {
            "max_tokens": min(sampling.max_tokens, self.context - len(prompt)),
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "seed": request.seed & _SEEDS,
            "stop_token_ids": sorted(ending.ends),
        }
        # vLLM knows end tokens and lengths; where the text itself may end, every token of it is looked at.
        return Job(prompt, settings, ending.reached if ending.by_text else None)

    def _run(
        self,
        items: Items,
        skip: Collection[str],
        jobs: Callable[[int], list[Job]],
        read: Callable[[int, Sequence[Done]], Any],
        unread: Callable[[int], Any],
    ) -> Iterator[Any]:
        """Run the chunks that hold an id which is not skipped; yield only those ids, as they end.

        `jobs(n)`: what vLLM is asked for an item, `read(n, answers)`: what that means; `unread(n)`: what an item gets
        that the model cannot take, None for all others.
        """
        for chunk in self.batches(items):
            if all(items[n].id in skip for n in chunk):
                continue
            without = {n: found for n in chunk if (found := unread(n)) is not None}
            yield from (found for n, found in without.items() if items[n].id not in skip)
            asked = [(n, job) for n in chunk if n not in without for job in jobs(n)]
            for n, answers in self._ask(asked):
                result = read(n, answers)
                if items[n].id not in skip:
                    yield result

    def _ask(self, asked: Sequence[tuple[int, Job]]) -> Iterator[tuple[int, list[Done]]]:
        """Run jobs of numbered items together; an item comes when the last of its jobs is done."""
        missing: dict[int, dict[int, Done | None]] = {}
        for at, (n, _) in enumerate(asked):
            missing.setdefault(n, {})[at] = None
        for at, done in self._core.run([job for _, job in asked], self._adapter):
            n = asked[at][0]
            missing[n][at] = done
            answers = [answer for answer in missing[n].values() if answer is not None]
            if len(answers) == len(missing[n]):
                yield n, answers


def _questions(branches: Branches) -> list[tuple[Path, list[int]]]:
    """What has to be known: behind which tokens the probability of which ones, no more at a time than vLLM tells."""
    following: dict[Path, set[int]] = {}
    for path in branches.paths:
        for at, token in enumerate(path):
            following.setdefault(path[:at], set()).add(token)
    return [
        (before, ids[at : at + MOST_IDS])
        for before, ids in sorted((before, sorted(found)) for before, found in following.items())
        for at in range(0, len(ids), MOST_IDS)
    ]


def _probabilities(branches: Branches, answers: Sequence[Done]) -> list[float]:
    """Probability of each choice, whatever follows it (they need not sum to 1)."""
    logs = {
        (before, token): done.first[token]
        for (before, ids), done in zip(_questions(branches), answers, strict=True)
        for token in ids
    }
    return [math.exp(sum(logs[p[:at], token] for at, token in enumerate(p))) for p in branches.paths]


def _check(id: str, value: float) -> None:
    if not math.isfinite(value):
        raise BackendError(
            f"reading {id!r}, the model computes numbers that are none (overflow or broken weights)",
            "set model.dtype: float32, or check the adapter",
        )
