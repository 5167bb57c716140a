"""Real networks, really trained: error and params are the same for any runtime, number of workers and interruption."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import evonas
from evonas.measuring.torch_state import cpu_threads
from evonas.start import execute, prepare
from tests.test_loop import Stop, content, stopping_after

CONFIG: dict[str, Any] = {
    "seed": 1,
    "space": {"kind": "cell", "stages": 1, "channels": [6, 8], "cells": 1},
    "task": {"kind": "digits"},
    "objectives": [{"metric": "error"}, {"metric": "params"}],
    "strategy": {"population": 4},
    "training": {"epochs": 4, "rungs": [1], "batch_size": 16, "augment": {"crop": 1}},
    "budget": {"evaluations": 8},
}


def run(folder: Path, runtime: dict[str, Any], watch: Any = None) -> evonas.Run:
    config = {**CONFIG, "runtime": {"cpus_per_worker": 0.5, **runtime}}
    execute(prepare(config, run=folder), watch=watch or (lambda loop, evaluation: None))
    return evonas.load(folder)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> evonas.Run:
    """With two threads of torch, where workers of Ray have one."""
    with cpu_threads(2):
        return run(tmp_path_factory.mktemp("serial") / "run", {"kind": "serial"})


def test_the_reference_learned_something(reference: evonas.Run) -> None:
    assert reference.front()["error"].min() < 0.3
    assert {"ok", "stopped"} == set(reference.evaluations["status"])
    assert reference.verify().difference == ""


@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("workers", [pytest.param(workers, marks=pytest.mark.slow) for workers in (1, 2, 4)])
def test_any_number_of_ray_workers(workers: int, reference: evonas.Run, tmp_path: Path) -> None:
    assert content(run(tmp_path / "run", {"workers": workers})) == content(reference)


@pytest.mark.usefixtures("local_ray")
def test_interrupted_on_ray_and_resumed_in_this_process(reference: evonas.Run, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        run(tmp_path / "run", {"workers": 2}, stopping_after(5))
    assert content(run(tmp_path / "run", {"kind": "serial"})) == content(reference)


def test_a_network_of_the_front_comes_back_as_it_was_trained(reference: evonas.Run) -> None:
    task = reference.task()
    best = reference.front().iloc[0]
    network = reference.build(best["candidate"])
    with torch.inference_mode():
        output = network(task.prepare(torch.from_numpy(task.splits.valid.x)))
    error = (output.argmax(1) != torch.from_numpy(task.splits.valid.y)).float().mean().item()
    assert error == pytest.approx(best["error"], abs=1e-6)
    assert sum(p.numel() for p in network.parameters()) == best["params"]


def test_data_that_have_changed_since_a_run_are_named(reference: evonas.Run) -> None:
    changed = evonas.load(reference.folder)
    changed.description["task"] = {**changed.description["task"], "output_shape": [11]}
    with pytest.raises(
        evonas.UserError,
        match=r"the data of .* have changed: .*output_shape=\(10,\).* now, .*output_shape=\(11,\).* then",
    ):
        changed.task()


def test_damaged_weights_are_named(reference: evonas.Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(reference.folder, tmp_path / "copy"))
    best = reference.front()["candidate"].iloc[0]
    path = folder / "weights" / f"{best:06d}.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(evonas.UserError, match=r"\.safetensors is damaged"):
        evonas.load(folder).build(best)


def test_weights_are_kept_for_the_front_alone(reference: evonas.Run) -> None:
    kept = {int(path.stem) for path in Path(reference.folder, "weights").iterdir()}
    assert kept == set(reference.front()["candidate"])
    beaten = next(i for i in reference.evaluations["candidate"] if i not in kept)
    with pytest.raises(evonas.UserError, match=rf"weights of candidate {beaten} .* are not kept"):
        reference.build(beaten)
