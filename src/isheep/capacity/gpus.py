"""The GPUs people have, as their makers describe them. Knows: data sheets. Measures nothing.

`tflops` is dense (without the structured sparsity that data sheets like to multiply by two) for bfloat16 with float32
accumulation; for cards without bfloat16 (T4, V100) it is float16. `link` is what one GPU sends to the others of its
machine, in one direction: half of the NVLink figure of a data sheet, or PCIe's.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from isheep.errors import RecipeError

#: One direction of a x16 slot, GB/s (PCI-SIG: 16 and 32 GT/s a lane, 128b/130b): generations 3, 4 and 5.
PCIE3, PCIE4, PCIE5 = 16.0, 32.0, 64.0


@dataclass(frozen=True, slots=True)
class GPU:
    """One model of GPU."""

    name: str
    #: GiB a program sees. Cards with GDDR6 and error correction show 15/16 of what is printed on the box.
    memory: float
    #: 10^12 multiply-adds counted as two, a second.
    tflops: float
    #: Of its own memory, GB/s.
    bandwidth: float
    #: To the other GPUs of the machine, one direction, GB/s.
    link: float
    #: Where the numbers are from.
    source: str


_ALL = (
    GPU("t4", 15, 65, 320, PCIE3, "NVIDIA T4 data sheet (float16; 16 GB with error correction)"),
    GPU("v100-16gb", 16, 125, 900, 150, "NVIDIA V100 data sheet, SXM2 (float16)"),
    GPU("v100-32gb", 32, 125, 900, 150, "NVIDIA V100 data sheet, SXM2 (float16)"),
    GPU("a10", 22.5, 125, 600, PCIE4, "NVIDIA A10 data sheet"),
    GPU("a10g", 22.5, 70, 600, PCIE4, "NVIDIA A10G data sheet (AWS g5)"),
    GPU("a30", 24, 165, 933, PCIE4, "NVIDIA A30 data sheet"),
    GPU("a40", 45, 149.7, 696, PCIE4, "NVIDIA A40 data sheet"),
    GPU("a6000", 48, 154.8, 768, PCIE4, "NVIDIA RTX A6000 data sheet (309.7 with sparsity)"),
    GPU("a100-40gb", 40, 312, 1555, 300, "NVIDIA A100 data sheet, SXM"),
    GPU("a100-80gb", 80, 312, 2039, 300, "NVIDIA A100 data sheet, SXM"),
    GPU("a100-80gb-pcie", 80, 312, 1935, PCIE4, "NVIDIA A100 data sheet, PCIe, no bridge"),
    GPU("a800-40gb", 40, 312, 1555, 200, "NVIDIA A800 data sheet: an A100 with NVLink at 400 GB/s"),
    GPU("a800-80gb", 80, 312, 2039, 200, "NVIDIA A800 data sheet: an A100 with NVLink at 400 GB/s"),
    GPU("l4", 22.5, 121, 300, PCIE4, "NVIDIA L4 data sheet (242 with sparsity)"),
    GPU("l40", 45, 181, 864, PCIE4, "NVIDIA L40 data sheet (362 with sparsity)"),
    GPU("l40s", 45, 362, 864, PCIE4, "NVIDIA L40S data sheet (733 with sparsity)"),
    GPU("rtx6000-ada", 45, 364, 960, PCIE4, "NVIDIA RTX 6000 Ada data sheet (a quarter of its FP8 with sparsity)"),
    GPU("rtx3090", 24, 71, 936, PCIE4, "NVIDIA GA102 white paper, float32 accumulation"),
    GPU("rtx4090", 24, 165.2, 1008, PCIE4, "NVIDIA Ada white paper, float32 accumulation"),
    GPU("rtx5090", 31.8, 209.5, 1792, PCIE5, "NVIDIA RTX Blackwell white paper, float32 accumulation"),
    GPU("h20", 96, 148, 4000, 450, "as sellers list it; no public data sheet"),
    GPU("h100", 79.6, 989, 3350, 450, "NVIDIA H100 data sheet, SXM (1979 with sparsity)"),
    GPU("h100-pcie", 79.6, 756, 2000, PCIE5, "NVIDIA H100 data sheet, PCIe (1513 with sparsity), no bridge"),
    GPU("h800", 79.6, 989, 3350, 200, "as sellers list it: an H100 with NVLink at 400 GB/s"),
    GPU("h200", 139.8, 989, 4800, 450, "NVIDIA H200 data sheet, SXM (141 GB, 1979 with sparsity)"),
    GPU("b200", 179, 2250, 8000, 900, "NVIDIA HGX B200 data sheet, an eighth of it (36 PFLOP/s with sparsity)"),
    GPU("mi300x", 192, 1307.4, 5300, 448, "AMD MI300X data sheet"),
)  # fmt: skip

#: Name -> GPU.
GPUS: dict[str, GPU] = {gpu.name: gpu for gpu in _ALL}
#: What people also type.
_ALSO = {
    "a100": "a100-80gb", "a800": "a800-80gb", "v100": "v100-32gb", "h100-80gb": "h100", "h100-sxm": "h100",
    "h200-141gb": "h200", "rtx-a6000": "a6000", "rtxa6000": "a6000", "3090": "rtx3090", "4090": "rtx4090",
    "5090": "rtx5090",
}  # fmt: skip


def find_gpu(name: str) -> GPU:
    """The GPU of that name, however it is spelled ("A100-SXM4-80GB", "NVIDIA A10G"). Raises RecipeError."""
    plain = name.strip().lower().replace("_", "-").replace(" ", "-")
    for word in ("nvidia-", "amd-", "tesla-", "geforce-", "instinct-", "-sxm4", "-sxm5", "-sxm"):
        plain = plain.replace(word, "")
    if plain.startswith("rtx-") and plain.replace("-", "", 1) in GPUS:
        plain = plain.replace("-", "", 1)
    plain = _ALSO.get(plain, plain)
    if plain in GPUS:
        return GPUS[plain]
    near = difflib.get_close_matches(plain, [*GPUS, *_ALSO], 3, 0.5)
    offer = f"did you mean {', '.join(near)}?" if near else ""
    raise RecipeError(
        f"--gpu: no GPU {name!r} in the table; {offer}".rstrip("; "), f"known: {', '.join(GPUS)}"
    )
