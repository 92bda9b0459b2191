"""Where the bytes of a GPU go: for writing and reading, and for training an adapter.

Each total is a mapping of what it is made of, so that one sees what limits. Bytes throughout; `gib` turns them into
what cards are sold in.
"""

from __future__ import annotations

from collections.abc import Mapping

from isheep.capacity.shape import Shape

#: Bytes of a weight. 8 and 4 bit: bitsandbytes' LLM.int8 (a byte), and NF4 with one float32 scale for 64 weights
#: (QLoRA, arXiv 2305.14314, section 3: 4 + 32/64 bits). Embeddings, norms and head stay as they are.
WEIGHT_BYTES: Mapping[str, float] = {"16bit": 2.0, "32bit": 4.0, "8bit": 1.0, "4bit": 0.5 + 4 / 64}
#: Of a number in what is kept between layers (bfloat16).
WIDE = 2
#: A trained parameter: float32 weight and gradient and Adam's two moments (PEFT keeps adapters in float32).
TRAINED_BYTES = 4 + 4 + 8
#: What the driver, the libraries' kernels and buffers, and a fragmented heap take of each device. Ours, a guess until
#: measured on a GPU (a bare CUDA context with cuBLAS is 0.5 to 0.8 GiB).
OVERHEAD_BYTES = 1.5 * 2**30
#: CUDA graphs and buffers of vLLM on top of it. Ours, a guess (its log tells 0.5 to 2 GiB for the graphs).
VLLM_BYTES = 1.5 * 2**30
#: Logits of a trained token, per entry of the vocabulary: in bfloat16, their float32 copy (transformers computes
#: the loss in float32), and its gradient.
LOGIT_BYTES = 2 + 4 + 4
#: Tokens of prompts vLLM reads in one pass (`max_num_batched_tokens`; its documentation).
VLLM_PASS_TOKENS = 8192

Parts = dict[str, float]


def gib(count: float) -> float:
    """Bytes in GiB."""
    return count / 2**30


def weights(shape: Shape, kind: str) -> float:
    """Bytes of a model's weights; `kind` as in WEIGHT_BYTES."""
    rest = shape.parameters - shape.quantised
    high = WEIGHT_BYTES["32bit" if kind == "32bit" else "16bit"]
    return shape.quantised * WEIGHT_BYTES[kind] + rest * high


def cache(shape: Shape, tokens: float, gpus: int = 1) -> float:
    """Bytes of key-value cache of so many tokens on each of the GPUs it is spread over: whole heads only."""
    return shape.cache_bytes * tokens / min(gpus, shape.kv_heads)


def pass_bytes(shape: Shape, tokens: float) -> float:
    """Bytes at work while so many tokens are read: one layer's inputs and outputs, in 16 bits."""
    return WIDE * tokens * (6 * shape.hidden + 3 * shape.inner)


def serving(
    shape: Shape, kind: str, engine: str, gpus: int, texts: int, tokens: float, prompt: float
) -> Parts:
    """On each GPU of one engine that works on `texts` at once of `tokens` each, `prompt` of them read at first."""
    vllm = engine == "vllm"
    read = min(texts * prompt, VLLM_PASS_TOKENS) if vllm else texts * prompt
    return {
        "weights": weights(shape, kind) / gpus,
        "KV cache": cache(shape, texts * tokens, gpus),
        "activations": pass_bytes(shape, read),
        "logits": 4.0 * texts * shape.vocab,
        "overhead": OVERHEAD_BYTES + VLLM_BYTES * vllm,
    }


def layer_activations(shape: Shape, dropout: bool) -> float:
    """Bytes one layer keeps for the backward pass, per token, in bfloat16 with LoRA on all its matrices.

    The method is that of Korthikanti et al. (arXiv 2205.05198, section 4.1), for this kind of layer and without the
    attention matrix, which SDPA does not keep. The factors are measured: what autograd saves in a Qwen2 layer of
    transformers 5.23 with PEFT 0.21, on a CPU; a test measures it again. A frozen matrix needs no input kept; each
    adapter with dropout keeps its own dropped copy and a mask.
    """
    hidden, inner, queries, keys = shape.hidden, shape.inner, shape.queries, shape.keys
    copied = 5 * hidden + queries + inner  # inputs of q, k, v, gate and up; of o; of down
    return 20 * hidden + 6 * queries + 5 * keys + 9 * inner + 2 * WIDE * dropout * copied


def activations(shape: Shape, tokens: float, recompute: bool, dropout: bool = True) -> float:
    """Bytes kept for the backward pass.

    With recomputation: the input of every layer, and everything of the one at work (same paper, section 5).
    """
    one = layer_activations(shape, dropout)
    kept = WIDE * shape.hidden * shape.layers + one if recompute else one * shape.layers
    return kept * tokens


def training(
    shape: Shape, kind: str, shards: int, tokens: float, adapter: int, recompute: bool, offload: bool = False
) -> Parts:
    """On each GPU of a LoRA training with `tokens` in a forward pass, weights spread over `shards`.

    Sharded: besides its share a GPU holds two layers gathered whole (the one at work and the next) and the output
    head, which accelerate's FSDP2 keeps gathered. `offload`: the shares lie in the host's memory (ZeRO-3).
    """
    gathered = 0.0
    if shards > 1 or offload:
        gathered = WIDE * (2 * shape.layer_parameters + shape.vocab * shape.hidden)
    elif kind in ("8bit", "4bit"):
        gathered = WIDE * shape.hidden * shape.inner  # the largest matrix, made 16-bit again to be multiplied
    return {
        "weights": 0.0 if offload else weights(shape, kind) / shards,
        "gathered": gathered,
        "adapter": TRAINED_BYTES * adapter / shards * (not offload),
        "activations": activations(shape, tokens, recompute),
        "logits": LOGIT_BYTES * tokens * shape.vocab,
        "overhead": OVERHEAD_BYTES,
    }


def largest(parts: Parts) -> str:
    """The part that takes most."""
    return max(parts, key=lambda name: parts[name])


def told(parts: Parts) -> str:
    """The arithmetic: "weights 13.6 + KV cache 1.0 + overhead 1.5 = 16.1 GiB". What is below 0.05 GiB is left out."""
    shown = [f"{name} {gib(value):.1f}" for name, value in parts.items() if gib(value) >= 0.05]
    return f"{' + '.join(shown)} = {gib(sum(parts.values())):.1f} GiB"
