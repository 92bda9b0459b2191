"""Which adapter a request runs with."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LoRARequest:
    lora_name: str
    lora_int_id: int
    lora_path: str

    def __post_init__(self) -> None:
        if self.lora_int_id < 1:
            raise ValueError(f"id must be > 0, got {self.lora_int_id}")
