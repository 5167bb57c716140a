"""What a latency is of: the network with the task's `prepare`, or alone, and both are said."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import evonas
from evonas.cli import main
from evonas.config import Config
from evonas.config.loading import load_config
from evonas.config.messages import validated
from evonas.errors import UserError
from evonas.evaluation.targets import Targets, prepared
from evonas.latency_tables.blocks import blocks
from evonas.measuring.backends.backend import BACKENDS
from evonas.measuring.device_lock import DeviceLock
from evonas.objectives.objectives import Objectives
from evonas.records import Inputs, InputSpec, Measurement
from evonas.run_identity.as_begun import as_begun
from evonas.spaces import SPACES
from evonas.tasks import TASKS, Split, Splits, classification
from evonas.tasks.shipped import Shipped, preparation
from tests.evaluation.small import ConvNets, bars_task, conv_net

CONFIG: dict[str, Any] = {
    "space": {"kind": "ConvNets"},
    "task": {"kind": "bars"},
    "objectives": [{"metric": "params"}, {"metric": "latency_ms", "target": "cpu"}],
    "targets": {"cpu": {"max_seconds": 0.2, "screen": 1, "quiet": False}},
    "training": {"epochs": 1},
    "budget": {"evaluations": 2},
    "strategy": {"population": 2},
    "learner": {"kind": "none"},
    "runtime": {"kind": "serial"},
}


class Slow(nn.Module):
    """A preparation that is known by what it computes: bytes to numbers, and much of nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return (x.float() - 7).exp().log()


def config(**target: Any) -> Config:
    return load_config({**CONFIG, "targets": {"cpu": {**CONFIG["targets"]["cpu"], **target}}})


def test_a_stored_input_is_what_lies_in_the_split() -> None:
    found = preparation(bars_task())
    assert found.inputs == InputSpec((1, 8, 8), "uint8", 256)
    tokens = Split(np.array([[0, 3], [1, 2]]), np.array([0, 1]))
    task = classification("tokens", Splits(tokens, tokens, tokens))
    assert preparation(task).inputs == InputSpec((2,), "int64", 4)
    same = replace(task, spec=replace(task.spec, input=InputSpec((2,), "int64", 90)))
    assert preparation(same).inputs == InputSpec((2,), "int64", 90)
    wide = Split(np.ones((4, 3), np.uint16), np.array([0, 1, 0, 1]))
    assert preparation(classification("wide", Splits(wide, wide, wide))).inputs == InputSpec((3,), "int32", 2)


@pytest.mark.parametrize(("includes", "prepares"), [("prepare", True), ("network", False)])
def test_what_is_measured(includes: str, prepares: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A latency, its baseline, the size of the file and the estimate of a table are of the same whole."""
    task = replace(bars_task(), prepare=Slow())
    own = config(includes=includes)
    objectives = Objectives(own, task.spec)
    preparation = prepared(own, objectives, task)
    measured: list[tuple[nn.Module, Inputs]] = []
    found = Measurement(1, 1, 1, 1, 1, 1, 0, (1.0,), True)

    class Device:
        def __init__(self) -> None:
            self.conditions: dict[str, str] = {}

        def measure(self, network: nn.Module, inputs: Inputs, *where: Any) -> Measurement:
            baseline = where[1]
            measured.extend([(network, inputs), *([(baseline[0], inputs)] if baseline else [])])
            return found

    space, network = ConvNets(), conv_net(2, task.spec)
    targets = Targets(space, own, objectives, {}, DeviceLock(["cpu"]), task.spec.input, preparation)
    monkeypatch.setattr(targets, "_target", lambda name: Device())
    assert targets.measure("cpu", network, (0,), {}).conditions["includes"] == includes
    targets.against("cpu", network, conv_net(4, task.spec), 1.0, {})
    assert len(measured) == 3
    for whole, inputs in measured:
        assert isinstance(whole, Shipped) is prepares
        assert inputs == (InputSpec((1, 8, 8), "uint8", 256) if prepares else task.spec.input)
        keys = " ".join(block.key for block in blocks(whole, inputs))
        assert ("Slow" in keys) is prepares


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_prepared_network_runs_in_the_precision_of_its_target(dtype: str) -> None:
    task = bars_task()
    found = preparation(task)
    backend = BACKENDS["torch"]("cpu", config(dtype=dtype).targets["cpu"])
    whole = Shipped(found.module, conv_net(2, task.spec))
    assert backend.load(whole, found.inputs).passes(1)
    x = torch.from_numpy(task.splits.train.x[:3])
    assert torch.equal(whole.eval()(x), whole.network(task.prepare(x)))


def test_a_preparation_that_cannot_become_a_file_is_refused_before_anything_starts(tmp_path: Path) -> None:
    class ByItsValues(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.float() / 255 if x.max() > 1 else x.float()

    task = replace(bars_task(), prepare=ByItsValues())
    board = {"cpu": {"address": "http://127.0.0.1:1"}}
    with pytest.raises(UserError, match=r"targets\.cpu: the task's `prepare` is included, and it cannot be converted"):
        evonas.search({**CONFIG, "targets": board}, space=ConvNets(), task=task, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_key_is_new_and_older_fingerprints_stay() -> None:
    """A config of `network` has the fingerprint that it had before there was the key."""
    network, prepare = config(includes="network"), config()
    assert "includes" not in network.trajectory()["targets"]["cpu"]
    assert prepare.trajectory()["targets"]["cpu"]["includes"] == "prepare"
    assert network.fingerprint != prepare.fingerprint
    older = {**prepare.model_dump(mode="json"), "targets": {"cpu": {"includes": "network"}}}
    assert as_begun(prepare, older).fingerprint == network.fingerprint
    assert as_begun(config(includes="prepare"), older).fingerprint == prepare.fingerprint


def test_it_is_said_in_the_row_and_beside_the_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So is how many latencies settled; and the front is measured again, into the run folder and not into its rows."""
    monkeypatch.setitem(SPACES, "ConvNets", ConvNets)
    monkeypatch.setitem(TASKS, "bars", bars_task)
    run = evonas.search(CONFIG, space=ConvNets(), task=bars_task(), run=tmp_path / "run")
    assert [row["includes[cpu]"] for row in run.evaluations["conditions"]] == ["prepare", "prepare"]
    assert run.remarks()[0] == "latency on cpu: of what is shipped, the network with the task's `prepare`"
    for row in ({"settled[cpu]": 0.0}, {"settled[cpu]": 1.0}):
        run.evaluations.loc[len(run.evaluations) - 1, list(row)] = list(row.values())
        unsettled = [line for line in run.remarks() if "did not settle" in line]
        assert len(unsettled) == (run.evaluations["settled[cpu]"] == 0).any()
    assert run.status()["unsettled"]["cpu"]["of"] == 2
    recorded = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert main(["measure", str(tmp_path / "run"), "--front"]) == 0
    assert main(["measure", str(tmp_path / "run"), "--front"]) == 0
    assert all(path.read_bytes() == data for path, data in recorded.items())
    assert {path.name for path in (tmp_path / "run" / "measured").iterdir()} == {"front-0001.json", "front-0002.json"}
    again = evonas.load(tmp_path / "run", ConvNets())
    assert set(again.measured["candidate"]) == set(again.front()["candidate"])
    assert any(line.startswith("measured again on cpu: ") for line in again.remarks())
    capsys.readouterr()
    assert main(["front", str(tmp_path / "run"), "--format", "csv"]) == 0
    head = capsys.readouterr().out.splitlines()[0].split(",")
    ends = ["latency_low_ms[cpu]", "latency_high_ms[cpu]"]
    interval = ["latency_ms[cpu]", *ends, "measured.latency_ms[cpu]", *(f"measured.{name}" for name in ends)]
    assert head == ["candidate", "params", *interval, "p_front", "indistinguishable", "macs", "generation", "arch"]
    assert main(["front", str(tmp_path / "run")]) == 0
    assert "latency on cpu: of what is shipped" in capsys.readouterr().out
    assert again.verify().difference == ""
    for wrong in (["measure", str(tmp_path / "run")], ["measure", str(tmp_path / "run"), "0", "--front"]):
        assert main(wrong) == 2
    assert "measure takes a CANDIDATE, or --front" in capsys.readouterr().err
    described = json.loads((tmp_path / "run" / "run.json").read_text())
    assert validated(Config, described["config"], "config").targets["cpu"].includes == "prepare"
