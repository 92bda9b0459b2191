"""The offline engine: requests are added, and every step writes one more token of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vllm.lora.request import LoRARequest
from vllm.model import RANKS, Model
from vllm.outputs import CompletionOutput, Logprob, RequestOutput
from vllm.sampling_params import RequestOutputKind, SamplingParams


@dataclass
class _Running:
    id: str
    prompt: list[int]
    params: SamplingParams
    adapter: int
    written: list[int] = field(default_factory=list)
    read: list[dict[int, Logprob] | None] | None = None
    told: list[dict[int, Logprob]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = torch.Generator().manual_seed(self.params.seed or 0)


@dataclass
class _ModelConfig:
    max_model_len: int


class _Core:
    def __init__(self) -> None:
        self.running: list[_Running] = []
        self.closed = False

    def shutdown(self) -> None:
        self.closed = True


class LLMEngine:
    def __init__(self, model: Model, config: _ModelConfig, max_rank: int | None) -> None:
        self.engine_core = _Core()
        self._model, self._config, self._max_rank = model, config, max_rank
        self._adapters: set[int] = set()

    def add_request(
        self,
        request_id: str,
        prompt: dict[str, Any],
        params: SamplingParams,
        *,
        lora_request: LoRARequest | None,
    ) -> str:
        tokens = prompt["prompt_token_ids"]
        size = self._model.config.vocab_size
        if not 0 < len(tokens) < self._config.max_model_len:
            raise ValueError(f"The decoder prompt (length {len(tokens)}) is empty or too long")
        asked = [*(params.logprob_token_ids or ()), *(params.stop_token_ids or ()), *tokens]
        if not all(0 <= token < size for token in asked):
            raise ValueError("out-of-vocab token ids")
        if not prompt["cache_salt"]:
            raise ValueError("cache_salt must not be empty")
        if any(running.id == request_id for running in self.engine_core.running):
            raise ValueError("a request of this id is running")
        if lora_request is not None and lora_request.lora_int_id not in self._adapters:
            self.add_lora(lora_request)
        adapter = lora_request.lora_int_id if lora_request else 0
        self.engine_core.running.append(_Running(request_id, list(tokens), params, adapter))
        return f"{request_id}-internal"

    def add_lora(self, lora_request: LoRARequest) -> bool:
        if self._max_rank is None:
            raise ValueError("LoRA is not enabled")
        self._model.add(lora_request.lora_int_id, lora_request.lora_path, self._max_rank)
        self._adapters.add(lora_request.lora_int_id)
        return True

    def apply_model(self, func: Callable[[Any], Any]) -> list[Any]:
        return [func(self._model.layers())]

    def abort_request(self, request_ids: list[str]) -> None:
        core = self.engine_core
        core.running = [one for one in core.running if one.id not in request_ids]

    def step(self) -> list[RequestOutput]:
        outputs = []
        for adapter in sorted({one.adapter for one in self.engine_core.running}):
            together = [one for one in self.engine_core.running if one.adapter == adapter]
            logits = self._model.logits(adapter, [one.prompt + one.written for one in together])
            outputs += [self._write(one, row) for one, row in zip(together, logits, strict=True)]
        done = {output.request_id for output in outputs if output.finished}
        self.engine_core.running = [one for one in self.engine_core.running if one.id not in done]
        final = {one.id for one in self.engine_core.running if one.params.output_kind.name == "FINAL_ONLY"}
        return [output for output in outputs if output.request_id not in final]

    def _write(self, one: _Running, logits: Tensor) -> RequestOutput:
        params = one.params
        if params.prompt_logprobs is not None and one.read is None:
            logs = logits.log_softmax(-1)
            one.read = [None, *({t: Logprob(float(logs[n, t]))} for n, t in enumerate(one.prompt[1:]))]
        last = logits[len(one.prompt) + len(one.written) - 1]
        token = _draw(last, params, one.random)
        one.written.append(token)
        if params.logprob_token_ids:
            logs = last.log_softmax(-1)
            one.told.append({t: Logprob(float(logs[t])) for t in (token, *params.logprob_token_ids)})
        total = len(one.prompt) + len(one.written)
        ended = token in self._model.ends or token in (params.stop_token_ids or ())
        full = len(one.written) >= params.max_tokens or total >= self._config.max_model_len
        delta = params.output_kind is RequestOutputKind.DELTA
        written = CompletionOutput([token] if delta else list(one.written), one.told or None)
        return RequestOutput(one.id, [written], ended or full, one.read)


class LLM:
    def __init__(
        self,
        model: str,
        *,
        revision: str | None,
        tokenizer_revision: str | None,
        trust_remote_code: bool,
        dtype: str,
        max_model_len: int | None,
        seed: int,
        enable_prefix_caching: bool,
        tensor_parallel_size: int,
        gpu_memory_utilization: float,
        enable_lora: bool = False,
        max_loras: int = 1,
        max_lora_rank: int = 16,
        lora_target_modules: list[str] | None = None,
    ) -> None:
        if tensor_parallel_size != 1:
            raise ValueError(
                f"World size ({tensor_parallel_size}) is larger than the number of available GPUs (1)"
            )
        if enable_lora and max_lora_rank not in RANKS:
            raise ValueError("Input should be 1, 8, 16, 32, 64, 128, 256, 320 or 512")
        loaded = Model(model, dtype, lora_target_modules or [])
        longest = loaded.config.max_position_embeddings
        if (max_model_len or 0) > longest:
            raise ValueError(f"User-specified max_model_len ({max_model_len}) is greater than {longest}")
        self.model_config = _ModelConfig(max_model_len or longest)
        self.llm_engine = LLMEngine(loaded, self.model_config, max_lora_rank if enable_lora else None)


def _draw(logits: Tensor, params: SamplingParams, random: torch.Generator) -> int:
    """The next token: the most probable one where each probability is divided by a number drawn for it."""
    if params.temperature == 0:
        return int(logits.argmax())
    scores = logits / params.temperature
    if params.top_k:
        scores = scores.masked_fill(scores < scores.topk(params.top_k).values[-1], -math.inf)
    if params.top_p < 1:
        order = scores.sort(descending=True)
        before = order.values.softmax(-1).cumsum(-1) - order.values.softmax(-1)
        scores[order.indices[before >= params.top_p]] = -math.inf
    chance = scores.softmax(-1)
    return int((chance / torch.empty_like(chance).exponential_(generator=random)).argmax())
