"""The paper's fixed benchmarks: names, groups, the shape of their data, and what is scored without any library.

Knows: names, rows, files on a disk. Does not know: models, the harness (backends/lm_eval.py asks them).
"""

from __future__ import annotations

from isheep.benchmarks.catalogue import BENCHMARKS, CHAT, GROUPS, Benchmark, refuse_code, resolve
from isheep.benchmarks.local import LocalData, find_data

__all__ = [
    "BENCHMARKS",
    "CHAT",
    "GROUPS",
    "Benchmark",
    "LocalData",
    "find_data",
    "refuse_code",
    "resolve",
]
