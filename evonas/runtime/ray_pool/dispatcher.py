"""The dispatcher: which worker does which job, and what is heard of it.

What follows when a try of a job ends is decided in `retries.py`; which workers there are, in `fleet.py`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from evonas.records import Deferred, Endpoint, Evaluation, Status
from evonas.runtime.ray_pool.cluster import last_line
from evonas.runtime.ray_pool.fleet import Fleet
from evonas.runtime.ray_pool.worker import WorkerHandle
from evonas.runtime.retries import Attempt, Retries
from evonas.runtime.runtime import Message, WorkerExit, WorkerMessage
from evonas.runtime.sandbox.worker_process import WorkerProcessLost, unpacked

STEAL_S = 1.0
"""A job that waits is handed on once the one before it has been in work for so long."""


class Dispatcher:
    """Hands jobs to the workers of a fleet and receives what they report.

    Args:
        fleet: The workers.
        retries: The jobs that have not ended.
        endpoints: Returns where targets are measured now; each job is told when it begins.
        lease_s: The longest silence of a worker that has a job.
        unlike: Hears the URL of a measuring server that has another kind of device than the run, and why.

    Attributes:
        late_results: How many results came from workers that had been given up.
    """

    def __init__(
        self,
        fleet: Fleet,
        retries: Retries,
        endpoints: Callable[[], Mapping[str, Endpoint]],
        lease_s: float,
        unlike: Callable[[str, str], None],
    ) -> None:
        self._unlike = unlike
        self.late_results = 0
        self._fleet, self._retries, self._endpoints, self._lease_s = fleet, retries, endpoints, lease_s
        self._abandoned_streams: list[Any] = []  # streams of jobs that were given to another worker

    def dispatch(self) -> None:
        """Hands to workers the jobs that are due."""
        for attempt in self._retries.due():
            others = bool(self._fleet.starting) and self._others_may_come(attempt)
            worker = self._retries.choose(attempt, self._fleet.able, others)
            if worker is None:
                self._retries.give_back(attempt)
            else:
                self._begin(worker, attempt)

    def steal_work(self) -> None:
        """Gives jobs that wait behind others to workers that have none.

        A candidate that is stopped early takes a fraction of the time of one that is not. In the window's order, others
        wait for both.
        """
        idle = [worker for worker in self._fleet.able if not worker.jobs]
        begun = time.monotonic() - STEAL_S
        crowded = [one for one in self._fleet.workers if len(one.jobs) > 1 and one.began < begun] if idle else []
        for worker in sorted(crowded, key=lambda one: one.jobs[-1][0].job.candidate.index):
            attempt, _ = worker.jobs[-1]
            thief = next((one for one in idle if one.place not in {*attempt.crashes, *attempt.losses}), None)
            if thief:
                idle.remove(thief)
                self._begin(thief, worker.take_back())

    def receive(self, worker: WorkerHandle) -> Sequence[Message]:
        """Takes the next report of a worker's oldest job, or its end, whatever that was.

        Returns:
            What the runtime's caller is to hear of it; often nothing.
        """
        attempt, _ = worker.jobs[0]
        try:
            message = worker.fetch()
        except StopIteration:
            return self._retries.broke(*worker.done(), "its work ended without a result")
        except GetTimeoutError:  # its node is slow or gone, which the lease decides
            return []
        except WorkerProcessLost as error:
            return self._on_worker_lost(worker, str(error))
        except RayTaskError as error:
            return self._retries.broke(*worker.done(), last_line(error))
        except RayError as error:  # its process or node is gone, or what it reported is
            return self._on_worker_lost(worker, last_line(error).partition(". ")[0])
        return [] if message is None else self._on_message(worker, attempt, message)

    def give_up(self, workers: Sequence[WorkerHandle]) -> list[Message]:
        """Begins the jobs of silent workers elsewhere. What those may still answer counts for nothing.

        Returns:
            The ends of jobs that lost too many workers.
        """
        self._fleet.give_up(workers)
        ended: list[Message] = []
        for worker in workers:
            self._abandoned_streams += [stream for _, stream in worker.jobs]
            ended += self._reassign(worker, f"silent for {self._lease_s:g} s (runtime.lease_s)")
        return ended

    def drain(self, worker: WorkerHandle) -> None:
        """Lets a worker end the job in work and gives it no other; ends it once it has none."""
        self.unload(worker)
        if not worker.jobs:
            self._fleet.kill(worker)

    def unload(self, worker: WorkerHandle) -> None:
        """Takes the jobs that wait from a worker, which ends the one in work."""
        while len(worker.jobs) > 1:
            self._retries.give_back(worker.take_back())

    def count_late_results(self) -> None:
        """Counts the results of workers that were given up, so that they are nowhere heard twice."""
        if not self._abandoned_streams:
            return
        ready: list[Any]
        ready, self._abandoned_streams = ray.wait(
            self._abandoned_streams, num_returns=len(self._abandoned_streams), timeout=0, fetch_local=False
        )
        for stream in ready:
            try:
                message = unpacked(ray.get(next(stream), timeout=0.1))
            except (StopIteration, RayError):
                continue
            self.late_results += isinstance(message, Evaluation | WorkerExit)
            self._abandoned_streams.append(stream)

    def _others_may_come(self, attempt: Attempt) -> bool:
        """Whether a worker that is starting may come to where a job has not crashed: another node, or another card."""
        nodes = {place.node for place in attempt.crashes if not place.card}
        return any(node.id not in nodes for node in self._fleet.nodes.usable)

    def _begin(self, worker: WorkerHandle, attempt: Attempt) -> None:
        job, now = attempt.job, (self._endpoints(), self._fleet.agreed.precision, self._fleet.demand.judging)
        if now != (job.endpoints, job.precision, job.clocked):
            job = replace(job, endpoints=now[0], precision=now[1], clocked=now[2])
        worker.start(attempt, job, self._retries.seconds(attempt), self._lease_s / 4)

    def _on_message(self, worker: WorkerHandle, attempt: Attempt, message: WorkerMessage) -> Sequence[Message]:
        if isinstance(message, Deferred):
            worker.done()
            if message.lost_gpu:
                self._fleet.strike(worker.place)
                return self._retries.lost_gpu(attempt, worker.place, self._fleet.works, message.reason)
            if message.unlike:
                self._unlike(message.unlike, message.reason)
            self._retries.postponed(attempt, message.reason)
            return []
        if isinstance(message, WorkerExit) or (
            isinstance(message, Evaluation) and message.status is Status.FAILED_CRASH
        ):
            return self._on_crash(worker, WorkerExit(message.status, message.message, message.log))
        if isinstance(message, Evaluation):
            worker.done()
            message = self._fleet.completed(worker, attempt.crashes, message)
        return [self._retries.heard(attempt, message)]

    def _on_crash(self, worker: WorkerHandle, death: WorkerExit) -> Sequence[Message]:
        attempt, spent_s = worker.done()
        if death.status is Status.FAILED_CRASH and self._fleet.fell_with_neighbour(worker):
            return self._retries.lost(attempt, worker.place, self._fleet.lives, death.message)
        return self._retries.crashed(attempt, spent_s, worker.place, death)

    def _on_worker_lost(self, worker: WorkerHandle, why: str) -> Sequence[Message]:
        self._fleet.kill(worker)
        return self._reassign(worker, why)

    def _reassign(self, worker: WorkerHandle, why: str) -> Sequence[Message]:
        """Begins the job in work of a lost worker elsewhere; those that waited for it are as they were."""
        ended: Sequence[Message] = ()
        if worker.jobs:
            attempt, _ = worker.done()
            ended = self._retries.lost(attempt, worker.place, self._fleet.lives, why)
        for attempt, _ in worker.jobs:
            self._retries.give_back(attempt)
        return ended
