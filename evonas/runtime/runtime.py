"""The contract of a runtime: submit jobs while it has room, wait for what they report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from evonas.records import Deferred, Endpoint, Evaluation, Job, RungReport, Status

Message = RungReport | Evaluation
Work = Callable[[Job], Iterator[Message | Deferred]]
"""Does one job: any number of `RungReport`, then one `Evaluation`, or a `Deferred` where something it needs is away."""
Factory = Callable[[], Work]
"""Makes the `Work` of one worker, there; what it holds (the data) is shared by the workers of a node."""


@dataclass(frozen=True, slots=True)
class Remotes:
    """Targets that are not measured on the worker.

    Args:
        endpoints: those at fixed addresses.
        resources: target -> custom resource of the cluster; a node that has it measures.
        serve: starts a measuring server in the calling process, on the node's own address, and says where it is.
    """

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    serve: Callable[[str], Endpoint] | None = None


NO_REMOTES = Remotes()


class Runtime(Protocol):
    """Where jobs run. It takes jobs while it has room, ends each of them once, and reports in order of arrival; a job
    whose worker is lost is begun again.
    """

    @property
    def workers(self) -> int:
        """Jobs that run at the same time, once all workers are there."""

    @property
    def late_results(self) -> int:
        """Results that came after their job had been given to another worker, and were dropped."""

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know of the workers; nothing where all is well."""

    @property
    def free_slots(self) -> int:
        """Jobs that it would take now: one in work and one waiting for each worker."""

    @property
    def busy(self) -> int:
        """Workers that have a job."""

    @property
    def pending(self) -> int:
        """Jobs submitted whose `Evaluation` has not been heard; also those that wait for a target that is away."""

    def submit(self, job: Job) -> None:
        """Take a job; only while there is room."""

    def wait(self, seconds: float) -> Sequence[Message]:
        """What jobs reported since, in order of arrival; waits up to `seconds` for the first. Nothing of a job
        follows its `Evaluation`; every job submitted gets one, whatever happens to its worker.

        Raises:
            Halted: no worker can start any more, or a target was away for too long (`runtime.unavailable_minutes`).
        """

    def publish(self, run: str, values: Mapping[str, float]) -> None:
        """Show what a search is at where the workers are watched, on the cluster's own dashboard, if there is one."""

    def drain(self) -> None:
        """Few jobs will follow, or none: workers without one may go."""

    def close(self) -> None:
        """End all workers; jobs in work are given up."""


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """How a worker process ended under its job, or had to be ended.

    Args:
        status: FAILED_TIMEOUT, FAILED_OOM, FAILED_CRASH or FAILED_ERROR.
        message: one line that a person can act on.
    """

    status: Status
    message: str


Report = Message | Deferred | WorkerExit
"""What comes back from a worker."""
