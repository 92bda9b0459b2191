"""What a request asks for, and what vLLM refuses of it."""

from dataclasses import dataclass
from enum import Enum

MAX_LOGPROB_TOKEN_IDS = 128


class RequestOutputKind(Enum):
    DELTA = 1
    FINAL_ONLY = 2


@dataclass(kw_only=True)
class SamplingParams:
    detokenize: bool
    output_kind: RequestOutputKind
    max_tokens: int
    temperature: float
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop_token_ids: list[int] | None = None
    prompt_logprobs: int | None = None
    logprob_token_ids: list[int] | None = None

    def __post_init__(self) -> None:
        if self.detokenize:
            raise NotImplementedError("the stand-in writes no text")
        if not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature must be in [0, 2], got {self.temperature}.")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}.")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {self.max_tokens}.")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise OverflowError("the seed is kept as a signed 64-bit number")
        if len(self.logprob_token_ids or ()) > MAX_LOGPROB_TOKEN_IDS:
            raise ValueError("too many logprob_token_ids")
        if self.prompt_logprobs not in (None, 0):
            raise NotImplementedError("the stand-in tells of the prompt's own tokens only")
