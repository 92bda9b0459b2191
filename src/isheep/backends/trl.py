"""LoRA training by TRL: fine-tuning on answers, and preferring one answer over another.

Only the answer is learned, the end token always with it. Texts are tokenised here, by the functions that also tokenise
what is asked, so what is trained is what is asked, to the token. An interrupted training goes on from its last complete
checkpoint and ends with the same weights (on a CPU, to the bit).
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import set_seed
from trl import DPOConfig, SFTConfig, SFTTrainer

from isheep.backends import hf_load
from isheep.backends.base import Example, ModelSpec, Preferred, Progress, Runtime, Trained, TrainSpec
from isheep.backends.hf_layout import resolve, untrained_tokens
from isheep.backends.trl_files import adapter_parameters, write_adapter
from isheep.backends.trl_prefer import PreferenceTrainer
from isheep.backends.trl_rows import tokenise, tokenise_preferred
from isheep.backends.trl_run import CHECKPOINTS, Quiet, arguments, run
from isheep.text.prompts import Layout


class TRLTrainer:
    """Trains adapters on one base model (and on top of its adapter, when the spec names one)."""

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        self._device = hf_load.prepare(runtime)
        self.device_name = hf_load.describe_device(self._device)
        datasets.disable_progress_bars()
        self._spec = model
        self._tokenizer = hf_load.load_tokenizer(model)
        self._base: Any = None
        self._parameters: int | None = None

    @property
    def parameters(self) -> int | None:
        """Parameters of the base and of its adapter; a fresh one counts from the moment it is made."""
        if self._parameters is None:
            self._parameters = self._load(self._spec.dtype).num_parameters()
            if self._spec.adapter is not None:
                self._parameters += adapter_parameters(Path(self._spec.adapter))
        return self._parameters

    def layout(self, name: str) -> Layout:
        return resolve(name, self._tokenizer, self._load(self._spec.dtype) if name == "auto" else None)

    def train(
        self, examples: Sequence[Example], spec: TrainSpec, layout: Layout, folder: Path, progress: Progress
    ) -> Trained:
        base = self._take(spec)
        rows, truncated = tokenise(self._tokenizer, examples, layout, _cutoff(base, spec))
        trainer = _FineTuning(
            model=self._adapted(base, spec, layout),
            args=arguments(
                SFTConfig, base, spec, folder, self._device, completion_only_loss=True, packing=False
            ),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=self._tokenizer,
        )
        read = sum(len(row["input_ids"]) for row in rows)
        return self._run(trainer, spec, folder, progress, read, truncated)

    def prefer(
        self,
        examples: Sequence[Preferred],
        spec: TrainSpec,
        beta: float,
        layout: Layout,
        folder: Path,
        progress: Progress,
    ) -> Trained:
        base = self._take(spec)
        rows, truncated = tokenise_preferred(self._tokenizer, examples, layout, _cutoff(base, spec))
        trainer = PreferenceTrainer(
            model=self._adapted(base, spec, layout),
            # Without dropout, which would tell the two models apart before anything is learned.
            args=arguments(DPOConfig, base, spec, folder, self._device, beta=beta, disable_dropout=True),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=self._tokenizer,
        )
        read = sum(
            2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows
        )
        return self._run(trainer, spec, folder, progress, read, truncated)

    def close(self) -> None:
        self._base = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _load(self, dtype: str) -> Any:
        kind = hf_load.pick_dtype(dtype, self._device)
        if self._base is None or self._base.dtype != kind:
            self._base = None  # never two at once
            self._base = hf_load.load_model(self._spec, self._device, kind)
        return self._base

    def _take(self, spec: TrainSpec) -> Any:
        """The base, for a trainer that will change it; the next one is loaded anew."""
        base, self._base = self._load(spec.dtype if spec.dtype != "auto" else self._spec.dtype), None
        return base

    def _adapted(self, base: Any, spec: TrainSpec, layout: Layout) -> PeftModel:
        """The base with the adapter to train: the one the model came with, or a fresh one."""
        if self._spec.adapter is not None:
            model = hf_load.add_adapter(base, self._spec, trainable=True)
            # Its files may name the base by what it is called elsewhere; PEFT looks for that at every checkpoint, and
            # on the hub if need be.
            model.peft_config["default"].base_model_name_or_path = self._spec.base
        else:
            untrained = untrained_tokens(self._tokenizer, base, layout)
            set_seed(spec.seed)
            model = get_peft_model(base, _lora(base, spec, untrained))
        head = model.get_base_model().get_output_embeddings()
        if not hasattr(head, "bias"):  # PEFT's wrapper of single rows hides it, TRL's loss asks for it
            head.__dict__["bias"] = getattr(head.original_module, "bias", None)
        self._parameters = sum(p.numel() for p in model.parameters())
        return model

    def _run(
        self, trainer: Any, spec: TrainSpec, folder: Path, progress: Progress, read: int, truncated: int
    ) -> Trained:
        """Train to the end and write what came of it. `read`: tokens of one epoch."""
        checkpoints = folder / CHECKPOINTS
        losses = run(trainer, checkpoints, progress)
        if trainer.is_world_process_zero():
            self._write(trainer.accelerator.unwrap_model(trainer.model), spec, folder)
            shutil.rmtree(checkpoints, ignore_errors=True)
        trainer.accelerator.wait_for_everyone()
        return Trained(losses, int(trainer.state.global_step), int(read * spec.epochs), truncated)

    def _write(self, model: PeftModel, spec: TrainSpec, folder: Path) -> None:
        write_adapter(model, folder / "adapter", self._spec.name or self._spec.base)
        if spec.merge:
            model.merge_and_unload().save_pretrained(folder / "merged")
            self._tokenizer.save_pretrained(folder / "merged")


class _FineTuning(Quiet, SFTTrainer):  # type: ignore[misc]
    """SFT on rows of `input_ids` and `completion_mask`."""


def _cutoff(base: Any, spec: TrainSpec) -> int:
    return min(spec.cutoff, hf_load.context_length(base))


def _lora(base: Any, spec: TrainSpec, untrained: list[int]) -> LoraConfig:
    """LoRA on the linear layers; where the layout's tokens were never trained, on their embedding rows too."""
    target = spec.target_modules
    return LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        target_modules=target if isinstance(target, str) else list(target),
        trainable_token_indices=_token_rows(base, untrained) if untrained else None,
        task_type="CAUSAL_LM",
    )


def _token_rows(base: Any, tokens: list[int]) -> dict[str, list[int]]:
    """Names of the embedding modules whose rows are trained: the input's, and the output's where it is not tied."""
    names = {id(module): name.rpartition(".")[2] for name, module in base.named_modules()}
    inner, outer = base.get_input_embeddings(), base.get_output_embeddings()
    rows = {names[id(inner)]: tokens}
    if outer is not None and outer.weight is not inner.weight:
        rows[names[id(outer)]] = tokens
    return rows
