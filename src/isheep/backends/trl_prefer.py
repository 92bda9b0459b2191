"""Direct preference optimisation (DPO) by TRL's DPOTrainer, held to what we tokenise and to the reference we mean.

The reference is the model as it is given. It costs no second base: a frozen copy of the adapter lies beside the one
that is trained, on the same base, and each batch passes under both. So a step compares like with like (same batch, same
padding, same rounding), and before the first step the two are equal to the last bit.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from trl import DPOTrainer

from isheep.backends.trl_run import Tamed
from isheep.backends.trl_share import count_over

#: What TRL calls the frozen copy.
_REFERENCE = "ref"


class PreferenceTrainer(Tamed, DPOTrainer):  # type: ignore[misc]
    """DPO on rows of `prompt_ids`, `chosen_ids` and `rejected_ids`, against the adapter as it is now."""

    def __init__(self, model: Any, **kwargs: Any) -> None:
        super().__init__(model=model, **kwargs)
        # TRL copies only parameters whose names hold ".default." and so forgets trained embedding rows, whose names
        # end in ".default": the reference would not know the layout's tokens.
        given = get_peft_model_state_dict(model, save_embedding_layers=False)
        set_peft_model_state_dict(model, given, adapter_name=_REFERENCE)

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """The rows as they are. TRL would add an end token of its own and tokenise prompt and answer in one."""
        return dataset

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """The batches of a step, and how much more a real one counts where some of them are blank."""
        found = super().get_batch_samples(*args, **kwargs)
        if self.args.world_size > 1:
            batches = found[0]
            real = count_over(self, sum(bool(_real(batch).any()) for batch in batches))
            self._weight = len(batches) * self.args.world_size / real
        return found

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """TRL's mean over the pairs of a batch; with several processes, over those that are not blank."""
        loss = super().compute_loss(model, inputs, *args, **kwargs)
        if self.args.world_size == 1:
            return loss
        real = _real(inputs)
        blank = int((~real).sum())
        if blank == len(real):
            return loss * 0
        # A blank pair's margin is 0 whatever the model: it adds log 2 to the sum, and nothing to the gradient.
        return (loss * len(real) - blank * math.log(2)) / (len(real) - blank) * self._weight


def _real(batch: Any) -> torch.Tensor:
    """Which pairs of a batch have a chosen answer: [pair]."""
    found: torch.Tensor = batch["completion_mask"].chunk(2)[0].any(1)
    return found
