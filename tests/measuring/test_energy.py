"""Energy: what is read, how it is divided, and what is said where nothing can be read."""

import sys
from pathlib import Path

import pytest

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.measuring import energy
from evonas.measuring.energy import Counter, Meter

CPU, GPU = TargetConfig(), TargetConfig(device="cuda")


class Device:
    """Uses some millijoules a pass."""

    def __init__(self, *millijoules: float) -> None:
        self.used, self.each, self.runs = [0.0] * len(millijoules), millijoules, list[int]()

    def run(self, count: int) -> list[float]:
        self.runs.append(count)
        self.used = [used + count * each for used, each in zip(self.used, self.each, strict=True)]
        return [1.0] * count

    def counters(self, wraps_at: float, start: float) -> list[Counter]:
        def counter(place: int) -> Counter:
            return Counter(lambda: (start + self.used[place]) % wraps_at, wraps_at)

        return [counter(place) for place in range(len(self.each))]


@pytest.mark.parametrize(("ms", "count"), [(2.0, 500), (0.3, 3334), (999.0, 2), (5000.0, 1)])
def test_as_many_passes_as_take_a_second(ms: float, count: int) -> None:
    device = Device(7.0)
    assert Meter("pi", CPU, device.counters(1e9, 0)).per_pass(device.run, ms) == pytest.approx(7)
    assert device.runs == [count]


def test_all_counters_of_a_device_count_also_where_they_start_anew() -> None:
    device = Device(7.0, 0.5)
    meter = Meter("pi", CPU, device.counters(wraps_at=10_000, start=9_000))
    assert [meter.per_pass(device.run, 1) for _ in range(3)] == pytest.approx([7.5] * 3)


def test_a_counter_that_stands_still() -> None:
    device = Device(0.0)
    with pytest.raises(UserError, match=r"^targets\.pi: energy_mj: the energy counter stands still on "):
        Meter("pi", CPU, device.counters(1e9, 0)).per_pass(device.run, 1)


def zone(folder: Path, name: str, microjoules: int) -> Path:
    folder.mkdir()
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text("1000000\n")
    return folder / "energy_uj"


def test_the_packages_and_the_memory_of_a_cpu_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packages, one of which holds cores, the other memory; the whole system, which holds all of them."""
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    first = zone(tmp_path / "intel-rapl:0", "package-0", 900_000)
    cores = zone(tmp_path / "intel-rapl:0:0", "core", 0)
    second = zone(tmp_path / "intel-rapl:1", "package-1", 0)
    memory = zone(tmp_path / "intel-rapl:1:0", "dram", 5_000)
    system = zone(tmp_path / "intel-rapl:2", "psys", 0)

    def run(count: int) -> list[float]:
        first.write_text("100000")  # 200,000 more
        second.write_text("30000")
        memory.write_text("6000")
        cores.write_text("70000")
        system.write_text("800000")
        return []

    assert Meter("pi", CPU).per_pass(run, 100) == pytest.approx((200 + 30 + 1) / 10)


def test_a_cpu_without_a_counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    with pytest.raises(UserError, match=r"^targets\.pi: energy_mj needs an energy counter; \S+ has none for cpu "):
        Meter("pi", CPU)


def test_a_counter_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    file = zone(tmp_path / "intel-rapl:0", "package-0", 1)
    file.unlink()
    file.mkdir()  # root may read everything but this
    with pytest.raises(UserError, match=r"has none for cpu \(IsADirectoryError: .*energy_uj'\)$"):
        Meter("pi", CPU)


def test_a_gpu_without_a_counter() -> None:
    pytest.importorskip("zeus")
    with pytest.raises(UserError, match=r"^targets\.pi: energy_mj needs .* has none for cuda:77 \(\w+: "):
        Meter("pi", TargetConfig(device="cuda:77"))


def test_zeus_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "zeus"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "zeus", None)
    with pytest.raises(UserError, match=r"^targets\.pi: energy_mj of a GPU .*pip install 'evonas\[energy\]'$"):
        Meter("pi", GPU)


def test_a_device_whose_energy_nobody_reads() -> None:
    with pytest.raises(UserError, match=r"has none for npu"):
        Meter("pi", TargetConfig(backend="openvino", device="npu"))
