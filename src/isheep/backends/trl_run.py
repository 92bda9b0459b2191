"""How any of TRL's trainers is run here: its arguments, its checkpoints, its end.

Knows nothing of what is learned. A run that was interrupted goes on from its newest whole checkpoint.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerCallback, set_seed

from isheep.backends.base import Progress, TrainSpec
from isheep.backends.trl_files import newest_checkpoint, seal
from isheep.backends.trl_share import Dealt
from isheep.errors import BackendError

#: Where in its folder a training keeps them while it lasts.
CHECKPOINTS = "checkpoints"

#: Above this many parameters activations are recomputed in the backward pass instead of kept.
_CHECKPOINT_ACTIVATIONS = 1_000_000_000


class Tamed:
    """Mixed into TRL's trainers. `rows`: how many of the data set's rows are real; the others are blank."""

    def __init__(self, model: Any, rows: int, **kwargs: Any) -> None:
        self._rows = rows
        given = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
        super().__init__(model=model, **kwargs)  # type: ignore[call-arg]
        # On a base of fewer bits TRL makes the adapter bfloat16. At the paper's learning rate of 5e-5 most steps would
        # be lost in rounding; float32 costs a few MB, and is what an adapter on any other base has.
        for name, weight in model.named_parameters():
            if name in given and weight.dtype != given[name].dtype:
                weight.data = given[name]

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None is written into the checkpoints."""

    def _get_train_sampler(self: Any, *args: Any, **kwargs: Any) -> Any:
        """The order of the rows; with several processes the very order that one would have."""
        if self.args.world_size == 1:
            return super()._get_train_sampler(*args, **kwargs)  # type: ignore[misc]
        blank = len(self.train_dataset) - self._rows
        return Dealt(self._rows, blank, self.args.data_seed, lambda: int(self.state.epoch or 0))


class Follow(TrainerCallback):  # type: ignore[misc]
    """Reports steps, and seals each checkpoint once all of it is on disk."""

    def __init__(self, progress: Progress, checkpoints: Path) -> None:
        self._progress = progress
        self._checkpoints = checkpoints

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        args.distributed_state.wait_for_everyone()  # each process writes its random state
        if state.is_world_process_zero:
            seal(self._checkpoints / f"checkpoint-{state.global_step}")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps)


def arguments(
    kind: Any,
    spec: TrainSpec,
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    parameters: int,
    **own: Any,
) -> Any:
    """The arguments of one of TRL's trainers: `kind` is its class of them, `own` what only that kind has.

    To be made before a model of that `dtype` and size is loaded, and kept: with several processes they are what
    connects them, and what tells transformers how the weights are to be shared out.
    """
    made = kind(
        output_dir=str(folder / CHECKPOINTS),
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
        max_length=None,
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
        use_cpu=device.type == "cpu",
        gradient_checkpointing=parameters > _CHECKPOINT_ACTIVATIONS,
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
        **own,
    )
    if "WORLD_SIZE" not in os.environ and made.n_gpu > 1:
        made._n_gpu = 1  # several GPUs are used by torchrun only, never by DataParallel
    return made


def run(trainer: Any, checkpoints: Path, progress: Progress) -> tuple[tuple[int, float], ...]:
    """Train to the end; the losses, one per step. Raises BackendError when they cease to be numbers."""
    trainer.add_callback(Follow(progress, checkpoints))
    trainer.remove_callback(PrinterCallback)
    args = trainer.args
    if args.world_size > 1:
        set_seed(args.seed + args.process_index)  # else all would drop out the same
    with args.main_process_first(local=False):  # it removes those that a kill cut short
        newest = newest_checkpoint(checkpoints)
    trainer.train(resume_from_checkpoint=newest)
    losses = tuple((int(e["step"]), float(e["loss"])) for e in trainer.state.log_history if "loss" in e)
    if not all(math.isfinite(loss) for _, loss in losses):
        raise BackendError("the training diverged: its loss is no number any more", "lower the learning rate")
    return losses
