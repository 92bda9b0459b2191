"""What a causal language model is made of: enough to count its parameters, its cache and its adapter.

Read from a model folder's config.json, or from a table of common hub ids; nothing is downloaded. Knows dense
decoders with a gated feed-forward block (Llama, Mistral, Qwen and what is built like them). A mixture of experts
reads only some of its weights for each token: not estimated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isheep.errors import RecipeError
from isheep.files import is_folder, model_path

#: Architectures whose parameters are counted to the last one (the tests hold them against transformers).
EXACT = ("llama", "mistral", "qwen2", "qwen3")
#: In a config.json, the sign of a mixture of experts.
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a dense decoder."""

    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    vocab: int
    tied: bool = False
    #: Of one head; 0: hidden / heads.
    head_dim: int = 0
    #: Biases on queries, keys and values (Qwen 1.5 to 2.5).
    biases: bool = False
    #: Norms of queries and keys (Qwen3).
    head_norms: bool = False
    #: Where only the number of parameters is known.
    given: int = 0
    #: Whether the count is that of the model itself, not of one like it.
    exact: bool = True

    @property
    def queries(self) -> int:
        """Width of all query heads."""
        return self.heads * (self.head_dim or self.hidden // self.heads)

    @property
    def keys(self) -> int:
        """Width of all key heads, and of all value heads."""
        return self.kv_heads * (self.head_dim or self.hidden // self.heads)

    @property
    def linear(self) -> dict[str, tuple[int, int]]:
        """The weight matrices of one layer: name -> (in, out)."""
        hidden, inner, queries, keys = self.hidden, self.inner, self.queries, self.keys
        return {
            "q_proj": (hidden, queries), "k_proj": (hidden, keys), "v_proj": (hidden, keys),
            "o_proj": (queries, hidden), "gate_proj": (hidden, inner), "up_proj": (hidden, inner),
            "down_proj": (inner, hidden),
        }  # fmt: skip

    @property
    def layer_parameters(self) -> int:
        """Of one layer's weight matrices: what is loaded in fewer bits, and sharded layer by layer."""
        return sum(rows * columns for rows, columns in self.linear.values())

    @property
    def parameters(self) -> int:
        """All of them."""
        if self.given:
            return self.given
        head = self.head_dim or self.hidden // self.heads
        small = 2 * self.hidden + (self.queries + 2 * self.keys) * self.biases + 2 * head * self.head_norms
        tables = self.vocab * self.hidden * (1 if self.tied else 2)
        return self.layers * (self.layer_parameters + small) + tables + self.hidden

    @property
    def quantised(self) -> int:
        """Parameters that 8- and 4-bit loading makes smaller: the layers' matrices, not the embeddings."""
        return min(self.layers * self.layer_parameters, self.parameters)

    @property
    def cache_bytes(self) -> int:
        """Key-value cache of one token, in 16 bits: keys and values of every layer."""
        return 2 * 2 * self.layers * self.keys

    def adapter(self, rank: int, targets: str | Collection[str] = "all-linear") -> int:
        """Parameters of a LoRA adapter: rank x (in + out) for each matrix it is put on.

        A regular expression as `targets` is taken for all of them.
        """
        chosen = (
            self.linear
            if isinstance(targets, str)
            else {n: self.linear[n] for n in self.linear if n in targets}
        )
        return self.layers * rank * sum(rows + columns for rows, columns in chosen.values())


def _qwen2(
    hidden: int, inner: int, layers: int, heads: int, kv_heads: int, vocab: int, tied: bool = False
) -> Shape:
    return Shape(hidden, inner, layers, heads, kv_heads, vocab, tied, biases=True)


def _qwen3(hidden: int, inner: int, layers: int, heads: int, tied: bool) -> Shape:
    return Shape(hidden, inner, layers, heads, 8, 151936, tied, head_dim=128, head_norms=True)


#: Hub id -> shape, from each model's config.json on the hub. Instruction-tuned siblings have the same.
SHAPES: Mapping[str, Shape] = {
    "Qwen/Qwen1.5-1.8B": _qwen2(2048, 5504, 24, 16, 16, 151936),
    "Qwen/Qwen1.5-4B": _qwen2(2560, 6912, 40, 20, 20, 151936),
    "Qwen/Qwen1.5-7B": _qwen2(4096, 11008, 32, 32, 32, 151936),
    "Qwen/Qwen1.5-14B": _qwen2(5120, 13696, 40, 40, 40, 152064),
    "Qwen/Qwen1.5-32B": _qwen2(5120, 27392, 64, 40, 8, 152064),
    "Qwen/Qwen1.5-72B": _qwen2(8192, 24576, 80, 64, 64, 152064),
    "Qwen/Qwen2.5-0.5B": _qwen2(896, 4864, 24, 14, 2, 151936, tied=True),
    "Qwen/Qwen2.5-1.5B": _qwen2(1536, 8960, 28, 12, 2, 151936, tied=True),
    "Qwen/Qwen2.5-3B": _qwen2(2048, 11008, 36, 16, 2, 151936, tied=True),
    "Qwen/Qwen2.5-7B": _qwen2(3584, 18944, 28, 28, 4, 152064),
    "Qwen/Qwen2.5-14B": _qwen2(5120, 13824, 48, 40, 8, 152064),
    "Qwen/Qwen2.5-32B": _qwen2(5120, 27648, 64, 40, 8, 152064),
    "Qwen/Qwen2.5-72B": _qwen2(8192, 29568, 80, 64, 8, 152064),
    "Qwen/Qwen3-0.6B-Base": _qwen3(1024, 3072, 28, 16, tied=True),
    "Qwen/Qwen3-1.7B-Base": _qwen3(2048, 6144, 28, 16, tied=True),
    "Qwen/Qwen3-4B-Base": _qwen3(2560, 9728, 36, 32, tied=True),
    "Qwen/Qwen3-8B-Base": _qwen3(4096, 12288, 36, 32, tied=False),
    "Qwen/Qwen3-14B-Base": _qwen3(5120, 17408, 40, 40, tied=False),
    "meta-llama/Llama-2-7b-hf": Shape(4096, 11008, 32, 32, 32, 32000),
    "meta-llama/Llama-2-13b-hf": Shape(5120, 13824, 40, 40, 40, 32000),
    "meta-llama/Llama-2-70b-hf": Shape(8192, 28672, 80, 64, 8, 32000),
    "meta-llama/Meta-Llama-3-8B": Shape(4096, 14336, 32, 32, 8, 128256),
    "meta-llama/Meta-Llama-3-70B": Shape(8192, 28672, 80, 64, 8, 128256),
    "meta-llama/Llama-3.1-8B": Shape(4096, 14336, 32, 32, 8, 128256),
    "meta-llama/Llama-3.1-70B": Shape(8192, 28672, 80, 64, 8, 128256),
    "meta-llama/Llama-3.2-1B": Shape(2048, 8192, 16, 32, 8, 128256, tied=True),
    "meta-llama/Llama-3.2-3B": Shape(3072, 8192, 28, 24, 8, 128256, tied=True),
    "mistralai/Mistral-7B-v0.1": Shape(4096, 14336, 32, 32, 8, 32000),
    "mistralai/Mistral-7B-v0.3": Shape(4096, 14336, 32, 32, 8, 32768),
}

_BY_NAME = {name.lower().removesuffix("-hf"): shape for name, shape in SHAPES.items()}
#: What the names of siblings of the same shape end in.
_ENDINGS = re.compile(r"(-instruct|-chat|-hf|-base)+$")


def shape_of(base: str) -> Shape | None:
    """The shape of a `model.base`; None where neither a folder nor the table tells. Raises RecipeError for experts."""
    folder = model_path(base)
    if is_folder(folder):
        return _read(Path(folder).expanduser() / "config.json")
    name = _ENDINGS.sub("", base.lower())
    return _BY_NAME.get(name) or _BY_NAME.get(f"{name}-base")


def _read(path: Path) -> Shape | None:
    try:
        config = json.loads(path.read_bytes())
        return from_config(config)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError):
        return None


def from_config(config: Mapping[str, Any]) -> Shape:
    """What a config.json tells. Raises KeyError, TypeError or ValueError if it does not, RecipeError for experts."""
    if any(int(config.get(key) or 0) > 1 for key in _EXPERTS):
        raise RecipeError(
            "the model is a mixture of experts, whose time and memory are not estimated",
            "--params with the number of ALL its parameters gives the memory; the time will be far too long",
        )
    kind = config.get("model_type", "")
    hidden = int(config["hidden_size"])
    heads = int(config.get("num_attention_heads") or 1)
    head_dim = int(config.get("head_dim") or 0)
    return Shape(
        hidden=hidden,
        inner=int(config["intermediate_size"]),
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        vocab=int(config.get("vocab_size") or 0),
        tied=bool(config.get("tie_word_embeddings")),
        head_dim=0 if head_dim == hidden // heads else head_dim,
        biases=kind == "qwen2",
        head_norms=kind == "qwen3",
        exact=kind in EXACT and not config.get("attention_bias") and not config.get("mlp_bias"),
    )


def like(parameters: float) -> Shape:
    """A model of that many parameters, of a shape like others of its size.

    Layers hold about 12 hidden^2 parameters, and models of 1 to 70 billion are about 128 times as wide as deep
    (Llama 3, 8B and 70B: 128 and 102): parameters = 12 hidden^3 / 128. Key-value heads 8 of 128.
    """
    wide = (parameters * 128 / 12) ** (1 / 3)
    step = 1024 if wide > 1024 else 128  # large models have numbers of heads that 8 divides
    hidden = max(step, step * round(wide / step))
    heads = hidden // 128
    made = Shape(
        hidden, round(8 * hidden / 3), max(1, hidden // 128), heads, min(8, heads), 128000, head_dim=128
    )
    return replace(made, given=round(parameters), exact=False)
