"""Energy counters: which one is asked, what it says, and that nothing it does can end a run."""

from __future__ import annotations

import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from isheep.backends import energy
from isheep.backends.energy import Meter


class FakeNvml(types.ModuleType):
    """Three GPUs; the counter of GPU n stands at (n + 1) * 1000 millijoules."""

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.more = 0
        self.broken = False

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return [0, 1, 2][index]

    def nvmlDeviceGetHandleByUUID(self, name: str) -> int:  # noqa: N802
        return {"GPU-aa": 0, "GPU-bb": 1}[name]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        if self.broken:
            raise RuntimeError("not supported")
        return (handle + 1) * (1000 + self.more)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    module = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", module)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return module


def _zone(root: Path, zone: str, name: str, energy_uj: int, range_uj: int = 1_000_000_000) -> Path:
    folder = root / zone
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    return folder / "energy_uj"


@pytest.fixture
def powercap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(energy, "_POWERCAP", tmp_path)
    return tmp_path


class Clock:
    """The module's time, which passes only when told, or when somebody sleeps; nothing runs beside it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.asleep: Callable[[], None] = lambda: None
        monkeypatch.setattr(energy, "time", self)
        monkeypatch.setattr(energy.threading.Thread, "start", lambda thread: None)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.asleep()


@pytest.mark.parametrize(
    ("device", "visible", "joules"),
    [
        ("cuda: NVIDIA H200", None, 7.0),
        ("cuda", None, 7.0),
        ("cuda:1: NVIDIA H200", None, 14.0),
        ("cuda: NVIDIA H200", "2,0", 21.0),
        ("cuda:1: NVIDIA H200", "2,1", 14.0),
        ("cuda: NVIDIA H200", "GPU-bb", 14.0),
    ],
)
def test_a_gpu_counts_for_itself(
    nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch, device: str, visible: str | None, joules: float
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    meter = Meter(device)
    assert meter.joules() == 0.0
    nvml.more = 7000
    assert meter.joules() == joules


def test_a_gpu_without_a_counter_is_not_known(
    nvml: FakeNvml, powercap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _zone(powercap, "intel-rapl:0", "package-0", 5)
    nvml.broken = True
    assert Meter("cuda: MIG").joules() is None, "the CPU's counter would be a wrong figure, not a worse one"
    assert Meter("cuda:9: NVIDIA H200").joules() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as if it were not installed
    assert Meter("cuda: NVIDIA H200").joules() is None


def test_a_counter_that_breaks_later_is_not_known_for_good(nvml: FakeNvml) -> None:
    meter = Meter("cuda: NVIDIA H200")
    assert meter.joules() == 0.0
    nvml.broken = True
    assert meter.joules() is None
    nvml.broken = False
    assert meter.joules() is None


def test_packages_and_memory_are_added_up(powercap: Path) -> None:
    one = _zone(powercap, "intel-rapl:0", "package-0", 1_000_000)
    cores = _zone(powercap, "intel-rapl:0:0", "core", 500_000)
    memory = _zone(powercap, "intel-rapl:0:1", "dram", 0)
    two = _zone(powercap, "intel-rapl:1", "package-1", 7)
    all_ = _zone(powercap, "intel-rapl:2", "psys", 9)
    meter = Meter("cpu: 8 threads")
    assert meter.joules() == 0.0
    for file, value in ((one, 3_000_000), (cores, 1_500_000), (memory, 500_000), (two, 7), (all_, 9_000_000)):
        file.write_text(str(value))
    assert meter.joules() == 2.5


def test_a_counter_that_comes_round(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    file = _zone(powercap, "intel-rapl:0", "package-0", 80_000_000_000, range_uj=100_000_000_000)
    meter = Meter("cpu: 2 threads")
    for clock.now, value, joules in ((50, 99e9, 19_000), (90, 10e9, 30_000), (120, 5e9, 125_000)):
        file.write_text(str(int(value)))
        assert meter.joules() == joules
    clock.now += 101
    file.write_text(str(int(6e9)))
    assert meter.joules() is None, "a hundred kilojoules may pass unseen in 101 seconds"


def test_it_is_read_often_enough_by_itself(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    file = _zone(powercap, "intel-rapl:0", "package-0", 0, range_uj=60_000_000_000)
    readings: list[float | None] = []

    class Watched(Meter):
        def joules(self) -> float | None:
            readings.append(super().joules())
            return readings[-1]

    meters = [Watched("cpu: 2 threads")]

    def asleep() -> None:
        """What happens meanwhile: 20 kJ are used; after ten readings the meter is dropped."""
        file.write_text(str((int(file.read_text()) + 20_000_000_000) % 60_000_000_000))
        if len(readings) == 10:
            meters.clear()

    clock.asleep = asleep
    energy._follow(weakref.ref(meters[0]))
    assert readings == [20_000.0 * n for n in range(1, 11)]


def test_the_watch_is_really_kept(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _zone(powercap, "intel-rapl:0", "package-0", 0)
    monkeypatch.setattr(energy, "_PERIOD", 0.001)
    read = threading.Event()

    class Watched(Meter):
        def joules(self) -> float | None:
            read.set()
            return super().joules()

    meter = Watched("cpu: 2 threads")
    assert read.wait(20)
    assert meter.joules() == 0.0


@pytest.mark.parametrize("device", ["none", "", "mps", "cpu", "cpu: 2 threads"])
def test_nothing_to_read(powercap: Path, device: str) -> None:
    assert Meter(device).joules() is None


@pytest.mark.parametrize("damage", ["name", "max_energy_range_uj", "energy_uj"])
def test_files_that_cannot_be_read(powercap: Path, damage: str) -> None:
    file = _zone(powercap, "intel-rapl:0", "package-0", 5).parent / damage
    file.unlink()
    file.mkdir()
    assert Meter("cpu: 2 threads").joules() is None


def test_this_very_machine_is_no_trouble() -> None:
    used = Meter("cpu: 2 threads").joules()
    assert used is None or used >= 0


def test_its_import_is_light() -> None:
    code = "import sys, isheep.backends.energy; assert not {'torch', 'transformers', 'pynvml'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
