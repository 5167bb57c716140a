"""Every way in which a candidate fails on a GPU, through the chain of a worker: does it get into its drawer, and is the
next candidate unharmed?"""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from evonas.evaluation import Evaluator
from evonas.objectives.objectives import Objectives
from evonas.records import Candidate, Evaluation, Job, TaskSpec
from evonas.runtime.runtime import WorkerMessage
from evonas.runtime.sandbox.packing import pack
from evonas.runtime.sandbox.worker_process import WorkerProcess
from evonas.spaces.genes import Arch, Choice
from evonas.spaces.space import Space

from .machine import smi
from .session import Session
from .subject import config, examples, task

DRAWERS = {
    "good": {"ok"},
    "error": {"failed:error"},
    "memory": {"ok", "failed:oom"},  # at half the batch there is enough
    "assert": {"failed:crash"},
    "hang": {"failed:timeout"},
    "item": {"ok", "failed:error"},  # no graph can be captured of it
    "hoard": {"ok"},
}
"""What a network does in training -> the statuses that are right for it."""
ORDER = ("good", "error", "good", "memory", "good", "assert", "good", "hang", "good", "item", "good", "hoard", "good")
DRY = ("good", "error", "good", "memory", "good")
DEADLINE_S, HANG_S = 60.0, 12.0
DEED_S = 15.0
"""One that hangs takes the longest."""
HOST_BYTES = 8 * 10**9


class Deed(nn.Module):
    """A small network that does something to the GPU in training, or while it is measured."""

    def __init__(self, deed: str, batch: int) -> None:
        super().__init__()
        self.deed, self.batch = deed, batch
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self._do(x)
        elif self.deed == "item" and float(x.sum().item()) > 1e9:
            x = x + 1
        out: Tensor = self.head(self.layers(x))
        return out

    def _do(self, x: Tensor) -> None:
        if self.deed == "error":
            raise ValueError("this network does not want to be trained")
        if self.deed == "memory" and len(x) > self.batch // 2:
            torch.empty(2**50, dtype=torch.uint8, device=x.device)
        if self.deed == "assert":  # an index out of bounds: the kernel stops, and with it the CUDA context
            torch.zeros(4, device=x.device)[torch.tensor([10**6], device=x.device)].sum().item()
        if self.deed == "hang":
            torch.cuda._sleep(4 * 10**11)
            torch.cuda.synchronize()
        if self.deed == "hoard":
            torch.empty(int(0.5 * torch.cuda.mem_get_info()[0]), dtype=torch.uint8, device=x.device)


class Deeds(Space):
    """Networks by what they do."""

    deed = Choice(*DRAWERS)

    def __init__(self, batch: int) -> None:
        self._batch = batch

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        return Deed(arch.deed, self._batch)


def factory(dry: bool) -> Callable[[], Evaluator]:
    """What a worker process makes."""
    settings, data = config(dry), task(examples(dry))
    objectives, device = Objectives(settings, data.spec), "cpu" if dry else "cuda"
    return partial(Evaluator, Deeds(settings.training.batch_size), data, settings, objectives, device)


def failures(session: Session) -> None:
    """One candidate after the other, in the process of a worker; dry: in this one, and only what harms no process."""
    if session.dry:
        asks = f"{', '.join(ORDER)}, in the process of a worker"
        session.tell("failures", skipped="no GPU", asks=asks)
        _run(session, DRY, lambda job, seconds: list(factory(True)()(job))[-1])
        return
    begun = time.monotonic()
    worker = WorkerProcess(pack(factory(False), [sys.modules[__name__]]), HOST_BYTES)
    try:
        worker.ready(session.wait_s(120))
        session.tell("failures", what="a worker is ready", s=time.monotonic() - begun)
        _run(session, ORDER, lambda job, seconds: [item for item in worker.run(job, seconds, 5.0) if item][-1])
    finally:
        worker.close()


def _run(session: Session, deeds: tuple[str, ...], evaluate: Callable[[Job, float], Any]) -> None:
    before = ""
    for index, deed in enumerate(deeds):
        if session.lacks(DEED_S, "failures", what=deed):
            return
        begun = time.monotonic()
        gene = list(DRAWERS).index(deed)
        job = Job(Candidate(index, (gene,), (), "founder", 0, index))
        last: WorkerMessage = evaluate(job, session.wait_s(HANG_S if deed == "hang" else DEADLINE_S))
        status = str(getattr(last, "status", "postponed"))
        evaluation = last if isinstance(last, Evaluation) else None
        session.tell(
            "failures",
            deed=deed,
            behind=before,
            right=status in DRAWERS[deed],
            status=status,
            message=getattr(last, "message", "")[:160],
            s=time.monotonic() - begun,
            batch=evaluation.batch_size if evaluation else None,
            card_used_mb=None if session.dry else smi("memory.used"),
        )
        before = deed
