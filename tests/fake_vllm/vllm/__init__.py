"""A stand-in for vLLM (see ../README.md)."""

from vllm.engine import LLM
from vllm.sampling_params import SamplingParams

__version__ = "0.0.0+stand.in"
__all__ = ["LLM", "SamplingParams"]
