"""Direct preference optimisation (DPO) by TRL's DPOTrainer, held to what we tokenise and to the reference we mean.

The reference is the model as it is given. It costs no second base: a frozen copy of the adapter lies beside the one
that is trained, on the same base, and each batch passes under both. So a step compares like with like (same batch, same
padding, same rounding), and before the first step the two are equal to the last bit.
"""

from __future__ import annotations

from typing import Any

from peft import get_peft_model_state_dict, set_peft_model_state_dict
from trl import DPOTrainer

from isheep.backends.trl_run import Quiet

#: What TRL calls the frozen copy.
_REFERENCE = "ref"


class PreferenceTrainer(Quiet, DPOTrainer):  # type: ignore[misc]
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
