"""vLLM's own engine, driven step by step: token ids in, token ids and log-probabilities out.

The only module that calls vLLM. Knows: its arguments, its environment, how a run ends. Does not know: texts,
tokenizers, what the answers are for.

What runs together is decided by vLLM alone, and always in the same way: its scheduler runs in this process (in one of
its own, what arrives when would depend on the clock), and nothing is taken from the prefix cache of an earlier run.
"""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from isheep.backends import vllm_adapters
from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.vllm_adapters import Adapter
from isheep.errors import BackendError

#: Set before vLLM is imported, unless the user has set them. Nothing is reported to anybody, logs hold what matters,
#: the scheduler stays in this process, and workers (tensor parallel) do not inherit a CUDA that is already in use.
ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "TOKENIZERS_PARALLELISM": "false",
}

#: Token ids whose log-probability one request may ask for (`MAX_LOGPROB_TOKEN_IDS` in vLLM 0.29 to 0.33).
MOST_IDS = 128

#: Is a text complete with the last of these tokens?
Watch = Callable[[list[int]], bool]


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt, and what vLLM's SamplingParams are told about it."""

    tokens: list[int]
    settings: Mapping[str, Any]
    #: Looks at what is written after every token, and ends it; None: vLLM ends it.
    watch: Watch | None = None


@dataclass(slots=True)
class Done:
    """What became of a job."""

    written: list[int]
    #: Log-probability of each token id asked for, as the first one behind the prompt.
    first: Mapping[int, float] = field(default_factory=dict)
    #: Log-probability of each prompt token but the first, where asked for.
    prompt: Sequence[float] = ()


def arguments(
    model: ModelSpec, runtime: Runtime, dtype: str, context: int | None, first: Adapter | None
) -> dict[str, Any]:
    """What vLLM's LLM is opened with. `first`: the adapter it is to begin with; those to come are no larger.

    Only the layers it changes are made to take adapters. Else the output layer would be among them, and reading prompts
    with an adapter goes wrong then (0.33: `prompt_logprobs` runs it over other rows than the adapter was laid out for).
    """
    adapters = (
        {
            "enable_lora": True,
            "max_loras": 1,
            "max_lora_rank": first.room,
            "lora_target_modules": sorted(first.layers),
        }
        if first
        else {}
    )
    return {
        "model": model.base,
        "revision": model.revision,
        "tokenizer_revision": model.revision,
        "trust_remote_code": model.trust_remote_code,
        "dtype": dtype,
        "max_model_len": context,
        "seed": 0,
        "enable_prefix_caching": True,
        "tensor_parallel_size": runtime.tensor_parallel,
        "gpu_memory_utilization": runtime.gpu_memory,
        **adapters,
    }


class Core:
    """A loaded vLLM. `close` gives back what one process can; all of it is free when the process has ended."""

    #: Cores of this process: the last one to close takes the process groups down.
    _alive = 0

    def __init__(self, settings: Mapping[str, Any]) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        import vllm

        try:
            self._llm: Any = vllm.LLM(**settings)
        except Exception as error:
            raise _opening(settings, error) from error
        Core._alive += 1
        self.context = int(self._llm.model_config.max_model_len)
        self._runs = itertools.count()
        self._adapters: dict[str, Any] = {}

    def put_on(self, adapter: Adapter) -> Any:
        """Load an adapter, once; what jobs are run with it by."""
        from vllm.lora.request import LoRARequest

        if adapter.folder not in self._adapters:
            number = len(self._adapters) + 1
            request = LoRARequest(lora_name=f"adapter-{number}", lora_int_id=number, lora_path=adapter.folder)
            try:
                self._llm.llm_engine.add_lora(request)
                taken = self._llm.llm_engine.apply_model(vllm_adapters.taken)[0]
            except Exception as error:
                raise BackendError(
                    f"vLLM cannot put on the adapter {adapter.folder}: {error}",
                    "an adapter fits only the base model it was trained on; backend.engine: hf takes every kind",
                ) from error
            if missing := adapter.layers.difference(taken):  # vLLM would leave them out and say nothing
                raise BackendError(
                    f"vLLM finds no layers {', '.join(sorted(missing))} in this model for the adapter {adapter.folder}",
                    "use backend.engine: hf, or a model with the adapter merged in (train.merge: true) as model.base",
                )
            self._adapters[adapter.folder] = request
        return self._adapters[adapter.folder]

    def run(self, jobs: Sequence[Job], adapter: Any = None) -> Iterator[tuple[int, Done]]:
        """Run the jobs together; each one's number and what became of it, as they end."""
        run = f"run-{next(self._runs)}"
        waiting = {f"{run}-{n}": n for n in range(len(jobs))}
        written: dict[str, list[int]] = {id: [] for id in waiting}
        try:
            for id, n in waiting.items():
                self._add(id, jobs[n], adapter, run)
            while waiting:
                for output in self._step():
                    id = output.request_id
                    if id not in waiting:
                        continue
                    n = waiting[id]
                    ended = self._read(output, jobs[n].watch, written[id])
                    if ended and not output.finished:
                        self._llm.llm_engine.abort_request([id])
                    if ended or output.finished:
                        del waiting[id]
                        yield n, _done(output, jobs[n], written.pop(id))
        finally:  # also when the caller asks no further, or one of them cannot be run
            if waiting and self._llm is not None:
                self._llm.llm_engine.abort_request(list(waiting))

    def close(self) -> None:
        llm, self._llm = self._llm, None
        if llm is None:
            return
        from vllm.distributed.parallel_state import cleanup_dist_env_and_memory

        llm.llm_engine.engine_core.shutdown()
        del llm
        gc.collect()
        Core._alive -= 1
        if Core._alive == 0:
            cleanup_dist_env_and_memory()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _add(self, id: str, job: Job, adapter: Any, salt: str) -> None:
        from vllm import SamplingParams
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind

        kind = RequestOutputKind.DELTA if job.watch else RequestOutputKind.FINAL_ONLY
        try:
            params = SamplingParams(detokenize=False, output_kind=kind, **job.settings)
            prompt = tokens_input(job.tokens, cache_salt=salt)
            self._llm.llm_engine.add_request(id, prompt, params, lora_request=adapter)
        except ValueError as error:
            raise BackendError(f"vLLM refuses a request: {error}", "change the setting it names") from error

    def _step(self) -> list[Any]:
        try:
            outputs: list[Any] = self._llm.llm_engine.step()
        except torch.OutOfMemoryError as error:
            raise BackendError(
                f"the GPU ran out of memory: {error}",
                "lower runtime.gpu_memory, which leaves vLLM more room beside its cache",
            ) from error
        return outputs

    @staticmethod
    def _read(output: Any, watch: Watch | None, written: list[int]) -> bool:
        """Take in what was written since; is it complete?"""
        for token in output.outputs[0].token_ids:
            written.append(int(token))
            if watch is not None and watch(written):
                return True
        return False


def _done(output: Any, job: Job, written: list[int]) -> Done:
    done = Done(written)
    if job.settings.get("logprob_token_ids"):
        done.first = {token: value.logprob for token, value in output.outputs[0].logprobs[0].items()}
    if job.settings.get("prompt_logprobs") is not None:
        found = zip(job.tokens[1:], output.prompt_logprobs[1:], strict=True)
        done.prompt = [values[token].logprob for token, values in found]
    return done


def _opening(settings: Mapping[str, Any], error: Exception) -> BackendError:
    """Why vLLM did not open a model, as far as its words tell, and the next step."""
    text = str(error)
    if "KV cache" in text or "max_model_len" in text:
        hint = "set model.context to fewer tokens, or raise runtime.gpu_memory"
    elif "memory" in text.lower():
        hint = "is something else on the GPU? Lower runtime.gpu_memory, or set runtime.tensor_parallel"
    elif "LoRA" in text:
        hint = "vLLM puts no adapters on this kind of model: backend.engine: hf"
    else:
        hint = "its log, above this line in the step's log, says more; backend.engine: hf runs without vLLM"
    return BackendError(f"vLLM cannot open {settings['model']}: {text.strip() or type(error).__name__}", hint)
