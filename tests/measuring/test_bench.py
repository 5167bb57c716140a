"""From passes to a measurement: the baseline of a device, the correction, what is asked for besides."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from evonas.config import TargetConfig
from evonas.errors import UserError
from evonas.measuring import baselines, benchmark
from evonas.measuring.backends.backend import BACKENDS, Array
from evonas.measuring.benchmark import Baseline, LatencyBenchmark, for_reference
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.machine_folder import machine_folder
from evonas.measuring.reference import reference
from evonas.records import Inputs, InputSpec, Measurement

QUICK = TargetConfig(max_seconds=0.2)
ONE = InputSpec((1,))


class Clockwork:
    """A backend on which a network takes as many milliseconds as its name says, times how slow the device is now."""

    slow = 1.0
    device = "clock"

    def __init__(self, name: str, config: TargetConfig) -> None:
        self.conditions: Mapping[str, str] = {"device": "clockwork", "batch": str(config.batch)}
        self.state: Mapping[str, str] = {"clock": f"{Clockwork.slow:g}"}

    def load(self, network: nn.Module | bytes, inputs: Inputs) -> "Hand":
        assert isinstance(network, bytes)
        return Hand(float(network))


class Hand:
    def __init__(self, ms: float) -> None:
        self.ms = ms

    def passes(self, count: int) -> Sequence[float]:
        return [self.ms * Clockwork.slow] * count

    def output(self) -> Array:
        return np.zeros((1, 1), np.float32)

    def memory_mb(self) -> float:
        if self.ms > 100:
            raise UserError("too big to tell")
        return self.ms / 2


@pytest.fixture(autouse=True)
def _clockwork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(BACKENDS, "torch", Clockwork)
    monkeypatch.setattr(benchmark, "UNBEATEN_S", 0.0)
    Clockwork.slow = 1.0


def make(wanted: tuple[str, ...] = (), config: TargetConfig = QUICK, shared: Path | None = None) -> LatencyBenchmark:
    return LatencyBenchmark("cpu", config, b"2.0", DeviceLock([]), wanted, shared)


def test_a_latency_is_the_ratio_times_what_the_reference_takes_in_peace() -> None:
    found = make().measure(b"3.0", ONE)
    assert (found.ms, found.low, found.high, found.p90, found.raw) == (3.0, 3.0, 3.0, 3.0, 3.0)
    assert (found.reference, found.drift, found.settled) == (2.0, 0.0, True)
    assert set(found.samples) == {3.0}
    assert found.conditions["quiet"] == "yes"
    assert found.conditions["clock"] == "1"
    assert (found.memory_mb, found.size_mb, found.energy_mj) == (None, None, None)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")
def test_threads_without_a_core_each_are_refused() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        with pytest.raises(
            UserError, match=r"^targets\.cpu\.threads: 2 are more than the 1 core that a process may use"
        ):
            make(config=QUICK.model_copy(update={"threads": 2}))
        make(config=QUICK)
    finally:
        os.sched_setaffinity(0, before)


def test_a_device_that_has_become_slower_does_not_make_a_network_slower() -> None:
    one = make()
    one.measure(b"3.0", ONE)
    Clockwork.slow = 1.5
    for again in (one, make()):  # another process would find the baseline too
        found = again.measure(b"3.0", ONE)
        assert (found.ms, found.raw, found.reference) == (3.0, 4.5, 3.0)
        assert found.drift == 0.5


def test_the_baseline_is_taken_once_a_device_and_kept_for_all() -> None:
    make().measure(b"3.0", ONE)
    (file,) = machine_folder().glob("reference-*.json")
    assert json.loads(file.read_text())["ms"] == 2.0
    make(config=TargetConfig(max_seconds=0.2, batch=32)).measure(b"3.0", ONE)
    assert len(list(machine_folder().glob("reference-*.json"))) == 1


def test_containers_of_a_machine_share_its_baseline_and_other_machines_take_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begun(name: str, boot: str, slow: float) -> Measurement:
        (tmp_path / name).mkdir()
        (tmp_path / "boot").write_text(boot)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / name))
        monkeypatch.setattr("platform.node", lambda: name)
        Clockwork.slow = slow
        return make(shared=shared).measure(b"3.0", ONE)

    monkeypatch.setattr(baselines, "BOOT", tmp_path / "boot")
    shared = tmp_path / "shared"
    assert begun("without its folder yet", "one", 1.2).drift == 0
    shared.mkdir()
    assert begun("first", "one", 1.0).drift == 0
    again = begun("second", "one", 1.5)
    assert (again.ms, again.drift) == (3.0, 0.5)
    assert begun("of another machine", "other", 1.5).drift == 0
    assert begun("far off", "one", 0.4).drift == 0
    assert begun("after it", "one", 0.4).drift == 0
    assert len(list(shared.glob("reference-*.json"))) == 2


def test_a_baseline_that_is_disturbed_at_first_is_taken_until_none_is_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "UNBEATEN_S", 0.2)
    until = time.monotonic() + 0.1

    def disturbed(count: int) -> Sequence[float]:
        time.sleep(0.0001)
        return [2.0 if time.monotonic() > until else 9.0] * count

    assert benchmark._lowest(disturbed) == 2.0


def test_a_damaged_baseline_is_taken_again() -> None:
    make().measure(b"3.0", ONE)
    (file,) = machine_folder().glob("reference-*.json")
    file.write_text("{")
    assert make().measure(b"3.0", ONE).ms == 3.0
    assert json.loads(file.read_text())["ms"] == 2.0


@pytest.mark.parametrize("ms", ["NaN", "-0.5", "0", "1e400", "200.0", "0.02", "1e9", "[" * 5000, "null"])
def test_a_baseline_that_cannot_be_right_is_taken_again(ms: str) -> None:
    make().measure(b"3.0", ONE)
    (file,) = machine_folder().glob("reference-*.json")
    file.write_text(file.read_text().replace('"ms": 2.0', f'"ms": {ms}'))
    assert make().measure(b"3.0", ONE).ms == 3.0
    assert json.loads(file.read_text())["ms"] == 2.0


def test_a_baseline_of_other_conditions_or_that_others_may_write_is_taken_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make().measure(b"3.0", ONE)
    (file,) = machine_folder().glob("reference-*.json")
    text = file.read_text().replace('"ms": 2.0', '"ms": 3.5')
    file.write_text(text.replace("clockwork", "another"))
    assert make().measure(b"3.0", ONE).ms == 3.0
    file.write_text(text)
    file.chmod(0o666)
    assert make().measure(b"3.0", ONE).ms == 3.0
    target = file.rename(file.with_name("elsewhere"))
    file.symlink_to(target)
    assert make().measure(b"3.0", ONE).ms == 3.0
    monkeypatch.setattr("platform.node", lambda: "another machine")
    make().measure(b"3.0", ONE)
    assert len(list(machine_folder().glob("reference-*.json"))) == 2


def test_a_folder_that_others_may_write_to_holds_no_baseline() -> None:
    machine_folder().chmod(0o777)
    with pytest.raises(UserError, match=r"others may write to \S+, where measurements meet; chmod 700 it"):
        machine_folder()


def test_against_a_baseline_its_known_time_is_the_measure() -> None:
    found = make().measure(b"3.0", ONE, Baseline(b"4.0", 5.0))
    assert found.ms == pytest.approx(3.75)
    assert found.reference == 4.0
    assert found.drift == pytest.approx(-0.2)


def test_memory_is_told_where_it_is_asked_for_and_faults_are_found_at_once() -> None:
    assert make(("memory_mb",)).measure(b"3.0", ONE).memory_mb == 1.5
    with pytest.raises(UserError, match="too big to tell"):
        LatencyBenchmark("cpu", QUICK, b"200", DeviceLock([]), ("memory_mb",))


def test_a_baseline_of_a_busy_device_is_kept_apart() -> None:
    Clockwork.slow = 2.0
    LatencyBenchmark("cpu", QUICK, b"2.0", DeviceLock([], enabled=False)).measure(b"3.0", ONE)
    Clockwork.slow = 1.0
    assert make().measure(b"3.0", ONE).ms == 3.0
    assert len(list(machine_folder().glob("reference-*.json"))) == 2


def test_without_the_lock_the_row_says_so() -> None:
    found = LatencyBenchmark("cpu", QUICK, b"2.0", DeviceLock([], enabled=False)).measure(b"3.0", ONE)
    assert found.conditions["quiet"] == "no"


@pytest.mark.parametrize("inside", [True, False])
def test_in_a_container_the_row_says_that_no_other_is_seen(monkeypatch: pytest.MonkeyPatch, inside: bool) -> None:
    monkeypatch.setattr(benchmark, "in_container", lambda: inside)
    assert ("quiet_within" in make().measure(b"3.0", ONE).conditions) is inside


@pytest.mark.parametrize("backend", ["torch", "torch.compile"])
def test_nobody_waits_for_a_network_that_is_compiled(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    lock, told = DeviceLock([]), list[str]()

    class Loader(Clockwork):
        def load(self, network: nn.Module | bytes, inputs: Inputs) -> Hand:
            told.append("load")
            return super().load(network, inputs)

    @contextmanager
    def unpaused() -> Iterator[None]:
        told.append("others go on")
        yield
        told.append("others wait")

    monkeypatch.setitem(BACKENDS, backend, Loader)
    monkeypatch.setattr(lock, "unpaused", unpaused)
    bench = LatencyBenchmark("cpu", TargetConfig.model_validate({"max_seconds": 0.2, "backend": backend}), b"2.0", lock)
    told.clear()
    bench.measure(b"3.0", ONE)
    assert told == (["others go on", "load", "others wait"] if backend == "torch.compile" else ["load"])


def test_the_reference_is_the_same_every_time() -> None:
    first, second = (network.state_dict() for network in (reference(), reference()))
    assert all(bool((first[name] == second[name]).all()) for name in first)


def test_the_same_network_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    real = LatencyBenchmark("cpu", TargetConfig(max_seconds=1.0), reference(), DeviceLock(["cpu"]))
    found = real.measure(reference(), benchmark.REFERENCE_INPUT)
    assert found.low <= found.ms <= found.high <= found.p90 * 1.5
    assert found.ms == pytest.approx(float(found.conditions["quiet_reference_ms"]), rel=0.5)  # on a busy machine, too
    assert found.conditions["nice"]


def test_the_reference_runs_with_one_example_on_a_processor_and_as_the_target_on_a_gpu() -> None:
    assert for_reference(TargetConfig(batch=32)) == TargetConfig(batch=1)
    assert for_reference(TargetConfig(device="cuda", batch=32)).batch == 32
