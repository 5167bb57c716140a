"""A worker's processes on a device, and networks that do something to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from evonas.evaluation import Evaluator
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Evaluation, Job, TaskSpec
from evonas.runtime.runtime import WorkerExit
from evonas.runtime.sandbox.packing import pack
from evonas.runtime.sandbox.worker_process import WorkerProcess
from evonas.spaces.genes import Arch, Choice
from evonas.spaces.space import Space
from tests.evaluation.small import bars_task, config

START_S, DEADLINE_S = 600.0, 600.0
BATCH = 32


class Deed(nn.Module):
    """A network that does something to its device in training."""

    def __init__(self, deed: str, task: TaskSpec) -> None:
        super().__init__()
        self.deed = deed
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, task.outputs))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.deed == "memory" and len(x) > BATCH // 2:
            torch.empty(2**50, dtype=torch.uint8, device=x.device)
        if self.training and self.deed == "assert":  # an index out of bounds ends the CUDA context of its process
            torch.zeros(4, device=x.device)[torch.tensor([10**6], device=x.device)].sum().item()
        out: Tensor = self.layers(x)
        return out


class Deeds(Space):
    deed = Choice("good", "memory", "assert")

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        return Deed(arch.deed, task)


def job(deed: str, **changes: Any) -> Job:
    return Job(Candidate(0, (Deeds.deed.values.index(deed),), (), "random", 0, 7), **changes)


@contextmanager
def worker(device: str, **training: Any) -> Iterator[WorkerProcess]:
    """A worker that is ready."""
    task, settings = bars_task(), config({"batch_size": BATCH, **training}, runtime={"gpus_per_worker": "auto"})
    factory = partial(Evaluator, Deeds(), task, settings, Objectives(settings, task.spec), device)
    process = WorkerProcess(pack(factory))
    try:
        process.ready(START_S)
        yield process
    finally:
        process.close()


def done(process: WorkerProcess, job: Job) -> Evaluation | WorkerExit:
    """What becomes of a job."""
    *_, last = (item for item in process.run(job, DEADLINE_S, 60.0) if item)
    assert isinstance(last, Evaluation | WorkerExit)
    return last
