"""How much energy a device has used since a moment: read from counters the hardware keeps, or not known.

An NVIDIA GPU counts for itself (NVML, where the package nvidia-ml-py is installed); on a CPU under Linux the packages
and their memory do (RAPL; on most machines only root may read it). What the rest of the machine draws is not in it, and
neither is who used the device: other work on it counts too.
"""

from __future__ import annotations

import importlib
import os
import re
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

_POWERCAP = Path("/sys/class/powercap")

#: Watts no CPU package draws for long: how fast a RAPL counter may come round.
_MOST_WATTS = 1000.0

#: Seconds between the readings that keep it from coming round unseen.
_PERIOD = 30.0

#: A counter: joules used since it was opened, or None when that cannot be told any more.
Counter = Callable[[], "float | None"]


class Meter:
    """Counts from its construction. `device_name` is a backend's: "cuda: NVIDIA H200", "cpu: 8 threads"."""

    def __init__(self, device_name: str) -> None:
        opened = {"cuda": _open_nvml, "cpu": _open_rapl}.get(device_name.partition(":")[0])
        self._counter: Counter | None = None
        self._lock = threading.Lock()
        try:
            if opened:
                self._counter = opened(device_name)
                threading.Thread(target=_follow, args=(weakref.ref(self),), daemon=True).start()
        except Exception:  # a driver's errors are of many types, and a run must not end for want of a figure
            self._counter = None

    def joules(self) -> float | None:
        """Joules since construction; None where nothing counts them, and from then on. Never raises."""
        with self._lock:
            try:
                used = self._counter() if self._counter else None
            except Exception:  # as above
                used = None
            if used is None:
                self._counter = None
            return used


def _follow(meter: weakref.ref[Meter]) -> None:
    """Read now and then, as long as the meter is used and counts."""
    while True:
        time.sleep(_PERIOD)
        found = meter()
        if found is None or found.joules() is None:
            return
        del found


def _open_nvml(device_name: str) -> Counter:
    """The total energy of the GPU that torch calls by this name ("cuda" is the first visible one)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an older package of the same name says that it is deprecated
        nvml: Any = importlib.import_module("pynvml")
    nvml.nvmlInit()
    index = re.match(r"cuda:(\d+)", device_name)
    handle = _visible(nvml, int(index[1]) if index else 0)
    start = nvml.nvmlDeviceGetTotalEnergyConsumption(
        handle
    )  # in millijoules, 64 bits: it does not come round
    return lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle) - start) / 1000


def _visible(nvml: Any, index: int) -> Any:
    """NVML knows all GPUs; torch numbers those that CUDA_VISIBLE_DEVICES names, by index or by id."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if not visible:
        return nvml.nvmlDeviceGetHandleByIndex(index)
    name = visible.split(",")[index].strip()
    return (
        nvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else nvml.nvmlDeviceGetHandleByUUID(name)
    )


def _open_rapl(device_name: str) -> Counter:
    """The sum over all packages and their memory."""
    zones = [_Zone(path) for path in sorted(_POWERCAP.glob("intel-rapl:*")) if _counts(path)]
    if not zones:
        raise OSError("no RAPL zone")

    def read() -> float | None:
        used = [zone.joules() for zone in zones]
        return sum(u for u in used if u is not None) if None not in used else None

    return read


def _counts(zone: Path) -> bool:
    """A package, or memory (not part of its package); not the cores in it, nor the platform around it."""
    name = (zone / "name").read_text(encoding="ascii").strip()
    return name.startswith("package") or name == "dram"


class _Zone:
    """One RAPL counter, in microjoules; it starts again at 0 behind `max_energy_range_uj`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text(encoding="ascii"))
        self._last, self._at = self._read(), time.monotonic()
        self._used = 0

    def joules(self) -> float | None:
        now, at = self._read(), time.monotonic()
        if (at - self._at) * _MOST_WATTS * 1e6 > self._range:
            return None  # it may have come round more than once
        self._used += now - self._last if now >= self._last else now + self._range - self._last
        self._last, self._at = now, at
        return self._used / 1e6

    def _read(self) -> int:
        return int(self._file.read_text(encoding="ascii"))
