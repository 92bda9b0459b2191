"""What this machine has: packages, device, room on the disk. For `isheep doctor` and for bug reports.

Looks packages up without importing them; only the device needs torch.
"""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata
from pathlib import Path

from isheep.sandbox import isolation

#: What nothing goes without.
NEEDED = (
    "torch", "transformers", "peft", "trl", "accelerate", "datasets", "numpy", "scipy", "scikit-learn", "rapidfuzz",
    "pydantic", "requests",
)  # fmt: skip
#: Package -> the extra that brings it, and what for.
OPTIONAL = {
    "lm_eval": ("eval", "fixed benchmarks"),
    "langdetect": ("eval", "IFEval's language instruction"),
    "bitsandbytes": ("quant", "a base in 8 or 4 bits"),
    "vllm": ("vllm", "the engine vllm, on NVIDIA GPUs"),
    "nvidia-ml-py": ("gpu", "energy of an NVIDIA GPU"),
    "ray": ("ray", "several engines at once"),
    "s3fs": ("s3", "a store at s3://"),
    "gcsfs": ("gcs", "a store at gs://"),
    "adlfs": ("azure", "a store at az://"),
}

Row = tuple[str, str, str]


def packages() -> list[Row]:
    """(package, version, what to do); "missing" where nothing goes without it, "not installed" where much does."""
    rows = [(name, _version(name) or "missing", "") for name in NEEDED]
    rows = [(name, found, "pip install isheep" if found == "missing" else "") for name, found, _ in rows]
    for name, (extra, use) in OPTIONAL.items():
        found = _version(name)
        rows.append(
            (name, found or "not installed", "" if found else f"for {use}: pip install 'isheep[{extra}]'")
        )
    return rows


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def machine(store: Path) -> list[Row]:
    """(what, value, remark) about the machine."""
    folder = next((p for p in (store, *store.resolve().parents) if p.exists()), Path("/"))
    free = shutil.disk_usage(folder).free
    return [
        ("python", platform.python_version(), ""),
        ("system", platform.platform(), ""),
        ("cpus", str(os.cpu_count()), ""),
        ("device", *device()),
        ("store", str(store), "exists" if store.exists() else "will be made"),
        (
            "free disk",
            f"{free / 1e9:.1f} GB",
            "" if free > 5e9 else "little room: a run of a 7B model needs some GB",
        ),
        ("sandbox", str(isolation()), "for code a model wrote; docs/sandbox.md"),
    ]


def device() -> tuple[str, str]:
    """The device `auto` would choose, and a remark."""
    try:
        import torch
    except ImportError:
        return "unknown", "torch is not installed"
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        room = torch.cuda.get_device_properties(0).total_memory / 1e9
        return "cuda", f"{torch.cuda.device_count()} x {name}, {room:.0f} GB"
    if torch.backends.mps.is_available():
        return "mps", "Apple GPU"
    return (
        "cpu",
        f"{torch.get_num_threads()} threads; fine for lamb, slow for models above some 100M parameters",
    )
