"""How long passes through a model take: a roofline with named efficiencies, and what is added to it.

A pass takes as long as its multiplications or as reading its weights and cache, whichever is longer (Williams et
al., "Roofline", 2009), plus what launching it costs. 2 FLOPs a parameter and token forward (Kaplan et al., arXiv
2001.08361, section 2.1). Seconds, bytes, tokens. docs/capacity.md holds this against published rates.
"""

from __future__ import annotations

from dataclasses import dataclass

from isheep.capacity.gpus import GPU, PCIE4
from isheep.capacity.memory import cache, weights
from isheep.capacity.shape import Shape

#: Share of the peak FLOP/s reached while writing and reading. Published: first tokens of a 2048-token prompt on an
#: A100, 66 % for Llama 7B and 60 % for 70B on four (TensorRT-LLM 0.6.1, docs/source/performance.md).
SERVING_FLOPS = 0.6
#: The same in training. Published: 45 to 55 % of the model's FLOPs for 7B to 70B on A100 with FSDP and 4096-token
#: sequences (foundation-model-stack/fms-fsdp, README). LoRA on short texts has smaller products: ours, a guess.
TRAINING_FLOPS = 0.4
#: Share of the memory bandwidth reached while weights and cache are read. Published: 50 to 80 % on an A100 (the
#: table of docs/capacity.md, from TensorRT-LLM 0.6.1).
BANDWIDTH = 0.6
#: Share of the link's bandwidth that collectives reach. Ours, a guess until measured.
LINK = 0.7
#: One all-reduce, besides its bytes. Ours, a guess until measured.
ALL_REDUCE_SECONDS = 20e-6
#: Launching one layer's kernels from Python, forward, in transformers without graphs; the same with an adapter, in
#: training, for each of its passes. Ours, guesses until measured on a GPU.
LAUNCH_SECONDS = 0.75e-3
TRAIN_LAUNCH_SECONDS = 1.5e-3
#: Between two passes of vLLM: scheduling, sampling, detokenising. Ours, a guess until measured on a GPU.
VLLM_STEP_SECONDS = 5e-3
#: 4- and 8-bit weights are made 16-bit again in every pass. Ours, a guess (reports of QLoRA give 1.3 to 1.7).
QUANTISED_SLOWER = 1.4
#: What a machine reads of a model's files. Ours, a guess: a local NVMe disk; a network disk may have a tenth.
LOAD_BYTES_A_SECOND = 2e9
#: From the start of a process to its first token, without reading weights: imports, CUDA, for vLLM its graphs too.
#: Ours, guesses until measured on a GPU.
START_SECONDS = {"hf": 20.0, "vllm": 60.0, "train": 30.0}
#: Between machines, one direction, for each GPU, GB/s: 200 Gbit/s InfiniBand. Ours: what a common cluster has.
NETWORK = 25.0
#: GPUs of a machine, where more than these are asked for.
MACHINE = 8


@dataclass(frozen=True, slots=True)
class Seconds:
    """What a step's time is made of. Of computing and reading memory each pass counts the longer only."""

    start: float = 0.0
    compute: float = 0.0
    bandwidth: float = 0.0
    launch: float = 0.0
    link: float = 0.0

    @property
    def parts(self) -> dict[str, float]:
        """Name -> seconds."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.parts.values())

    @property
    def limit(self) -> str:
        """What takes longest."""
        return max(self.parts, key=lambda name: self.parts[name])

    def __add__(self, other: Seconds) -> Seconds:
        return Seconds(**{name: value + other.parts[name] for name, value in self.parts.items()})

    def __mul__(self, count: float) -> Seconds:
        return Seconds(**{name: count * value for name, value in self.parts.items()})


def one_pass(compute: float, bandwidth: float, launch: float, link: float) -> Seconds:
    """A pass computes while it reads: the longer of the two is what it takes."""
    if compute >= bandwidth:
        return Seconds(compute=compute, launch=launch, link=link)
    return Seconds(bandwidth=bandwidth, launch=launch, link=link)


@dataclass(frozen=True, slots=True)
class Engine:
    """One copy of a model that writes and reads: on how many GPUs, with what, and how many copies there are."""

    kind: str
    gpus: int = 1
    workers: int = 1
    #: As in memory.WEIGHT_BYTES.
    weights: str = "16bit"


def forward(shape: Shape, gpu: GPU, engine: Engine, tokens: float, cached: float) -> Seconds:
    """One pass over `tokens` new tokens, with `cached` tokens of cache read."""
    split = (
        engine.gpus if engine.kind == "vllm" else 1
    )  # transformers' device map: one GPU works, then the next
    slower = QUANTISED_SLOWER if engine.weights in ("8bit", "4bit") else 1.0
    moved = weights(shape, engine.weights) / split + cache(shape, cached, split)
    reduced = 0.0
    if split > 1:  # two all-reduces a layer (Megatron-LM, arXiv 1909.08053), each 2 (n - 1) / n of its bytes
        one = 2 * tokens * shape.hidden * 2 * (split - 1) / split / (gpu.link * 1e9 * LINK)
        reduced = 2 * shape.layers * (ALL_REDUCE_SECONDS + one)
    return one_pass(
        slower * 2 * shape.parameters * tokens / split / (gpu.tflops * 1e12 * SERVING_FLOPS),
        slower * moved / (gpu.bandwidth * 1e9 * BANDWIDTH),
        VLLM_STEP_SECONDS if engine.kind == "vllm" else LAUNCH_SECONDS * shape.layers,
        reduced,
    )


def start(shape: Shape, engine: Engine) -> Seconds:
    """Until an engine is ready. Copies on one machine read the same files: the disk is read once."""
    return Seconds(start=START_SECONDS[engine.kind] + weights(shape, "16bit") / LOAD_BYTES_A_SECOND)


def serve(
    shape: Shape, gpu: GPU, engine: Engine, requests: float, read: float, written: float, texts: int
) -> Seconds:
    """Answering `requests` of `read` and `written` tokens in all, `texts` at once in each copy; without its start."""
    mine = requests / engine.workers
    if not mine:
        return Seconds()
    rounds = max(1.0, mine / texts)
    together = min(mine, texts)
    prompt, answer = read / requests, written / requests
    prefill = forward(shape, gpu, engine, together * prompt, 0) * rounds
    if not written:
        return prefill
    step = forward(shape, gpu, engine, together, together * (prompt + answer / 2))
    return prefill + step * (rounds * answer)


def train(
    shape: Shape,
    gpu: GPU,
    kind: str,
    devices: int,
    gather: str,
    rows: float,
    tokens: float,
    batch: int,
    recompute: bool,
) -> Seconds:
    """A LoRA training on `rows` texts (epochs counted) with `tokens` in all, on `devices` of which each has its share.

    Passes: forward, backward through the activations alone (no gradient of frozen weights, so 2 FLOPs and not 4),
    and the forward again where activations are recomputed: 4 or 6 FLOPs a parameter and token. `gather`: "link"
    (weights are sharded and gathered in every pass), "host" (they lie in the host's memory), "" (each device has
    them all). Gathering hides behind computing where that takes longer.
    """
    if not rows:
        return Seconds()
    passes = 2 + recompute
    slower = QUANTISED_SLOWER if kind in ("8bit", "4bit") else 1.0
    compute = slower * 2 * shape.parameters * tokens / rows * batch / (gpu.tflops * 1e12 * TRAINING_FLOPS)
    moved = slower * weights(shape, kind) / (gpu.bandwidth * 1e9 * BANDWIDTH)
    gathered = 0.0
    if gather == "link":
        link = gpu.link if devices <= MACHINE else min(gpu.link, NETWORK)
        gathered = weights(shape, kind) * (devices - 1) / devices / (link * 1e9 * LINK)
    elif gather == "host":
        gathered = weights(shape, kind) / (PCIE4 * 1e9 * LINK)
    exposed = max(0.0, gathered - max(compute, moved))
    one = one_pass(compute, moved, TRAIN_LAUNCH_SECONDS * shape.layers, exposed)
    return one * (passes * rows / batch / devices)


def load_training(shape: Shape) -> Seconds:
    """Until the first training step."""
    return Seconds(start=START_SECONDS["train"] + weights(shape, "16bit") / LOAD_BYTES_A_SECOND)
