"""The model classes an examination runs on: the harness's own for transformers and for vLLM, made careful.

Knows: how a ModelSpec becomes one of them. Does not know: tasks. Imported only in the examiner's own process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from lm_eval.models.huggingface import HFLM

from isheep.backends import hf_load
from isheep.backends.base import ModelSpec, Runtime
from isheep.backends.hf_layout import resolve
from isheep.backends.hf_text import end_ids
from isheep.backends.lm_eval_batches import Careful
from isheep.errors import BackendError


class HFModel(Careful, HFLM):  # type: ignore[misc]
    """Any causal LM of transformers, with its adapter, as the harness's HFLM."""

    def __init__(self, spec: ModelSpec, runtime: Runtime, layout: str) -> None:
        device = hf_load.prepare(runtime)
        self.device_name = hf_load.describe_device(device)
        tokenizer = hf_load.load_tokenizer(spec)
        dtype = hf_load.pick_dtype(spec.dtype, device)
        base = hf_load.load_model(spec, device, dtype, hf_load.spread(runtime, device))
        model = hf_load.add_adapter(base, spec)
        self.parameters = hf_load.count_parameters(model)
        self.layout = resolve(layout, tokenizer, model) if layout else None
        self.batch = runtime.batch_size
        super().__init__(
            pretrained=model,
            tokenizer=tokenizer,
            backend="causal",
            batch_size=runtime.batch_size,
            trust_remote_code=spec.trust_remote_code,
        )
        self._ends = {tokenizer.eos_token_id} | (
            set(end_ids(tokenizer, self.layout)) if self.layout else set()
        )

    def _model_generate(self, context: Any, max_length: int, stop: list[str], **options: Any) -> Any:
        """Greedy. A row ends at its own first stop text, where the harness goes on until every row has met the same."""
        assert not options.pop("do_sample", False)
        options.pop("temperature", None)
        watch = _Stops(self.tokenizer, [s for s in stop if s], context.shape[1], len(context))
        ends = [n for n in self._ends if n is not None]
        rows = self.model.generate(
            input_ids=context,
            max_length=max_length,
            do_sample=False,
            stopping_criteria=transformers.StoppingCriteriaList([watch]),
            eos_token_id=ends or None,
            pad_token_id=self.tokenizer.pad_token_id,
            use_cache=True,
            **options,
        )
        prompts = options["attention_mask"].sum(-1).tolist()
        written = rows[:, context.shape[1] :].tolist()
        self._rows = [
            (prompt, *_ending(row, ends, length))
            for prompt, row, length in zip(prompts, written, watch.lengths, strict=True)
        ]
        return rows


class _Stops(transformers.StoppingCriteria):  # type: ignore[misc]
    """Which rows have written one of the stop texts, and after how many tokens."""

    def __init__(self, tokenizer: Any, stops: Sequence[str], start: int, rows: int) -> None:
        self._tokenizer, self._stops, self._start = tokenizer, stops, start
        self.lengths: list[int | None] = [None] * rows
        # A stop text may begin inside one token and end inside another.
        longest = max((len(tokenizer.encode(s, add_special_tokens=False)) for s in stops), default=0)
        self._look = longest + 2

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        written = input_ids.shape[1] - self._start
        tails = self._tokenizer.batch_decode(input_ids[:, self._start :][:, -self._look :])
        for n, tail in enumerate(tails):
            if self.lengths[n] is None and any(stop in tail for stop in self._stops):
                self.lengths[n] = written
        return torch.tensor([length is not None for length in self.lengths], device=input_ids.device)


def vllm_arguments(spec: ModelSpec, runtime: Runtime) -> dict[str, Any]:
    """What the harness's own vLLM class is opened with: base and adapter apart, vLLM's own batching."""
    adapter = {"lora_local_path": spec.adapter, "max_lora_rank": _rank(spec.adapter)} if spec.adapter else {}
    return {
        "pretrained": spec.base,
        "revision": spec.revision,
        "dtype": spec.dtype,
        "trust_remote_code": spec.trust_remote_code,
        "batch_size": "auto",
        **adapter,
    }


def open_vllm(spec: ModelSpec, runtime: Runtime, layout: str) -> Any:
    """The harness's VLLM class with our journal. vLLM's own scheduler batches within what is handed to it at once."""
    try:
        from lm_eval.models.vllm_causallms import VLLM
    except ModuleNotFoundError as error:
        raise BackendError(
            f"the examiner 'lm_eval_vllm' needs the package {error.name!r}, which is not installed",
            "install vllm in an environment of its own, or use the examiner 'lm_eval'",
        ) from error

    if layout == "auto":
        raise BackendError(
            "layout 'auto' looks at the model's embeddings, which vLLM does not show",
            "name the layout: model.layout: chat, or question",
        )

    class VLLMModel(Careful, VLLM):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(**vllm_arguments(spec, runtime))
            self.device_name, self.parameters = "cuda: vllm", None
            self.layout = resolve(layout, self.tokenizer, None) if layout else None
            # vLLM makes its own batches out of what it is handed; a handful would leave it idle.
            self.batch = max(runtime.batch_size, 256)

    return VLLMModel()


def _ending(row: Sequence[int], ends: Sequence[int], stopped: int | None) -> tuple[int, bool]:
    """(tokens written, whether the model ended by itself): up to its end token or its first stop text."""
    closed = next((n + 1 for n, token in enumerate(row) if token in ends), None)
    lengths = [n for n in (closed, stopped) if n is not None]
    return (min(lengths), True) if lengths else (len(row), False)


def _rank(adapter: str | None) -> int:
    """The rank of an adapter's matrices, which vLLM wants to know beforehand."""
    path = Path(adapter or "") / "adapter_config.json"
    if not path.is_file():
        raise BackendError(f"no adapter at {adapter}", "the folder must hold adapter_config.json")
    return int(json.loads(path.read_text(encoding="utf-8"))["r"])
