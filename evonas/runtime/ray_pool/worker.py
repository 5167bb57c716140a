"""A worker on Ray: the actor on its node, and the driver's handle of it.

The actor runs no candidate itself: it keeps a process that does (`sandbox/`) and passes on what that reports. So an
actor that dies or falls silent is the fault of its node or of Ray, and never of a candidate.
"""

import pickle
import struct
import time
from collections import deque
from collections.abc import Collection, Iterator
from typing import Any

import ray

from evonas.machine import machine_memory
from evonas.records import Job
from evonas.runtime.retries import Attempt, Place
from evonas.runtime.runtime import WorkerMessage
from evonas.runtime.sandbox.packing import Payload
from evonas.runtime.sandbox.worker_process import WorkerProcess, unpacked

START_S = 300.0
"""Longest time that a worker process may take to start."""
MEMORY_SHARE = 0.9
"""The part of a machine's memory that all its workers may take together."""
FETCH_S = 1.0
"""Longest time to fetch a report that is there; its node may be slow or gone."""


CALL = struct.Struct("!dd")
"""Before a pickled job: its deadline and the longest time between two signs of life (s). Ray passes on bytes as they
are, and one argument takes it less time than three."""


class WorkerActor:
    """The part of a worker that Ray starts; its methods are called from afar.

    Args:
        payload: The packed factory of the worker's `Work`.
        memory_mb: Host memory that a worker may take, in MB of 10^6 bytes; None for its share of the node's.
        pass_env: Variables of the environment that a worker gets besides the usual ones.
        gpus: Its share of a GPU, 0 for none.
    """

    def __init__(
        self, payload: Payload, memory_mb: int | None, pass_env: Collection[str] = (), gpus: float = 0
    ) -> None:
        self._payload, self._memory_mb, self._pass_env, self._gpus = payload, memory_mb, pass_env, gpus

    def node(self) -> str:
        """Returns the id of the node that the actor is on."""
        return str(ray.get_runtime_context().get_node_id())

    def ready(self, share: float) -> bytes:
        """Returns once the worker can take jobs: the kind of its work, packed.

        Args:
            share: The part of this machine's memory that is the worker's own, from 0 to 1.
        """
        memory = self._memory_mb * 10**6 if self._memory_mb else int(MEMORY_SHARE * share * machine_memory())
        self._process = WorkerProcess(self._payload, memory, self._pass_env, self._gpus)
        return self._process.ready(START_S)

    def run(self, call: bytes) -> Iterator[bytes]:
        """Streams what the worker process says of a job, as `WorkerProcess.relay` does.

        Args:
            call: `CALL`, and the pickled job.
        """
        yield from self._process.relay(call[CALL.size :], *CALL.unpack_from(call))


class WorkerHandle:
    """One worker and the jobs handed to it, oldest first; each with the stream of its reports.

    Args:
        actor: Ray's handle of the actor.
        place: The id of its node, and its GPU there.
        gpus: Its share of a GPU, 0 for none.

    Attributes:
        node: The id of its node.
        heard: When there was last a sign of life, or nothing to wait for (`time.monotonic`, as all times here).
        began: When the oldest job came into work.
        is_new: Whether it has completed no job yet.
        usd_per_s: What its part of its node costs, US dollars a second; None where that is not known.
    """

    def __init__(self, actor: Any, place: Place, gpus: float) -> None:
        self.actor, self.place, self.node, self.gpus = actor, place, place.node, gpus
        self.is_new = True
        self.usd_per_s: float | None = None
        self.jobs: deque[tuple[Attempt, Any]] = deque()
        self._run: Any = None  # made once, with the first job
        self.heard = self.began = time.monotonic()
        self._report: Any = None  # one that is there, and could not be fetched yet

    @property
    def source(self) -> Any:
        """What Ray can wait for: the next report of the oldest job."""
        return self._report or self.jobs[0][1]

    def start(self, attempt: Attempt, job: Job, seconds: float, beat: float) -> None:
        """Hands a job to the worker.

        Args:
            attempt: The try of the job that begins.
            job: The job as it is now.
            seconds: Its deadline.
            beat: Longest time between two signs of life (s).
        """
        if not self.jobs:
            self.heard = self.began = time.monotonic()
        call = CALL.pack(seconds, beat) + pickle.dumps(job, protocol=5)
        self._run = self._run or self.actor.run.options(num_returns="streaming")
        self.jobs.append((attempt, self._run.remote(call)))

    def fetch(self) -> WorkerMessage | None:
        """Returns the next report of the oldest job; None for a sign of life.

        Raises:
            StopIteration: The job has ended without a result.
            GetTimeoutError: There is one, and it cannot be fetched now.
            RayError: The worker, its node or what it reported is gone.
        """
        self._report = self._report or next(self.jobs[0][1])
        report: bytes = ray.get(self._report, timeout=FETCH_S)
        self.heard, self._report = time.monotonic(), None
        return unpacked(report)

    def done(self) -> tuple[Attempt, float]:
        """Takes the oldest job off the worker.

        Returns:
            Its attempt, and how long it is known to have been in work (s).
        """
        attempt, _ = self.jobs.popleft()
        spent_s = self.heard - self.began
        attempt.pay(self.usd_per_s, spent_s)
        self._report = None  # one that tells of an error must not be taken for the next job's
        self.heard = self.began = time.monotonic()
        return attempt, spent_s

    def take_back(self) -> Attempt:
        """Takes the newest job off the worker, which must not have begun it.

        Its stream is let go: on a frozen node Ray would wait for its end.
        """
        attempt, stream = self.jobs.pop()
        ray.cancel(stream)
        return attempt

    def overdue(self, lease_s: float) -> bool:
        """Whether the worker is silent beyond its lease, and nothing of it waits to be heard."""
        if time.monotonic() - self.heard <= lease_s:
            return False
        return bool(self._report) or not ray.wait([self.jobs[0][1]], timeout=0, fetch_local=False)[0]
