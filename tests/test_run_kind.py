"""A target is one kind of device for a whole run, and `precision: auto` one precision; a run that went on goes on."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import evonas
from evonas.config import Config, TargetConfig, TrainingConfig
from evonas.errors import UnlikeDevice, UserError
from evonas.evaluation.targets import Targets
from evonas.evaluation.training.precision import begun_with
from evonas.measuring import benchmark, float32
from evonas.measuring.backends import devices
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.identity import difference, identity, of_row
from evonas.objectives.objectives import Objectives
from evonas.records import Endpoint, Evaluation, InputSpec, Job, Measurement, RunKind, TaskSpec
from evonas.run_identity.as_begun import as_begun
from evonas.runtime.kind import Agreed, packed, unpacked
from evonas.spaces import SPACES
from tests.evaluation.small import evaluator

L4 = {
    "device": "NVIDIA L4", "dtype": "float32", "batch": "1", "graph": "true", "threads": "1",
    "float32": "matmul ieee, conv tf32, rnn tf32",
    "torch": "2.13.0", "cuda": "13.0", "driver": "580.82.07", "gpu_mhz": "2040", "quiet": "yes",
}  # fmt: skip
T4 = {**L4, "device": "Tesla T4"}
BF16, F32 = RunKind({}, "bfloat16"), RunKind({}, "float32")
SPEC = TaskSpec("task", InputSpec((3, 8, 8)), (10,))


def config(**target: Any) -> Config:
    return Config.model_validate(
        {
            "space": {"kind": "mlp"},
            "task": {"kind": "digits"},
            "objectives": [{"metric": "latency_ms", "target": "gpu"}],
            "targets": {"gpu": {"max_seconds": 0.01, **target}},
            "budget": {"evaluations": 1},
        }
    )


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"driver": "580.95.05"}, True),
        ({"gpu_mhz": "300", "quiet": "no"}, True),
        ({"driver": "550.54.15"}, False),
        ({"torch": "2.12.0"}, False),
        ({"cuda": "12.6"}, False),
        ({"graph": "false"}, False),
        ({"float32": "matmul tf32, conv tf32, rnn tf32"}, False),
        ({"device": "Tesla T4"}, False),
    ],
)
def test_what_makes_another_kind_of_gpu(change: Mapping[str, str], same: bool) -> None:
    assert (identity(L4) == identity({**L4, **change})) is same


def test_a_processor_is_its_model_so_that_a_laptop_with_a_new_torch_goes_on() -> None:
    here = {"device": "AMD Ryzen", "torch": "2.13.0+cpu", "threads": "1", "dtype": "float32"}
    assert identity(here) == identity({**here, "torch": "2.14.0"}) == {"device": "AMD Ryzen"}
    assert identity(here) != identity({**here, "device": "Intel Xeon"})
    assert identity(here) != identity({**here, "float32": "matmul bf16, conv ieee, rnn ieee"})


def test_the_line_says_what_differs_and_what_to_do() -> None:
    text = difference("gpu", identity(L4), identity({**T4, "driver": "550.1"}), "node-2")
    assert text.startswith("targets.gpu: node-2 measures on Tesla T4, driver 550, this run on NVIDIA L4, driver 580; ")
    assert "targets.gpu.resource" in text
    assert "targets.gpu.any_device=true" in text
    fast = "matmul tf32, conv tf32, rnn tf32"
    other = difference("gpu", identity(L4), identity({**L4, "float32": fast}), "node-2")
    assert other.startswith(f"targets.gpu: node-2 measures on float32 as {fast}, this run on float32 as matmul ieee, ")
    before = {key: value for key, value in identity(L4).items() if key != "float32"}
    assert not difference("gpu", before, identity(L4), "node-2")  # rows from before it was recorded
    assert difference("cpu", {"device": "A"}, {"device": "A", "float32": fast}, "b").count("float32 as") == 2


def test_the_first_worker_fixes_the_kind_and_others_are_refused() -> None:
    agreed = Agreed()
    one, other = (RunKind({"gpu": identity(each)}, "") for each in (L4, T4))
    assert agreed.take(one, "a", []) == agreed.take(one, "b", []) == ""
    assert "b measures on Tesla T4, this run on NVIDIA L4" in agreed.take(other, "b", [])


def test_one_run_trains_with_one_kind_of_products() -> None:
    agreed, other = Agreed(), {"cuda": "matmul tf32, conv tf32, rnn tf32"}
    assert agreed.take(RunKind(float32={"cuda": L4["float32"]}), "a", []) == ""
    assert agreed.take(RunKind(float32={"cpu": "ieee"}), "cpu", []) == ""
    assert agreed.take(RunKind(float32={"cuda": L4["float32"]}), "b", []) == ""
    line = agreed.take(RunKind(float32=other), "c", [])
    assert line.startswith(
        "training: c computes float32 on cuda as matmul tf32, conv tf32, rnn tf32, this run as matmul "
    )
    rows: list[Mapping[str, str]] = [{"cuda": "13.0"}, {"torch": "2"}, {"cuda": "13.0", "float32": other["cuda"]}]
    assert float32.of_run(rows) == {**other, "cpu": "ieee"}


def test_a_run_does_not_go_on_with_other_products() -> None:
    begun = RunKind(float32={"cpu": "matmul bf16, conv ieee, rnn ieee"})
    with pytest.raises(UserError, match=r"computes float32 on cpu as ieee, this run as matmul bf16.*on all workers$"):
        evaluator(begun=begun)


def test_auto_is_the_least_precision_of_the_cluster_and_stays() -> None:
    nodes = [{"GPU": 1.0, "accelerator_type:L4": 1.0}, {"GPU": 1.0, "accelerator_type:T4": 1.0}]
    for worker, there, expected in ((BF16, nodes[:1], "bfloat16"), (BF16, nodes, "float32"), (F32, [], "float32")):
        agreed = Agreed()
        assert agreed.take(worker, "a", there) == ""
        assert agreed.precision == expected
        assert agreed.take(BF16, "b", []) == ""
        assert agreed.precision == expected
        assert ("the GPU of late has no bfloat16" in agreed.take(F32, "late", [])) is (expected == "bfloat16")


def test_a_run_goes_on_in_the_precision_that_it_began_with() -> None:
    cpu, auto = torch.device("cpu"), TrainingConfig()
    assert begun_with(auto, BF16, cpu).precision == "bfloat16"
    assert begun_with(auto, RunKind(), cpu) is auto
    asked = TrainingConfig(precision="float32")
    assert begun_with(asked, BF16, cpu) is asked


def test_a_gpu_without_bfloat16_is_refused_by_a_run_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(UserError, match=r"has no bfloat16.*training\.precision=float32$"):
        begun_with(TrainingConfig(), BF16, torch.device("cuda"))


class Works:
    """A work with a kind."""

    kind = RunKind({"gpu": identity(L4)}, "bfloat16")

    def __call__(self, job: Job) -> Iterator[Evaluation]:
        yield from ()


def test_what_a_worker_says_of_its_kind_comes_over_as_it_is() -> None:
    assert unpacked(packed(Works())) == Works.kind
    assert unpacked(packed(lambda job: iter(()))) == unpacked(b"") == RunKind()


def targets(begun: RunKind, **target: Any) -> Targets:
    made = config(**target)
    own = SPACES["mlp"]()
    return Targets(own, made, Objectives(made, SPEC), {}, DeviceLock([], enabled=False), SPEC.input, None, begun)


@pytest.mark.parametrize(("any_device", "refused"), [(False, True), (True, False)])
def test_a_worker_on_another_device_than_the_run_is_refused_when_it_starts(any_device: bool, refused: bool) -> None:
    made = targets(RunKind({"gpu": {"device": "Another CPU"}}), includes="network", any_device=any_device)
    made._made["gpu"] = _Fake({"device": "This CPU"})
    if refused:
        with pytest.raises(UserError, match=rf"{platform.node()} measures on This CPU, this run on Another CPU; "):
            made.prepare()
    else:
        made.prepare()
    assert ("gpu" in made.kinds) is refused


class _Fake:
    def __init__(self, conditions: Mapping[str, str]) -> None:
        self.conditions = dict(conditions)

    def measure(self, *_: object) -> Measurement:
        return Measurement(1, 1, 1, 1, 1, 1, 0, (1.0,), True, conditions={**self.conditions, "host": "board"})


def test_a_server_whose_device_is_another_one_now_is_away() -> None:
    made = targets(RunKind(), includes="network", address="http://127.0.0.1:1", max_seconds=0.01)
    fake = made._made["gpu"] = _Fake(L4)
    space = SPACES["mlp"]()
    network = space.build(space.decode(first := (0,) * len(space.leaves)), SPEC)
    endpoints = {"gpu": Endpoint("http://127.0.0.1:1")}
    assert made.measure("gpu", network, first, endpoints).ms == 1
    fake.conditions = {**L4, "driver": "580.99"}
    assert made.against("gpu", network, network, 1.0, endpoints).ms == 1
    fake.conditions = dict(T4)
    with pytest.raises(UnlikeDevice, match=r"board measures on Tesla T4, this run on NVIDIA L4") as caught:
        made.against("gpu", network, network, 1.0, endpoints)
    assert caught.value.url == "http://127.0.0.1:1"
    another = targets(RunKind(), includes="network", address="http://127.0.0.1:1", max_seconds=0.01)
    another._made["gpu"] = fake
    with pytest.raises(UnlikeDevice):  # what other workers have measured counts, too
        another.measure("gpu", network, first, {"gpu": Endpoint("http://127.0.0.1:1", kind=identity(L4))})


def test_the_device_of_a_row_is_read_again() -> None:
    row = {"host": "a", "device": "cpu", **{f"{key}[gpu]": value for key, value in L4.items()}}
    assert of_row(row, "gpu") == identity(L4)
    assert of_row(row, "other") == {}


def test_a_run_is_not_gone_on_with_on_another_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(benchmark, "UNBEATEN_S", 0.05)
    search: dict[str, Any] = {
        "space": {"kind": "mlp"},
        "task": {"kind": "digits"},
        "objectives": [{"metric": "params"}, {"metric": "latency_ms", "target": "gpu"}],
        "targets": {"gpu": {"max_seconds": 0.05}},
        "learner": {"kind": "none"},
        "budget": {"evaluations": 2},
        "runtime": {"kind": "serial"},
    }
    evonas.search(search, run=tmp_path / "run", progress=False)
    search["budget"] = {"evaluations": 3}
    monkeypatch.setattr(devices, "cpu", lambda: "Another CPU")
    with pytest.raises(UserError, match=r"measures on Another CPU, this run on "):
        evonas.search(search, run=tmp_path / "run", progress=False)
    search["targets"]["gpu"]["any_device"] = True
    assert len(evonas.search(search, run=tmp_path / "run", progress=False).evaluations) == 3


def test_runs_from_before_the_keys_go_on_as_they_were() -> None:
    whole = config(device="cuda").model_dump(mode="json")
    old = {**whole, "targets": {"gpu": {"device": "cuda", "graph": False}}}
    then = as_begun(config(device="cuda"), old).targets["gpu"]
    assert (then.any_device, then.graph) == (True, False)
    new = {**whole, "targets": {"gpu": {"device": "cuda", "graph": True, "any_device": False}}}
    assert as_begun(config(device="cuda"), new).targets["gpu"] == config(device="cuda").targets["gpu"]
    assert as_begun(config(device="cuda", any_device=True), new).targets["gpu"].any_device


def test_graphs_are_for_torch_on_cuda_by_default() -> None:
    assert TargetConfig(device="cuda").graph is True
    assert TargetConfig(device="cuda", graph=False).graph is False
    assert TargetConfig(device="cuda", backend="onnxruntime").graph is False
    assert TargetConfig().graph is False
    assert TargetConfig.model_validate(TargetConfig(device="cuda:1").model_dump()).graph is True


def test_any_device_is_no_other_search() -> None:
    assert config(any_device=True).fingerprint == config().fingerprint
    assert replace(RunKind()) == RunKind()
