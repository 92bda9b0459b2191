"""LoRA fine-tuning by TRL's SFTTrainer: completion-only loss, the end token always among what is learned.

Texts are tokenised here, by the functions that also tokenise what is asked, so what is trained is what is asked, to the
token. An interrupted training goes on from its last complete checkpoint and ends with the same weights (on a CPU, to
the bit).
"""

from __future__ import annotations

import gc
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PrinterCallback, TrainerCallback, set_seed
from trl import SFTConfig, SFTTrainer

from isheep.backends import hf_load
from isheep.backends.base import Example, ModelSpec, Progress, Runtime, Trained, TrainSpec
from isheep.backends.hf_layout import resolve, untrained_tokens
from isheep.backends.hf_text import encode_completions, encode_prompts, end_ids
from isheep.backends.trl_files import newest_checkpoint, seal, write_adapter
from isheep.errors import BackendError
from isheep.text.prompts import Layout

#: Above this many parameters activations are recomputed in the backward pass instead of kept.
_CHECKPOINT_ACTIVATIONS = 1_000_000_000


class TRLTrainer:
    """Trains adapters on one base model (and on top of its adapter, when the spec names one)."""

    def __init__(self, model: ModelSpec, runtime: Runtime) -> None:
        self._device = hf_load.prepare(runtime)
        self.device_name = hf_load.describe_device(self._device)
        datasets.disable_progress_bars()
        self._spec = model
        self._tokenizer = hf_load.load_tokenizer(model)
        self._base: Any = None

    def layout(self, name: str) -> Layout:
        return resolve(name, self._tokenizer, self._load(self._spec.dtype) if name == "auto" else None)

    def train(
        self, examples: Sequence[Example], spec: TrainSpec, layout: Layout, folder: Path, progress: Progress
    ) -> Trained:
        base = self._load(spec.dtype if spec.dtype != "auto" else self._spec.dtype)
        self._base = None  # the trainer changes it
        rows, truncated = tokenise(
            self._tokenizer, examples, layout, min(spec.cutoff, hf_load.context_length(base))
        )
        checkpoints = folder / "checkpoints"
        trainer = _Trainer(
            model=self._adapted(base, spec, layout),
            args=_arguments(base, spec, checkpoints, self._device),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=self._tokenizer,
            callbacks=[_Follow(progress, checkpoints)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train(resume_from_checkpoint=newest_checkpoint(checkpoints))
        losses = tuple((int(e["step"]), float(e["loss"])) for e in trainer.state.log_history if "loss" in e)
        if not all(math.isfinite(loss) for _, loss in losses):
            raise BackendError(
                "the training diverged: its loss is no number any more", "lower train.learning_rate"
            )
        if trainer.is_world_process_zero():
            self._write(trainer.accelerator.unwrap_model(trainer.model), spec, folder)
            shutil.rmtree(checkpoints, ignore_errors=True)
        trainer.accelerator.wait_for_everyone()
        return Trained(
            losses=losses,
            steps=int(trainer.state.global_step),
            tokens=int(sum(len(row["input_ids"]) for row in rows) * spec.epochs),
            truncated=truncated,
        )

    def close(self) -> None:
        self._base = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _load(self, dtype: str) -> Any:
        if self._base is None:
            self._base = hf_load.load_model(self._spec, self._device, hf_load.pick_dtype(dtype, self._device))
        return self._base

    def _adapted(self, base: Any, spec: TrainSpec, layout: Layout) -> PeftModel:
        """The base with the adapter to train: the one the model came with, or a fresh one."""
        if self._spec.adapter is not None:
            model = hf_load.add_adapter(base, self._spec, trainable=True)
        else:
            untrained = untrained_tokens(self._tokenizer, base, layout)
            set_seed(spec.seed)
            model = get_peft_model(base, _lora(base, spec, untrained))
        head = model.get_base_model().get_output_embeddings()
        if not hasattr(head, "bias"):  # PEFT's wrapper of single rows hides it, TRL's loss asks for it
            head.__dict__["bias"] = getattr(head.original_module, "bias", None)
        return model

    def _write(self, model: PeftModel, spec: TrainSpec, folder: Path) -> None:
        write_adapter(model, folder / "adapter", self._spec.name or self._spec.base)
        if spec.merge:
            model.merge_and_unload().save_pretrained(folder / "merged")
            self._tokenizer.save_pretrained(folder / "merged")


def tokenise(
    tokenizer: Any, examples: Sequence[Example], layout: Layout, cutoff: int
) -> tuple[list[dict[str, list[int]]], int]:
    """Rows for TRL, and how many were cut. A cut row loses its end token, one without any answer left is dropped."""
    if not examples:
        raise BackendError("there is nothing to train on", "loosen the filter, or ask for more instructions")
    prompts = encode_prompts(tokenizer, [e.prompt for e in examples])
    answers = encode_completions(tokenizer, [e.prompt for e in examples], [e.completion for e in examples])
    end = end_ids(tokenizer, layout)
    rows, truncated = [], 0
    for prompt, answer in zip(prompts, answers, strict=True):
        ids, mask = [*prompt, *answer, *end], [0] * len(prompt) + [1] * (len(answer) + len(end))
        truncated += len(ids) > cutoff
        if len(prompt) < cutoff:
            rows.append({"input_ids": ids[:cutoff], "completion_mask": mask[:cutoff]})
    if not rows:
        raise BackendError(
            f"every prompt alone is longer than the cutoff of {cutoff} tokens", "raise train.cutoff"
        )
    return rows, truncated


class _Trainer(SFTTrainer):  # type: ignore[misc]
    """Without the model card that would be written into every checkpoint."""

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        pass


class _Follow(TrainerCallback):  # type: ignore[misc]
    """Reports steps, and seals each checkpoint once all of it is on disk."""

    def __init__(self, progress: Progress, checkpoints: Path) -> None:
        self._progress = progress
        self._checkpoints = checkpoints

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            seal(self._checkpoints / f"checkpoint-{state.global_step}")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps)


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


def _arguments(base: Any, spec: TrainSpec, checkpoints: Path, device: torch.device) -> SFTConfig:
    arguments = SFTConfig(
        output_dir=str(checkpoints),
        per_device_train_batch_size=spec.batch_size,
        gradient_accumulation_steps=spec.accumulation,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=spec.scheduler,
        warmup_steps=spec.warmup_steps,
        num_train_epochs=spec.epochs,
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.max_grad_norm,
        seed=spec.seed,
        data_seed=spec.seed,
        completion_only_loss=True,
        packing=False,
        max_length=None,
        bf16=base.dtype == torch.bfloat16,
        fp16=base.dtype == torch.float16,
        use_cpu=device.type == "cpu",
        gradient_checkpointing=base.num_parameters() > _CHECKPOINT_ACTIVATIONS,
        dataloader_pin_memory=device.type == "cuda",
        ddp_find_unused_parameters=False,
        save_strategy="steps",
        save_steps=spec.save_steps,
        # Two: while the newest is being written, the one before stays whole.
        save_total_limit=2,
        # Every step: only then does a resumed training report the very losses of an unbroken one.
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
    )
    if "WORLD_SIZE" not in os.environ and arguments.n_gpu > 1:
        arguments._n_gpu = 1  # several GPUs are used by torchrun only, never by DataParallel
    return arguments
