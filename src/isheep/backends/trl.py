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
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import set_seed
from trl import DPOConfig, SFTConfig, SFTTrainer

from isheep.backends import hf_load
from isheep.backends.base import Example, ModelSpec, Preferred, Progress, Runtime, Trained, TrainSpec
from isheep.backends.hf_layout import resolve, untrained_tokens
from isheep.backends.trl_files import ADAPTER, adapter_parameters, save_merged, write_adapter, write_merged
from isheep.backends.trl_prefer import PreferenceTrainer
from isheep.backends.trl_rows import BLANK, BLANK_PREFERRED, Row, tokenise, tokenise_preferred
from isheep.backends.trl_run import CHECKPOINTS, Tamed, arguments, run
from isheep.backends.trl_share import blanks, shares_weights, trained_weights
from isheep.errors import BackendError
from isheep.text.prompts import Layout


class TRLTrainer:
    """Trains adapters on one base model (and on top of its adapter, when the spec names one).

    `untrained`: the layout's tokens that look untrained, where this process will not hold the weights to look at.
    """

    def __init__(self, model: ModelSpec, runtime: Runtime, untrained: Sequence[int] | None = None) -> None:
        self._device = hf_load.prepare(runtime)
        self.device_name = hf_load.describe_device(self._device)
        datasets.disable_progress_bars()
        self._spec = model
        self._spread = hf_load.spread(runtime, self._device)
        self._untrained = untrained
        self._tokenizer = hf_load.load_tokenizer(model)
        self._base: Any = None
        self._size: int | None = None
        self._parameters: int | None = None

    @property
    def parameters(self) -> int | None:
        """Parameters of the base and of its adapter; a fresh one counts from the moment it is made."""
        if self._parameters is None:
            adapter = self._spec.adapter
            self._parameters = self._base_size() + (adapter_parameters(Path(adapter)) if adapter else 0)
        return self._parameters

    def layout(self, name: str) -> Layout:
        return resolve(
            name, self._tokenizer, self._load(self._dtype(self._spec.dtype)) if name == "auto" else None
        )

    def train(
        self, examples: Sequence[Example], spec: TrainSpec, layout: Layout, folder: Path, progress: Progress
    ) -> Trained:
        args = self._arguments(SFTConfig, spec, folder, completion_only_loss=True, packing=False)
        base = self._take(spec, args)
        rows, truncated = tokenise(self._tokenizer, examples, layout, self._cutoff(base, spec))
        trainer = self._trainer(_FineTuning, args, self._adapted(base, spec, layout, args), rows, BLANK)
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
        # Without dropout, which would tell the two models apart before anything is learned.
        args = self._arguments(DPOConfig, spec, folder, beta=beta, disable_dropout=True)
        base = self._take(spec, args)
        rows, truncated = tokenise_preferred(self._tokenizer, examples, layout, self._cutoff(base, spec))
        model = self._adapted(base, spec, layout, args)
        trainer = self._trainer(PreferenceTrainer, args, model, rows, BLANK_PREFERRED)
        read = sum(
            2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows
        )
        return self._run(trainer, spec, folder, progress, read, truncated)

    def close(self) -> None:
        self._base = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _base_size(self) -> int:
        if self._size is None:
            self._size = hf_load.size(self._spec)
        return self._size

    def _dtype(self, name: str) -> torch.dtype:
        return hf_load.pick_dtype(name if name != "auto" else self._spec.dtype, self._device)

    def _arguments(self, kind: Any, spec: TrainSpec, folder: Path, **own: Any) -> Any:
        dtype = self._dtype(spec.dtype)
        return arguments(kind, spec, folder, self._device, dtype, self._base_size(), **own)

    def _load(self, dtype: torch.dtype) -> Any:
        if self._base is None or self._base.dtype != dtype:
            self._base = None  # never two at once
            self._base = hf_load.load_model(
                self._spec, self._device, dtype, self._spread, place=not shares_weights()
            )
        return self._base

    def _take(self, spec: TrainSpec, args: Any) -> Any:
        """The base, for a trainer that will change it; the next one is loaded anew."""
        base, self._base = self._load(self._dtype(spec.dtype)), None
        if self._spec.load_in:
            # TRL sees to what recomputing activations needs.
            base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)
        return base

    def _cutoff(self, base: Any, spec: TrainSpec) -> int:
        return min(spec.cutoff, hf_load.context_length(base.config, self._spec))

    def _trainer(self, kind: Any, args: Any, model: PeftModel, rows: list[Row], blank: Row) -> Any:
        filled = rows + [blank] * blanks(len(rows), args.per_device_train_batch_size, args.world_size)
        return kind(
            model=model,
            rows=len(rows),
            args=args,
            train_dataset=datasets.Dataset.from_list(filled),
            processing_class=self._tokenizer,
        )

    def _adapted(self, base: Any, spec: TrainSpec, layout: Layout, args: Any) -> PeftModel:
        """The base with the adapter to train: the one the model came with, or a fresh one."""
        # ZeRO-3 gathers weights of one number type only.
        exact = getattr(args.deepspeed_plugin, "zero_stage", 0) != 3
        if self._spec.adapter is not None:
            model = hf_load.add_adapter(base, self._spec, trainable=True, exact=exact)
            # Its files may name the base by what it is called elsewhere; PEFT looks for that at every checkpoint, and
            # on the hub if need be.
            model.peft_config["default"].base_model_name_or_path = self._spec.base
        else:
            untrained = self._untrained
            if untrained is None:
                untrained = untrained_tokens(self._tokenizer, base, layout)
            set_seed(spec.seed)
            model = get_peft_model(base, _lora(base, spec, list(untrained)), autocast_adapter_dtype=exact)
        if shares_weights() and model.peft_config["default"].trainable_token_indices:
            raise BackendError(
                "this layout's tokens were never trained, and single rows of the embeddings cannot be trained where "
                "the weights are shared out among GPUs",
                "set model.layout: question, or launch with ddp_4, ddp_8 or torchrun",
            )
        head = model.get_base_model().get_output_embeddings()
        if not hasattr(head, "bias"):  # PEFT's wrapper of single rows hides it, TRL's loss asks for it
            head.__dict__["bias"] = getattr(head.original_module, "bias", None)
        return model

    def _run(
        self, trainer: Any, spec: TrainSpec, folder: Path, progress: Progress, read: int, truncated: int
    ) -> Trained:
        """Train to the end and write what came of it. `read`: tokens of one epoch."""
        checkpoints = folder / CHECKPOINTS
        losses = run(trainer, checkpoints, progress)
        weights = trained_weights(trainer.model) if shares_weights() else None
        if trainer.is_world_process_zero():
            model = trainer.accelerator.unwrap_model(trainer.model)
            write_adapter(model, folder / ADAPTER, self._spec.name or self._spec.base, weights)
            if spec.merge and self._spec.load_in:
                write_merged(self._spec, self._dtype(spec.dtype), folder)
            elif spec.merge:
                save_merged(model, self._tokenizer, folder)
            shutil.rmtree(checkpoints, ignore_errors=True)
        trainer.accelerator.wait_for_everyone()
        self._parameters = self._base_size() + adapter_parameters(folder / ADAPTER)
        return Trained(losses, int(trainer.state.global_step), int(read * spec.epochs), truncated)


class _FineTuning(Tamed, SFTTrainer):  # type: ignore[misc]
    """SFT on rows of `input_ids` and `completion_mask`."""


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
