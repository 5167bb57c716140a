"""What stands in the way of a search on GPUs, by what nvidia-smi says of them.

The answers of nvidia-smi are made by hand, after what it prints; none is of a real machine.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from evonas.config import Config, RuntimeConfig
from evonas.doctor import Context, Finding
from evonas.doctor.gpus import disk, gpus
from evonas.runtime.ray_pool import probe
from evonas.runtime.ray_pool.demand import Demand
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.ray_pool.nvidia_smi import ARGUMENTS, FIELDS, parsed
from evonas.runtime.ray_pool.probe import Seen

L4 = "NVIDIA L4, 23034, 22560, GPU-1111, 580.82.07, Default, [N/A], Enabled, 0"
T4 = "Tesla T4, 15360, 14900, GPU-2222, 580.82.07, Default, [N/A], Enabled, 0"
H100 = "NVIDIA H100 80GB HBM3, 81559, 81000, GPU-3333, 580.82.07, Default, Disabled, Enabled, 0"


def found(
    *answers: str,
    offered: float | None = None,
    runtime: dict[str, Any] | None = None,
    target: dict[str, Any] | None = None,
    **seen: Any,
) -> list[Finding]:
    """What is found of a cluster with a node for each answer, on which Ray offers as many GPUs as there are, or so
    many."""
    counts = [float(len(parsed(answer))) if offered is None else offered for answer in answers]
    nodes = [ClusterNode(str(i), f"host-{i}", {"GPU": count}) for i, count in enumerate(counts)]
    facts = {"torch_cuda": "13.0", "versions": {}, **seen}
    each = [Seen(node, gpus=parsed(answer), **facts) for node, answer in zip(nodes, answers, strict=True)]
    config = Config.model_validate(
        {
            "space": {"kind": "mlp"},
            "task": {"kind": "digits"},
            "objectives": [{"metric": "error"}],
            "targets": {"gpu": target} if target else {},
            "budget": {"evaluations": 1},
            "runtime": {"gpus_per_worker": 1, **(runtime or {})},
        }
    )
    context = Context(config, config.runtime, joined=True, nodes=nodes, seen=each)
    return list(gpus(context))


def test_a_good_node_has_one_tick() -> None:
    assert found(f"{L4}\n{L4}\n") == [Finding("GPUs", "ok", "2 x NVIDIA L4 22 GiB")]
    assert found(H100, target={"device": "cuda"}) == [Finding("GPUs", "ok", "1 x NVIDIA H100 80GB HBM3 80 GiB")]


@pytest.mark.parametrize(
    ("answer", "state", "says"),
    [
        (H100.replace("Disabled, Enabled", "Enabled, Enabled"), "error", "is cut into slices (MIG)"),
        (H100.replace(", Enabled, 0", ", Disabled, 0"), "note", "persistence mode is off"),
        (H100.replace(", 0", ", 3"), "error", "3 memory errors of NVIDIA H100 80GB HBM3 (GPU-3333)"),
        (H100.replace("81000", "20000"), "note", "20 of 80 GiB of NVIDIA H100 80GB HBM3 (GPU-3333) are free"),
        (H100.replace("Default", "Prohibited"), "error", "compute mode Prohibited; nothing runs on it"),
        (H100.replace("580.82.07", "550.54.15"), "error", "built for CUDA 13.0, which needs driver 580; it has 550.54"),
    ],
)
def test_what_a_search_would_stumble_over(answer: str, state: str, says: str) -> None:
    tick, finding = found(answer)
    assert (tick.state, finding.state) == ("ok", state)
    assert says in finding.text
    assert bool(finding.remedy) is (state == "error")


def test_a_mode_for_one_process_is_a_cross_where_workers_share() -> None:
    exclusive = H100.replace("Default", "Exclusive_Process")
    assert len(found(exclusive)) == 1
    _, mode = found(exclusive, runtime={"gpus_per_worker": 0.25}, has_mps=True)
    assert (mode.state, "workers cannot share it" in mode.text) == ("error", True)
    _, mps = found(H100, runtime={"gpus_per_worker": "auto"})
    assert (mps.state, "no MPS" in mps.text) == ("note", True)


def test_several_models_are_a_cross_for_a_target_on_the_workers() -> None:
    _, cross, auto = found(L4, T4, target={"device": "cuda"})
    assert cross.state == "error"
    assert "whose GPUs are NVIDIA L4, Tesla T4" in cross.text
    assert "targets.gpu.resource" in cross.remedy
    assert auto.text == "training.precision: auto is float32 for all, as Tesla T4 has no bfloat16"
    for other in ({"device": "cuda", "any_device": True}, {"device": "cuda", "resource": "latency_l4"}, None):
        assert "error" not in {finding.state for finding in found(L4, T4, target=other)}


def test_a_torch_for_cpus_is_named_where_gpus_are() -> None:
    _, cross = found(L4, torch_cuda="")
    assert (cross.state, cross.text) == ("error", "host-0 has a GPU, and a torch that is built for the CPU")
    _, note = found(L4, torch_cuda="", runtime={"gpus_per_worker": 0})
    assert note.state == "note"


def test_without_gpus_one_line_says_what_a_search_on_them_would_need() -> None:
    (line,) = found("", runtime={"gpus_per_worker": 0}, torch_cuda="")
    assert line.state == "ok"
    assert "driver 580 or newer, a torch that is built for CUDA" in line.text
    assert line.text.endswith("and runtime.gpus_per_worker=1")


def test_a_search_on_gpus_without_any_is_told_what_it_needs() -> None:
    (cross,) = found("", torch_cuda="", versions={"torch": "2.13.0+cpu"}, target={"device": "cuda"})
    needs = "a node with one, NVIDIA's driver 580 or newer and a torch that is built for CUDA, which none here is"
    assert cross.state == "error"
    assert cross.text.endswith(f"(nvidia-smi: none); a search on GPUs needs {needs} (2.13.0+cpu)")
    assert cross.remedy.endswith("--set runtime.gpus_per_worker=0 --set targets.gpu.device=cpu")
    cross, unused = found(f"{L4}\n{L4}", offered=0)
    assert "a search on GPUs needs" not in cross.text
    assert unused.text.endswith("the others stay unused (ray start --num-gpus=2)")


def test_gpus_that_ray_offers_and_a_node_has_not_are_a_cross_where_they_are_wanted() -> None:
    (cross,) = found("", offered=2)
    assert (cross.state, cross.text) == (
        "error",
        "host-0: Ray offers 2, nvidia-smi lists none; a worker that gets one fails",
    )
    assert cross.remedy.endswith("install NVIDIA's driver 580 or newer")
    assert [one.state for one in found("", offered=2, runtime={"gpus_per_worker": 0})] == ["note"]
    for unseen in ({"devices": 2}, {"versions": {"torch": "2.13.0+rocm6.4"}}, {"why": "no answer"}):
        assert "error" not in {one.state for one in found("", offered=2, **unseen)}
    (more,) = found(L4, offered=2)
    assert (more.state, more.remedy) == ("error", "ray start there with --num-gpus=1")


def test_a_share_that_does_not_divide_a_gpu_is_said_as_the_search_says_it() -> None:
    _, note = found(L4, runtime={"gpus_per_worker": 0.3}, has_mps=True)
    assert note.text == Demand(RuntimeConfig(gpus_per_worker=0.3)).remark != ""
    assert len(found(L4, runtime={"gpus_per_worker": 0.25}, has_mps=True)) == 1


def test_an_answer_that_is_no_list_of_gpus() -> None:
    assert parsed("No devices were found\n") == parsed("") == ()
    assert parsed("Tesla K80, 11441")[0].free_mib is None
    warned = parsed(f"WARNING: infoROM is corrupted at gpu 0000:00:1E.0\n{L4.replace('22560', '[Unknown Error]')}")
    assert [(gpu.name, gpu.free_mib, gpu.mig) for gpu in warned] == [("NVIDIA L4", None, "")]


def asked(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the probe on a node hears of this nvidia-smi."""
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(probe.ray, "remote", lambda **_: lambda kind: kind)
    answer: str = probe._probe_class()().gpus(ARGUMENTS, 30)
    return answer


def test_an_nvidia_smi_that_does_not_know_a_field_is_asked_for_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = f"""case "$1" in *{FIELDS[-1]}*) echo 'Field "x" is not a valid field to query.'; exit 2;; esac"""
    assert parsed(asked(tmp_path, f"{old}\necho 'Tesla K80, 11441'", monkeypatch))[0].text == "Tesla K80 11 GiB"
    assert asked(tmp_path, "exit 9", monkeypatch) == ""


def test_a_node_whose_gpus_do_not_answer_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hanging(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", hanging)
    assert asked(tmp_path, "", monkeypatch) == ""


def test_the_cuda_of_a_torch_is_read_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.ray, "remote", lambda **_: lambda kind: kind)
    made = probe._probe_class()()
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise AssertionError")
    spec = type("Spec", (), {"origin": str(tmp_path / "torch" / "__init__.py")})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    for line, cuda in (("cuda: Optional[str] = '13.0'", "13.0"), ("cuda: Optional[str] = None", "")):
        (tmp_path / "torch" / "version.py").write_text(f"__version__ = '2.13.0'\n{line}\nhip = '6.0'\n")
        assert made.torch_cuda() == cuda
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert made.torch_cuda() is None


@pytest.mark.parametrize(("free_gb", "state"), [(200.0, "ok"), (3.0, "note")])
def test_room_for_temporary_files(free_gb: float, state: str) -> None:
    node = ClusterNode("a", "a", {})
    (one,) = disk(Context(None, RuntimeConfig(), joined=True, nodes=[node], seen=[Seen(node, {}, disk_gb=free_gb)]))
    assert one.state == state
