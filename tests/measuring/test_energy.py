"""Energy: what is read, how it is divided, and what is said where nothing can be read."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.evaluation.draft import Draft
from evonas.evaluation.gpu.energy import energy_told
from evonas.measuring import energy
from evonas.measuring.backends import devices
from evonas.measuring.energy import Counter, Meter
from evonas.measuring.nvml import _known, bus, library, state

CPU = TargetConfig()


class Device:
    """Uses some millijoules a pass, which takes `ms`; its counters move every so many seconds, and not together."""

    def __init__(self, *millijoules: float, ms: float = 1.0, tick_s: float = 0.001) -> None:
        self.now, self.each, self.ms, self.tick_s, self.runs = 0.0, millijoules, ms, tick_s, 0

    def run(self, count: int) -> list[float]:
        self.runs += count
        self.now += count * self.ms / 1000
        return [self.ms] * count

    def counters(self, wraps_at: float = 1e12, start: float = 0) -> list[Counter]:
        def counter(place: int) -> Counter:
            def read() -> float:
                self.now += 1e-5
                moved = self.now // self.tick_s * self.tick_s
                return (start + self.each[place] * moved * 1000 / self.ms) % wraps_at

            return Counter(read, wraps_at)

        return [counter(place) for place in range(len(self.each))]

    def meter(self, **counters: float) -> Meter:
        return Meter("pi", CPU, self.counters(**counters), lambda: self.now)


@pytest.mark.parametrize("ms", [0.05, 0.7, 2.3, 7.0])
@pytest.mark.parametrize("before_s", [0.0, 0.033, 0.09])
def test_a_counter_that_moves_ten_times_a_second_is_read_where_it_moves(ms: float, before_s: float) -> None:
    """A second from anywhere would be off by up to 10 %."""
    device = Device(7.0, ms=ms, tick_s=0.093)
    device.now = before_s
    found = device.meter().per_pass(device.run, ms)
    assert found.mj == pytest.approx(7, rel=0.01)
    assert 6.8 < found.low <= found.mj <= found.high < 7.2
    assert 3 < device.now < 4.5


def test_a_network_that_takes_longer_than_a_window() -> None:
    device = Device(7.0, ms=5000.0)
    assert device.meter().per_pass(device.run, 5000.0).mj == pytest.approx(7, rel=0.01)
    assert device.runs == 4


def test_all_counters_of_a_device_count_also_where_they_start_anew() -> None:
    device = Device(7.0, 0.5)
    found = device.meter(wraps_at=10_000, start=9_000).per_pass(device.run, 1)
    assert found.mj == pytest.approx(7.5, rel=0.02)


def test_a_counter_that_stands_still() -> None:
    device = Device(0.0)
    with pytest.raises(UserError, match=r"^targets\.pi: energy_mj: the energy counter stands still on "):
        device.meter().per_pass(device.run, 1)


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

    passes = 0

    def run(count: int) -> list[float]:
        nonlocal passes
        passes += count
        first.write_text(str((900_000 + 20 * passes) % 1_000_000))
        second.write_text(str(3 * passes))
        memory.write_text(str(5_000 + passes))
        cores.write_text(str(70 * passes))
        system.write_text(str(100 * passes))
        return []

    meter = Meter("pi", CPU, clock=lambda: passes / 1000)
    assert meter.per_pass(run, 1.0).mj == pytest.approx((20 + 3 + 1) / 1000)


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


class FakeNvml(ModuleType):
    """NVML with one GPU, or one slice of a GPU, as nvidia-ml-py has it: made by hand, after its signatures."""

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    class NVMLError(Exception):
        pass

    def __init__(self, uuid: str) -> None:
        super().__init__("pynvml")
        self.uuid, self.total = uuid, 1_000_000.0

    def nvmlInit(self) -> None: ...  # noqa: N802

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        if uuid != self.uuid:
            raise self.NVMLError("Not Found")
        return uuid

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: str) -> str:  # noqa: N802
        return "its GPU"

    def nvmlDeviceGetPciInfo(self, handle: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(busId={self.uuid: "00000000:81:00.0", "its GPU": b"00000000:C1:00.0"}[handle])

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> float:  # noqa: N802
        return self.total

    def nvmlDeviceGetClockInfo(self, handle: str, kind: int) -> int:  # noqa: N802
        return 1980

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:  # noqa: N802
        raise self.NVMLError("Not Supported")

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: str) -> int:  # noqa: N802
        return 0x4 | 0x40


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNvml]:
    """The library, and a GPU that CUDA counts as the third."""
    fake = FakeNvml("GPU-abc")
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(devices, "gpu", lambda position: {2: ("NVIDIA L4", "GPU-abc")}[position])
    for cached in (library, _known):
        cached.cache_clear()
    yield fake
    for cached in (library, _known):
        cached.cache_clear()


def test_a_gpu_is_found_by_its_uuid(nvml: FakeNvml) -> None:
    now = 0.0

    def run(count: int) -> list[float]:
        nonlocal now
        now += count / 1000
        nvml.total += 3.5 * count
        return []

    meter = Meter("pi", TargetConfig(device="cuda:2"), clock=lambda: now)
    assert meter.per_pass(run, 1.0).mj == pytest.approx(3.5)


def test_a_slice_of_a_gpu_has_no_energy_of_its_own(nvml: FakeNvml) -> None:
    nvml.uuid = "MIG-abc"
    with pytest.raises(UserError, match=r"^targets\.pi: energy_mj needs .* has none for cuda:2 .*slice of a GPU"):
        Meter("pi", TargetConfig(device="cuda:2"))


@pytest.mark.parametrize(("uuid", "place"), [("GPU-abc", "00000000:81:00.0"), ("MIG-abc", "00000000:C1:00.0")])
def test_where_a_gpu_is_on_the_bus(nvml: FakeNvml, uuid: str, place: str) -> None:
    nvml.uuid = uuid
    assert bus("GPU-abc") == place
    assert bus("GPU-another") == ""


def test_the_state_of_a_gpu_is_what_can_be_read_of_it(nvml: FakeNvml) -> None:
    assert state("GPU-abc") == {"gpu_mhz": "1980", "gpu_slowed_by": "power cap, heat (hardware)"}
    assert state("GPU-another") == {}


def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"no GPU 77 on .* that the driver knows$"):
        Meter("pi", TargetConfig(device="cuda:77"))


def test_the_library_of_a_gpu_is_not_installed(nvml: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(UserError, match=r"^targets\.pi: energy_mj of a GPU .*pip install .*\[gpu\]'.*$"):
        Meter("pi", TargetConfig(device="cuda:2"))
    assert state("GPU-abc") == {}


def test_a_device_whose_energy_nobody_reads() -> None:
    with pytest.raises(UserError, match=r"has none for npu"):
        Meter("pi", TargetConfig(backend="openvino", device="npu"))


def test_a_row_says_what_its_gpu_took_while_it_trained_over_all_its_tries(nvml: FakeNvml) -> None:
    draft = Draft([])
    for taken_mj in (3.6e6, 7.2e6):
        with suppress(KeyError), energy_told("GPU-abc", 0.5, draft):
            nvml.total += taken_mj
            raise KeyError
    assert draft.conditions == {"gpu_wh": "1.5"}
    for card in ("", "GPU-another"):
        unknown = Draft([])
        with energy_told(card, 1.0, unknown):
            nvml.total += 1e6
        assert not unknown.conditions
