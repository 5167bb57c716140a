"""Who is on the front when a search ends is measured to the end then, by a device whose latencies are known."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import moocore
import pytest

import evonas
from evonas.errors import UserError
from evonas.measuring.benchmark import LatencyBenchmark
from evonas.records import Measurement
from evonas.runs.run import Run
from evonas.store import read_measured, read_tables, record_measured
from tests.evaluation.small import ConvNets, bars_task

SECONDS = 1.0
LIMIT = {"metric": "latency_ms", "target": "cpu", "at_most": 4.0}
CONFIG: dict[str, Any] = {
    "objectives": [{"metric": "params"}, {"metric": "latency_ms", "target": "cpu"}],
    "targets": {"cpu": {"max_seconds": SECONDS, "quiet": False, "max_remeasurements": 0}},
    "space": {"kind": "own"},
    "task": {"kind": "own"},
    "training": {"epochs": 1},
    "learner": {"kind": "none"},
    "strategy": {"population": 4},
    "budget": {"evaluations": 8},
    "runtime": {"kind": "serial"},
}


def latency(params: int) -> float:
    """The more parameters, the faster: all networks are trade-offs, which a moment does not show."""
    return 1 + 1000 / params


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """A moment finds 1 ms for every network, give or take half a millisecond; the end finds `latency`."""
    looks: list[tuple[int, float]] = []

    def measure(
        self: LatencyBenchmark, network: Any, inputs: Any, baseline: Any, seconds: float = SECONDS, *_: Any
    ) -> Measurement:
        params = sum(part.numel() for part in network.parameters())
        looks.append((params, seconds))
        whole = seconds == SECONDS
        ms, half = (latency(params), 0.001) if whole else (1.0, 0.5)
        return Measurement(
            ms, ms - half, ms + half, ms, ms, 1.0, 0.0, (ms,), whole, conditions={"look": f"{seconds:g}"}
        )

    monkeypatch.setattr(LatencyBenchmark, "measure", measure)
    return looks


def search(folder: Path, **changed: Any) -> Run:
    return evonas.search({**CONFIG, **changed}, space=ConvNets(), task=bars_task(), run=folder, progress=False)


def test_whoever_comes_onto_the_front_by_that_is_measured_too(tmp_path: Path, device: list[tuple[int, float]]) -> None:
    run = search(tmp_path / "run")
    rows = run.evaluations
    true = rows.assign(ms=[latency(params) for params in rows["params"]])
    on = moocore.is_nondominated(true[["params", "ms"]].to_numpy(), keep_weakly=True)
    front = run.front()
    assert len(front) > 1  # a moment says that only the smallest is on it
    assert set(front["candidate"]) == set(true["candidate"][on])
    assert front["latency_ms[cpu]"].tolist() == [latency(params) for params in front["params"]]
    assert front["settled[cpu]"].eq(1).all()
    assert {conditions["look[cpu]"] for conditions in front["conditions"]} == {f"{SECONDS:g}"}
    assert not evonas.analysis.screened(front, "cpu").any()
    assert {int(path.stem) for path in (tmp_path / "run" / "weights").iterdir()} >= set(front["candidate"])


def test_the_rows_on_disk_stay_as_they_were_decided_by(tmp_path: Path, device: list[tuple[int, float]]) -> None:
    run = search(tmp_path / "run")
    stored = read_tables(run.folder, run.description["metrics"], run.description["targets"])
    assert {ms for table in stored.evaluations for ms in table["latency_ms[cpu]"].to_pylist()} == {1.0}


def test_nothing_is_measured_twice(tmp_path: Path, device: list[tuple[int, float]]) -> None:
    search(tmp_path / "run")
    before = len(device)
    run = search(tmp_path / "run", budget={"evaluations": 8, "hours": 1})
    assert len(device) == before
    assert run.measured.empty


def test_another_measurement_of_the_front_stands_beside_it(tmp_path: Path, device: list[tuple[int, float]]) -> None:
    run = search(tmp_path / "run")
    one = int(run.front()["candidate"].iloc[0])
    row = {"candidate": one, "message": "", "metrics": {"latency_ms[cpu]": 77.0}, "conditions": {}}
    record_measured(run.folder, [row])
    again = Run(tmp_path / "run")
    assert again.measured["latency_ms[cpu]"].tolist() == [77.0]
    assert again.front().equals(run.front())


def test_one_that_is_over_a_limit_in_the_end_is_not_on_the_front(
    tmp_path: Path, device: list[tuple[int, float]]
) -> None:
    run = search(tmp_path / "run", limits=[LIMIT])
    rows, front = run.evaluations, run.front()
    over = [latency(params) > LIMIT["at_most"] for params in rows["params"]]
    assert any(over)
    assert not all(over)
    assert not set(front["candidate"]) & set(rows["candidate"][over])
    assert len(front)
    later = {row["candidate"]: row["metrics"]["violation"] for row in read_measured(run.folder)}
    assert any(later.values())
    assert set(front["candidate"]) == {candidate for candidate, violation in later.items() if not violation}


def test_what_fails_in_the_end_is_said_and_keeps_what_is_known(
    tmp_path: Path, device: list[tuple[int, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    known: Callable[..., Measurement] = LatencyBenchmark.measure

    def measure(*given: Any) -> Measurement:
        if given[4] == SECONDS:
            raise RuntimeError("no more")
        return known(*given)

    monkeypatch.setattr(LatencyBenchmark, "measure", measure)
    run = search(tmp_path / "run")
    assert run.front()["latency_ms[cpu]"].tolist() == [1.0]
    assert [message.partition(" (")[0] for message in run.measured["message"]] == ["RuntimeError: no more"]


def front_of(folder: Path) -> list[int]:
    return Run(folder).front()["candidate"].tolist()


def test_what_was_measured_before_an_interruption_is_kept(
    tmp_path: Path, device: list[tuple[int, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    known: Callable[..., Measurement] = LatencyBenchmark.measure
    whole: list[float] = []

    def measure(*given: Any) -> Measurement:
        if given[4] == SECONDS:
            whole.append(given[4])
            if len(whole) == 3:
                raise KeyboardInterrupt
        return known(*given)

    with monkeypatch.context() as change:
        change.setattr(LatencyBenchmark, "measure", measure)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "run")
    halted = Run(tmp_path / "run")
    assert len(read_measured(halted.folder)) == 2
    assert halted.unmeasured
    assert any("not measured to the end yet" in line for line in halted.remarks())
    before = len(device)
    run = search(tmp_path / "run")
    assert not run.unmeasured
    once = search(tmp_path / "once")
    assert front_of(tmp_path / "run") == once.front()["candidate"].tolist()
    assert before < len(device)
    assert len({row["candidate"] for row in read_measured(run.folder)}) == len(read_measured(run.folder))


@pytest.mark.parametrize("lost", [True, False])
def test_a_measurement_that_is_lost_is_made_again_and_a_damaged_one_told_first(
    tmp_path: Path, device: list[tuple[int, float]], lost: bool
) -> None:
    run = search(tmp_path / "run")
    front, file = front_of(tmp_path / "run"), max((tmp_path / "run" / "measured").iterdir())
    if lost:
        file.unlink()
        assert len(Run(tmp_path / "run").unmeasured) == 1
        search(tmp_path / "run")
        assert front_of(tmp_path / "run") == front
        return
    before = len(device)
    file.write_bytes(file.read_bytes().replace(b"latency_ms", b"latency_mS"))
    with pytest.raises(UserError, match="measured/"):
        search(tmp_path / "run", budget={"evaluations": 9})
    assert len(device) == before
    assert run.description


def test_a_search_that_its_time_ends_measures_its_front_too(tmp_path: Path, device: list[tuple[int, float]]) -> None:
    built: list[Any] = []

    class Slow(ConvNets):
        def build(self, arch: Any, task: Any) -> Any:
            built.append(arch)
            time.sleep(1.6 if len(built) == 3 else 0)
            return super().build(arch, task)

    given = {**CONFIG, "budget": {"hours": 1.5 / 3600}}
    run = evonas.search(given, space=Slow(), task=bars_task(), run=tmp_path / "run", progress=False)
    assert "used up" in run.state
    assert len(run.evaluations)
    assert not run.unmeasured
    assert {conditions["look[cpu]"] for conditions in run.front()["conditions"]} == {f"{SECONDS:g}"}


def test_another_search_takes_over_what_was_measured_in_the_end(
    tmp_path: Path, device: list[tuple[int, float]]
) -> None:
    run = search(tmp_path / "run")
    true = {tuple(genome): latency(params) for genome, params in run.front()[["genome", "params"]].to_numpy()}
    before = len(device)
    given = {**CONFIG, "limits": [LIMIT], "budget": {"evaluations": 1}}
    other = evonas.search(
        given, space=ConvNets(), task=bars_task(), run=tmp_path / "other", from_run=tmp_path / "run", progress=False
    )
    rows = other.evaluations[other.evaluations["operator"] == "from"]
    found = {tuple(genome): ms for genome, ms in rows[["genome", "latency_ms[cpu]"]].to_numpy()}
    assert {genome: found[genome] for genome in true} == true
    within = [ms <= LIMIT["at_most"] for ms in rows["latency_ms[cpu]"]]
    assert ((rows["status"] == "ok") == within).all()
    assert not {params for params, seconds in device[before:] if seconds == SECONDS} & set(run.front()["params"])
