"""The contract of a runtime: jobs are submitted while it has free slots, and it tells what they report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from evonas.records import Deferred, Endpoint, Evaluation, Job, RungReport, Status
from evonas.runtime.cost_clock import Spending

Message = RungReport | Evaluation
"""What a runtime passes on from a job."""
Work = Callable[[Job], Iterator[Message | Deferred]]
"""Does one job: any number of `RungReport`, then one `Evaluation`, or a `Deferred` where something it needs is away."""
Factory = Callable[[], Work]
"""Makes the `Work` of one worker, there; what it holds (the data) is shared by the workers of a node."""


@dataclass(frozen=True, slots=True)
class Remotes:
    """Targets that are not measured on the worker.

    Attributes:
        endpoints: Target -> its measuring server, of those at fixed addresses.
        resources: Target -> custom resource of the cluster; a node that has it measures.
        threads: Target -> the cores that a pass of it takes on its node, of those with a resource.
        serve: Starts a measuring server in the calling process, at the node's own address, and returns its endpoint.
    """

    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    serve: Callable[[str], Endpoint] | None = None
    threads: Mapping[str, int] = field(default_factory=dict)


NO_REMOTES = Remotes()
OnWait = Callable[[Spending], None]
"""Is told what was spent, once a second while a runtime waits for its first worker; it ends the wait by raising."""


def at_any_cost(spent: Spending) -> None:
    """Lets a runtime wait whatever it costs."""


class Runtime(Protocol):
    """Runs jobs somewhere, and knows nothing of what they mean. Every job submitted ends with one `Evaluation`."""

    @property
    def workers(self) -> int:
        """How many jobs run at the same time, once all workers are there."""

    @property
    def late_results(self) -> int:
        """How many results came after their job had been given to another worker, and were dropped."""

    @property
    def gpu_s(self) -> float:
        """GPU seconds for which its workers have held GPUs, whatever they did with them."""

    @property
    def spent(self) -> Spending:
        """What its nodes have cost so far, whatever they did."""

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know of the workers, a line each; empty where all is well."""

    @property
    def free_slots(self) -> int:
        """How many jobs it would take now: one in work and one waiting for each worker."""

    @property
    def busy(self) -> int:
        """How many workers have a job."""

    @property
    def pending(self) -> int:
        """How many jobs have no `Evaluation` yet, those that wait for an unavailable target included."""

    def submit(self, job: Job) -> None:
        """Takes a job, and returns at once.

        Args:
            job: The job. To be submitted only while there are free slots.
        """

    def wait(self, seconds: float) -> Sequence[Message]:
        """Waits for the first report, and returns all that jobs have reported since the last call.

        Nothing of a job follows its `Evaluation`. Every job submitted gets one, whatever happens to its worker.

        Args:
            seconds: How long to wait at most.

        Returns:
            The reports in order of arrival; empty where there were none in time.

        Raises:
            Halted: No worker can start any more, or a target was unavailable for too long
                (`runtime.unavailable_minutes`).
        """

    def publish(self, run: str, values: Mapping[str, float]) -> None:
        """Shows the state of a search where the workers are watched, on the cluster's dashboard, if there is one.

        Args:
            run: The id of the search.
            values: Name -> number.
        """

    def drain(self) -> None:
        """Says that few jobs will follow, or none: workers without one may go."""

    def close(self) -> None:
        """Ends all workers; jobs in work are given up."""


@dataclass(frozen=True, slots=True)
class WorkerExit:
    """How a worker process ended under its job, or had to be ended.

    Attributes:
        status: FAILED_TIMEOUT, FAILED_OOM, FAILED_CRASH or FAILED_ERROR.
        message: One line that a person can act on.
        log: What the candidate had printed, and where in the code the process was.
    """

    status: Status
    message: str
    log: str = ""


WorkerMessage = Message | Deferred | WorkerExit
"""What comes back from a worker."""
