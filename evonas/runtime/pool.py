"""The contract of a runtime: submit jobs while it has room, wait for what they report."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from evonas.records import Evaluation, Job, Place, Progress, Status

Message = Progress | Evaluation
Work = Callable[[Job], Iterator[Message]]
"""Does one job: any number of `Progress`, then one `Evaluation`."""
Factory = Callable[[], Work]
"""Makes the `Work` of one worker, there; what it holds (the data) is shared by the workers of a node."""


@dataclass(frozen=True, slots=True)
class Remotes:
    """Targets that are not measured on the worker.

    places: those at fixed addresses. resources: target -> custom resource of the cluster; a node that has it measures.
    serve: starts a measuring server in the calling process, on the node's own address, and says where it is.
    """

    places: Mapping[str, Place] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    serve: Callable[[str], Place] | None = None


class Runtime(Protocol):
    @property
    def workers(self) -> int:
        """Jobs that run at the same time, once all workers are there."""

    @property
    def late(self) -> int:
        """Results that came after their job had been given to another worker, and were dropped."""

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know of the workers; nothing where all is well."""

    @property
    def room(self) -> int:
        """Jobs that it would take now: one in work and one waiting for each worker."""

    @property
    def busy(self) -> int:
        """Workers that have a job."""

    @property
    def open(self) -> int:
        """Jobs submitted whose `Evaluation` has not been heard."""

    def submit(self, job: Job) -> None:
        """Take a job; only while there is room."""

    def wait(self, seconds: float) -> Sequence[Message]:
        """What jobs reported since, in order of arrival; waits up to `seconds` for the first. Nothing of a job
        follows its `Evaluation`; every job submitted gets one, whatever happens to its worker."""

    def close(self) -> None:
        """End all workers; jobs in work are given up."""


@dataclass(frozen=True, slots=True)
class Death:
    """How a worker process ended under its job, or had to be ended.

    status: FAILED_TIMEOUT, FAILED_OOM, FAILED_CRASH or FAILED_ERROR. message: one line that a person can act on.
    """

    status: Status
    message: str


@dataclass(slots=True, eq=False)
class Attempt:
    """A job as the pool follows it: what it reported, how often it was started, when it was handed in.

    tries: times it was begun. crashes: nodes on which it crashed, which may be its own fault. losses: nodes that took
    it along when they or their workers vanished, which is not. spent_s: time that its ended tries took. patient_until:
    how long it waits for another node, on the clock of `time.monotonic`.
    """

    job: Job
    tries: int = 1
    crashes: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    spent_s: float = 0.0
    patient_until: float = 0.0
    submitted: float = field(default_factory=time.monotonic)

    def hear(self, message: Message) -> Message:
        """Remember a progress, so that another try goes on from there; complete a final word."""
        if isinstance(message, Progress):
            self.job = replace(self.job, reached=(*self.job.reached, message))
            return message
        waited = time.monotonic() - self.submitted - message.measure_s - message.train_s
        return replace(message, attempts=self.tries, queued_s=max(0.0, waited))

    def died(self, death: Death) -> Evaluation:
        times = f" (crashed {len(self.crashes)} times)" if len(self.crashes) > 1 else ""
        return self._failed(death.status, death.message + times)

    def broke(self, why: str) -> Evaluation:
        return self._failed(Status.FAILED_ERROR, why)

    def _failed(self, status: Status, message: str) -> Evaluation:
        metrics = self.job.reached[-1].metrics if self.job.reached else {}
        return Evaluation(
            self.job.candidate,
            status,
            metrics,
            rungs=self.job.reached,
            message=message,
            attempts=self.tries,
            train_s=self.spent_s,
            finished_at=time.time(),
        )
