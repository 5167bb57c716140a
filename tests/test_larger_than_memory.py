"""Data that do not fit into the memory that a worker may take: they are streamed, in real workers."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

import evonas
from evonas.evaluation import Evaluator
from evonas.objectives.objectives import Objectives
from evonas.records import InputSpec, Status, TaskSpec
from evonas.runtime.runtime import WorkerExit
from evonas.runtime.sandbox.packing import pack
from evonas.runtime.sandbox.worker_process import WorkerProcess
from evonas.spaces.genes import Arch, Choice
from evonas.spaces.space import Space
from evonas.tasks import Split, Splits, Task
from evonas.tasks.arrays.npy import NpyFile
from tests.evaluation.small import config, job

SIDE = 512
EXAMPLES = 4000
MEMORY_MB = 600
"""Without data a worker takes about 270 MB."""


class Networks(Space):
    width = Choice(2, 3)

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, arch.width), nn.Linear(arch.width, task.outputs))


class Sampled(nn.Module):
    """A small part of each picture, so that reading them is all that takes time."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: SIDE // 8, :: SIDE // 8].float() / 255


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1 GB of pictures, the upper part of class 1 bright. What is black lies nowhere on the disk."""
    path = tmp_path_factory.mktemp("large") / "x.npy"
    x = np.lib.format.open_memmap(path, "w+", np.uint8, (EXAMPLES, 1, SIDE, SIDE))
    x[1::2, 0, :8] = 255
    del x
    assert path.stat().st_size > 1.5 * MEMORY_MB * 1e6
    return path


def task(file: NpyFile, valid: int) -> Task:
    split = Split(file, np.arange(EXAMPLES) % 2)
    train, few = np.arange(EXAMPLES - valid), np.arange(EXAMPLES - valid, EXAMPLES)
    return Task(TaskSpec("large", InputSpec((1, 8, 8)), (2,)), Splits(split[train], split[few], split[few]), Sampled())


@pytest.mark.usefixtures("local_ray")
def test_a_search_on_ray_trains_on_more_than_a_worker_may_take(file: Path, tmp_path: Path) -> None:
    run = evonas.search(
        {
            "space": {"kind": "mine"},
            "task": {"kind": "mine"},
            "objectives": [{"metric": "error"}, {"metric": "params"}],
            "strategy": {"kind": "random"},
            "training": {"epochs": 1, "batch_size": 32},
            "budget": {"evaluations": 1},
            "runtime": {"kind": "ray", "workers": 1, "cpus_per_worker": 0.5, "memory_mb_per_worker": MEMORY_MB},
        },
        space=Networks(),
        task=task(NpyFile(file), valid=400),
        run=tmp_path / "run",
    )
    assert run.evaluations["message"].tolist() == [""]
    assert run.evaluations["status"].tolist() == ["ok"]
    assert run.evaluations["error"].tolist() == [0]


class Held(NpyFile):
    """What streaming is there for: the worker takes the whole file into its memory."""

    held: Any = None

    def rows(self, indices: Any) -> Any:
        if self.held is None:
            self.held = np.load(self.path)
        return self.held[indices]


@pytest.mark.slow
def test_held_in_memory_the_same_data_are_more_than_the_worker_may_take(file: Path) -> None:
    large, settings = task(Held(file), valid=400), config({"epochs": 1})
    factory = partial(Evaluator, Networks(), large, settings, Objectives(settings, large.spec))
    sandbox = WorkerProcess(pack(factory), MEMORY_MB * 10**6)
    try:
        sandbox.ready(60)
        *_, last = sandbox.run(job(0), 60.0, 5.0)
    finally:
        sandbox.close()
    assert isinstance(last, WorkerExit)
    assert last.status is Status.FAILED_OOM
    assert "of host memory, its worker's share is 600 MB" in last.message
