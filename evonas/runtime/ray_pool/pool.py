"""A pool of persistent Ray actors. Ray is transport: attempts and their outcomes are ours (`retries.py`).

An actor runs no candidate itself: it keeps a process that does (`sandbox/`) and passes on what that reports. So
when an actor dies or falls silent, its node or Ray is to blame, and its jobs go elsewhere; what a candidate does to
its process comes back as an ordinary answer. Actors neither restart nor retry by themselves.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from evonas.config import RuntimeConfig
from evonas.errors import Halted, UserError
from evonas.records import Deferred, Evaluation, Job, Status
from evonas.runtime.ray_pool.cluster import connect, last_line, look, reason
from evonas.runtime.ray_pool.device_servers import DeviceServers
from evonas.runtime.ray_pool.gpu_sharing import GpuSharing
from evonas.runtime.ray_pool.metrics import ClusterMetrics
from evonas.runtime.ray_pool.nodes import Nodes
from evonas.runtime.retries import Attempt, Retries
from evonas.runtime.runtime import NO_REMOTES, Factory, Message, Remotes, Report, WorkerExit
from evonas.runtime.sandbox.payload import Payload, pack
from evonas.runtime.sandbox.processes import machine_memory
from evonas.runtime.sandbox.worker_process import WorkerProcess, WorkerProcessLost

START_S, CLUSTER_START_S = 300.0, 1800.0  # until the first worker must be there; a cluster may have to start a machine
PREFETCH = 2  # jobs handed to a worker: one in work, one waiting
LOST_STARTS, LOST_ACTORS = 5, 15
HEALTH_CHECK_S = 1.0
NEWS_S = 20.0  # without a worker, until a person hears why
STEAL_S = 1.0  # a job that waits is handed on once the one before it has been in work for so long
FETCH_S = 1.0
MEMORY_SHARE = 0.9
log = logging.getLogger("evonas")


class _WorkerActor:
    def __init__(self, payload: Payload, memory_mb: int | None) -> None:
        self._payload, self._memory_mb = payload, memory_mb

    def node(self) -> str:
        return str(ray.get_runtime_context().get_node_id())

    def ready(self, share: float) -> None:
        """Answers once the worker can work. share: the part of this machine's memory that is its own."""
        memory = self._memory_mb * 10**6 if self._memory_mb else int(MEMORY_SHARE * share * machine_memory())
        self._sandbox = WorkerProcess(self._payload, memory)
        self._sandbox.ready(START_S)

    def run(self, job: Job, seconds: float, beat: float) -> Iterator[Report | None]:
        yield from self._sandbox.run(job, seconds, beat)


class _WorkerHandle:
    """One worker and the jobs handed to it, oldest first; each with the stream of its reports.

    gpus: its share of one. heard: when there was last a sign of life, or nothing to wait for.
    """

    def __init__(self, actor: Any, node: str, gpus: float) -> None:
        self.actor, self.node, self.gpus = actor, node, gpus
        self.jobs: deque[tuple[Attempt, Any]] = deque()
        self.heard = self.began = time.monotonic()
        self.report: Any = None  # one that is there, and could not be fetched yet

    def start(self, attempt: Attempt, job: Job, seconds: float, beat: float) -> None:
        """job: as it is now. seconds: deadline. beat: of the signs of life."""
        if not self.jobs:
            self.heard = self.began = time.monotonic()
        run = self.actor.run.options(num_returns="streaming")
        self.jobs.append((attempt, run.remote(job, seconds, beat)))

    def done(self) -> tuple[Attempt, float]:
        """Its oldest job, and how long that is known to have been in work (s)."""
        attempt, _ = self.jobs.popleft()
        spent_s = self.heard - self.began
        self.heard = self.began = time.monotonic()
        return attempt, spent_s


class RayPool:
    """Workers on a Ray of this run's own (`address: local`), on a cluster, or on the Ray that the caller has started.

    A worker gets jobs once it has answered; those that find no room in the cluster wait for it and cost nothing. With
    `workers: auto` the pool follows the cluster: nodes that join are used, nodes that are drained get no new jobs.

    modules: the user's modules, sent to the workers by value, so that a cluster need not have them.

    Raises:
        UserError: no cluster at the address, one with no room for a single worker or without the resource of a target,
            or a config that workers refuse.
    """

    def __init__(
        self,
        factory: Factory,
        config: RuntimeConfig,
        modules: Sequence[ModuleType] = (),
        remotes: Remotes = NO_REMOTES,
    ) -> None:
        self.late_results = 0
        self._config = config
        self._handles: list[_WorkerHandle] = []
        self._starting: dict[Any, tuple[Any, str]] = {}  # its answer to come -> actor, and its node once that is known
        self._retries, self._device_servers = Retries(config), DeviceServers(remotes)
        self._abandoned_streams: list[Any] = []  # streams of jobs that were given to another worker
        self._refused = 0  # workers that found no place on nodes where others work
        self._avoiding: list[str] = []  # nodes that pending hires must not come to
        self._was_up = False
        self._lost_starts = 0  # in a row
        self._last = False
        most = config.max_workers or math.inf if config.workers == "auto" else config.workers
        self._sharing = GpuSharing(most) if config.gpus_per_worker == "auto" else None
        self._gpus = config.gpus_at_first  # of each worker that is hired
        self.nodes = Nodes(self._needs)
        self._own = not ray.is_initialized()
        if self._own:
            connect(config)
        self._actor: Any = ray.remote(num_cpus=config.cpus_per_worker, max_restarts=0, max_task_retries=0)(_WorkerActor)
        try:
            self._metrics = ClusterMetrics()
            self._device_servers.open(look()[0])
            self._payload = ray.put(pack(factory, modules))
            self._checked_at = 0.0
            self._health_check()
            self._check_room()
            patience = START_S if self._own and config.address == "local" else CLUSTER_START_S
            self._admit(NEWS_S)
            if not self._handles:
                log.warning("%s; waiting for it up to %g minutes", self._no_room(), patience / 60)
                self._admit(patience - NEWS_S)
            if not self._handles:
                raise UserError(
                    f"runtime: no worker of {self._needed} started in {patience:g} s; is the cluster that large?"
                )
        except BaseException:
            self.close()
            raise

    @property
    def workers(self) -> int:
        wanted = max(1, self._wanted - self._refused)
        return min(wanted, max(1, self.pending)) if self._last else wanted

    @property
    def _wanted(self) -> int:
        """As many as there is room for, or asked for: those that find no room are what an autoscaler sees."""
        config, most = self._config, self._config.max_workers
        if config.workers != "auto":
            return config.workers
        if most and config.address != "local":
            return most
        return min(most or self.nodes.capacity, self.nodes.capacity)

    @property
    def _needs(self) -> dict[str, float]:
        return {"CPU": self._config.cpus_per_worker, "GPU": self._gpus}

    @property
    def _needed(self) -> str:
        return f"{self._config.cpus_per_worker:g} CPUs and {self._gpus:g} GPUs"

    @property
    def notes(self) -> Sequence[str]:
        aside = [f"{host} set aside, jobs keep crashing there" for host in self.nodes.aside]
        lost = max(0, self.workers - len(self._handles))
        others = [
            *([f"{lost} workers to come"] if lost else []),
            *([f"{self.late_results} late"] if self.late_results else []),
        ]
        return [*self._retries.notes, *self._device_servers.notes, *aside, *others]

    @property
    def free_slots(self) -> int:
        return max(0, PREFETCH * len(self._able) - self.pending)

    @property
    def busy(self) -> int:
        return sum(bool(handle.jobs) for handle in self._handles)

    @property
    def pending(self) -> int:
        return self._retries.pending

    @property
    def _able(self) -> list[_WorkerHandle]:
        """Workers that may get jobs."""
        usable = {node.id for node in self.nodes.usable}
        return [handle for handle in self._handles if handle.node in usable and handle.gpus == self._gpus]

    def submit(self, job: Job) -> None:
        self._retries.submit(job)
        self._dispatch()

    def wait(self, seconds: float) -> Sequence[Message]:
        self._retries.check()
        ended = self._health_check() if time.monotonic() - self._checked_at >= HEALTH_CHECK_S else []
        if ended:
            return ended
        self._dispatch()
        self._steal_work()
        seconds = min(seconds, self._retries.rest)
        streams = {handle.report or handle.jobs[0][1]: handle for handle in self._handles if handle.jobs}
        sources = [*streams, *self._starting]
        if not sources:
            time.sleep(min(seconds, HEALTH_CHECK_S) if self.pending or not self._able else 0)
            return ()
        ready, _ = ray.wait(sources, num_returns=1, timeout=seconds, fetch_local=False)
        if ready and len(sources) > 1:
            ready, _ = ray.wait(sources, num_returns=len(sources), timeout=0, fetch_local=False)
        self._admit(0)
        return [message for source in ready if source in streams for message in self._receive(streams[source])]

    def publish(self, run: str, values: Mapping[str, float]) -> None:
        self._metrics.set(run, values)

    def drain(self) -> None:
        self._last = True

    def close(self) -> None:
        for actor in (*(handle.actor for handle in self._handles), *(actor for actor, _ in self._starting.values())):
            ray.kill(actor)
        self._device_servers.close()
        self._handles, self._starting = [], {}
        if self._own:
            ray.shutdown()

    def _receive(self, handle: _WorkerHandle) -> Sequence[Message]:
        """The next report of a worker's oldest job; of its end, whatever that was."""
        attempt, stream = handle.jobs[0]
        try:
            handle.report = handle.report or next(stream)
            message = ray.get(handle.report, timeout=FETCH_S)
        except StopIteration:
            return self._retries.broke(*handle.done(), "its work ended without a result")
        except GetTimeoutError:  # its node is slow or gone, which the lease decides
            return []
        except WorkerProcessLost as error:
            return self._on_worker_lost(handle, str(error))
        except RayTaskError as error:
            return self._retries.broke(*handle.done(), last_line(error))
        except RayError as error:  # its process or node is gone, or what it reported is
            return self._on_worker_lost(handle, last_line(error).partition(". ")[0])
        handle.heard, handle.report = time.monotonic(), None
        if message is None:
            return []
        return self._handle(handle, attempt, message)

    def _handle(self, handle: _WorkerHandle, attempt: Attempt, message: Report) -> Sequence[Message]:
        if isinstance(message, Deferred):
            handle.done()
            self._retries.postponed(attempt, message.reason)
            return []
        if isinstance(message, WorkerExit) or (
            isinstance(message, Evaluation) and message.status is Status.FAILED_CRASH
        ):
            return self._retries.crashed(*handle.done(), handle.node, WorkerExit(message.status, message.message))
        if isinstance(message, Evaluation):
            handle.done()
            for node in {*attempt.crashes} - {handle.node}:
                self.nodes.crashed(node)
            self.nodes.worked(handle.node)
            message = self._with_gpu_share(handle, message)
        return [self._retries.heard(attempt, message)]

    def _with_gpu_share(self, handle: _WorkerHandle, evaluation: Evaluation) -> Evaluation:
        """With its share of a GPU; the next workers may get another."""
        if not handle.gpus:
            return evaluation
        if self._sharing and handle.gpus == self._gpus:
            self._sharing.heard(evaluation, self.nodes.gpus, len(self._able))
            if self._sharing.share != self._gpus:
                self._gpus = self._sharing.share
                self.nodes.resize(self._needs)
                self._cancel_starting({node for _, node in self._starting.values()})
        return replace(evaluation, conditions={**evaluation.conditions, "gpus": f"{handle.gpus:g}"})

    def _on_worker_lost(self, handle: _WorkerHandle, why: str) -> Sequence[Message]:
        self._kill(handle)
        return self._reassign(handle, why)

    def _reassign(self, handle: _WorkerHandle, why: str) -> Sequence[Message]:
        """A worker is lost; its job in work is begun again elsewhere, those that waited are as they were."""
        ended: Sequence[Message] = ()
        if handle.jobs:
            attempt, _ = handle.done()
            ended = self._retries.lost(attempt, handle.node, self.nodes.lives, why)
        for attempt, _ in handle.jobs:
            self._retries.give_back(attempt)
        return ended

    def _dispatch(self) -> None:
        """Hand to workers what is to be begun."""
        for attempt in self._retries.due():
            others = bool(self._starting) and any(node.id not in attempt.crashes for node in self.nodes.usable)
            handle = self._retries.choose(attempt, self._able, others)
            if handle is None:
                self._retries.give_back(attempt)
            else:
                self._begin(handle, attempt)

    def _begin(self, handle: _WorkerHandle, attempt: Attempt) -> None:
        job = replace(attempt.job, endpoints=self._device_servers.endpoints())
        handle.start(attempt, job, self._retries.seconds(attempt), self._config.lease_s / 4)

    def _steal_work(self) -> None:
        """Give jobs that wait behind others to workers that have none.

        A candidate that is stopped early takes a fraction of the time of one that is not. In the window's order, others
        wait for both.
        """
        idle = [handle for handle in self._able if not handle.jobs]
        begun = time.monotonic() - STEAL_S
        crowded = [handle for handle in self._handles if len(handle.jobs) > 1 and handle.began < begun] if idle else []
        for handle in sorted(crowded, key=lambda handle: handle.jobs[-1][0].job.candidate.index):
            attempt, _ = handle.jobs[-1]
            free = next((one for one in idle if one.node not in {*attempt.crashes, *attempt.losses}), None)
            if free:
                idle.remove(free)
                self._begin(free, self._take_back(handle))

    def _health_check(self) -> list[Message]:
        """Look after nodes and leases: what no report of a job tells. Returns the jobs that end by that."""
        now, paused = time.monotonic(), time.monotonic() - self._checked_at
        self._checked_at = now
        alive, draining = look()
        self.nodes.update(alive, draining)
        self._device_servers.patrol(alive)
        if paused > HEALTH_CHECK_S + max(1.0, self._config.lease_s / 2):  # it was this process that stood still
            for handle in self._handles:
                handle.heard = now
        ended = self._abandon([handle for handle in self._handles if handle.jobs and self._overdue(handle)])
        for handle in list(self._handles):
            leaves = self.nodes.leaves(handle.node) or handle.gpus != self._gpus
            if leaves or not (handle.jobs or self.nodes.lives(handle.node)):
                self._drain(handle)
        if self._last:
            self._scale_down()
        if self.nodes.avoided != self._avoiding:  # hires that wait for room must not wait for the wrong nodes
            self._avoiding = self.nodes.avoided
            self._cancel_starting([""])
        self._scale_up()
        self._count_late_results()
        return ended

    def _scale_down(self) -> None:
        """Let workers go that nothing is left for, so that an autoscaler can take their machines down."""
        if len(self._handles) >= self.workers:
            self._cancel_starting({node for _, node in self._starting.values()})
        idle = [handle for handle in self._handles if not handle.jobs]
        for handle in idle[: max(0, len(self._handles) - self.workers)]:
            self._kill(handle)

    def _scale_up(self) -> None:
        for _ in range(self.workers - len(self._able) - len(self._starting)):
            self._start_worker()

    def _overdue(self, handle: _WorkerHandle) -> Any:
        """Whether a worker is silent beyond its lease, and nothing of it waits to be heard."""
        silent = time.monotonic() - handle.heard > self._config.lease_s
        return silent and (handle.report or not ray.wait([handle.jobs[0][1]], timeout=0, fetch_local=False)[0])

    def _abandon(self, handles: Sequence[_WorkerHandle]) -> list[Message]:
        """Begin the jobs of silent workers elsewhere. What those may still answer counts for nothing."""
        for handle in handles:
            self.nodes.silent(handle.node)
            self._kill(handle)
        self._cancel_starting([handle.node for handle in handles])
        ended: list[Message] = []
        for handle in handles:
            self._abandoned_streams += [stream for _, stream in handle.jobs]
            ended += self._reassign(handle, f"silent for {self._config.lease_s:g} s (runtime.lease_s)")
        return ended

    def _cancel_starting(self, nodes: Collection[str]) -> None:
        """Give up workers that have not started yet, by their node; "": not placed yet."""
        for call, (actor, node) in list(self._starting.items()):
            if node in nodes:
                del self._starting[call]
                ray.kill(actor)

    def _drain(self, handle: _WorkerHandle) -> None:
        """A worker's node is going: it ends the job in work and gets no other."""
        while len(handle.jobs) > 1:
            self._retries.give_back(self._take_back(handle))
        if not handle.jobs:
            self._kill(handle)

    def _take_back(self, handle: _WorkerHandle) -> Attempt:
        """The job that waits for a worker. Its stream is let go: on a frozen node Ray would wait for its end."""
        attempt, stream = handle.jobs.pop()
        ray.cancel(stream)
        return attempt

    def _kill(self, handle: _WorkerHandle) -> None:
        self._handles.remove(handle)
        ray.kill(handle.actor)

    def _count_late_results(self) -> None:
        """Count the results that come too late, so that they are nowhere heard twice."""
        if not self._abandoned_streams:
            return
        ready: list[Any]
        ready, self._abandoned_streams = ray.wait(
            self._abandoned_streams, num_returns=len(self._abandoned_streams), timeout=0, fetch_local=False
        )
        for stream in ready:
            try:
                message = ray.get(next(stream), timeout=0.1)
            except (StopIteration, RayError):
                continue
            self.late_results += isinstance(message, Evaluation | WorkerExit)
            self._abandoned_streams.append(stream)

    def _start_worker(self) -> None:
        avoided = self.nodes.avoided
        where: dict[str, Any] = {"num_gpus": self._gpus}
        if avoided:
            where["label_selector"] = {"ray.io/node-id": f"!in({','.join(avoided)})"}
        memory = self._config.memory_mb_per_worker
        actor = self._actor.options(**where).remote(self._payload, None if memory == "auto" else memory)
        self._starting[actor.node.remote()] = actor, ""

    def _admit(self, seconds: float) -> None:
        """Take up the workers that have answered; wait so long for the first.

        Raises:
            UserError: a worker could not start, and no other is there or to come.
        """
        end = time.monotonic() + seconds
        while self._starting:
            calls = list(self._starting)
            answered, _ = ray.wait(calls, num_returns=1, timeout=max(0.0, end - time.monotonic()))
            if answered and len(calls) > 1:
                answered, _ = ray.wait(calls, num_returns=len(calls), timeout=0)
            for call in answered:
                self._on_started(call)
            if self._handles or not answered:
                break
            if not self._starting:  # all were lost
                self._scale_up()

    def _on_started(self, call: Any) -> None:
        """A worker says where it is, or that it is ready."""
        actor, node = self._starting.pop(call)
        try:
            answer = ray.get(call)
        except RayTaskError as error:
            ray.kill(actor)
            self._lost_starts += 1
            if (
                not isinstance(error, WorkerProcessLost) or self._lost_starts >= LOST_STARTS
            ):  # not just shot from outside
                self._refuse(node, last_line(error))
        except RayError as error:  # its node is gone: the next patrol hires another; or it lacks what a worker needs
            self._lost_starts += 1
            if self._lost_starts >= LOST_ACTORS and not self._was_up:
                raise UserError(f"runtime: {LOST_ACTORS} workers in a row could not start: {reason(error)}") from None
        else:
            if node:
                self._lost_starts = 0
                self._handles.append(_WorkerHandle(actor, node, self._gpus))
                self._was_up = True
                return
            if not self.nodes.lives(answer):  # it may have joined a moment ago
                self.nodes.update(*look())
            if answer in self.nodes.avoided or not self.nodes.lives(answer):
                ray.kill(actor)
            else:
                self._starting[actor.ready.remote(self.nodes.share(answer))] = actor, answer

    def _refuse(self, node: str, why: str) -> None:
        """No worker can start on a node, or no more than are there.

        Raises:
            UserError: that was the last node. Halted: likewise, of a search that was under way.
        """
        if any(handle.node == node for handle in self._handles):
            self._refused += 1
        else:
            self.nodes.refused(node)
        if not (self._handles or self._starting or self.nodes.usable):
            kind = Halted if self._was_up else UserError
            raise kind(f"runtime: a worker could not start: {why}") from None

    def _no_room(self) -> str:
        free = ray.available_resources()  # type: ignore[no-untyped-call]
        there = f"{free.get('CPU', 0):g} and {free.get('GPU', 0):g} are free"
        return f"no worker has started yet: each needs {self._needed}, {there} in the cluster"

    def _check_room(self) -> None:
        if self._config.workers == "auto" and not self._wanted:
            have = ray.cluster_resources()  # type: ignore[no-untyped-call]
            there = f"Ray has {have.get('CPU', 0):g} and {have.get('GPU', 0):g}"
            raise UserError(
                f"runtime: a worker needs {self._needed}, but {there}; where an autoscaler can start machines, say how "
                "many workers: runtime.max_workers"
            )
