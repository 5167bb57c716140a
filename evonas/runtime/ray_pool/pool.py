"""A pool of persistent Ray actors, as a `Runtime`. Ray is transport: attempts and their outcomes are ours.

The pool ties its parts together: the fleet (which workers there are), the dispatcher (which of them does what), the
retries (what follows when a try of a job ends) and the device servers (where targets are measured).
"""

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import ModuleType

import ray

from evonas.config import RuntimeConfig
from evonas.errors import RuntimeNotStarted, UserError
from evonas.prices import Prices
from evonas.records import Evaluation, Job
from evonas.runtime.cost_clock import CostClock, Spending
from evonas.runtime.ray_pool.cluster import connect, look, startable
from evonas.runtime.ray_pool.device_servers import DeviceServers
from evonas.runtime.ray_pool.dispatcher import Dispatcher
from evonas.runtime.ray_pool.fleet import Fleet
from evonas.runtime.ray_pool.launcher import Launcher
from evonas.runtime.ray_pool.metrics import ClusterMetrics
from evonas.runtime.ray_pool.sending import send
from evonas.runtime.ray_pool.worker import START_S
from evonas.runtime.ray_pool.worker_memory import check_memory
from evonas.runtime.retries import Retries
from evonas.runtime.runtime import NO_REMOTES, Factory, Message, OnWait, Remotes, at_any_cost
from evonas.runtime.sandbox.packing import pack

CLUSTER_START_S = 1800.0
"""Longest wait for the first worker and for targets on a cluster, which may have to start a machine; here a worker has
`START_S`."""
NEWS_S = 20.0
"""How long there may be no worker, or nowhere to measure, before a person hears why."""
PREFETCH = 2
"""Jobs handed to a worker: one in work, one waiting."""
HEALTH_CHECK_S = 1.0
log = logging.getLogger("evonas")


class RayPool:
    """Workers on a Ray of this run's own (`address: local`), on a cluster, or on the Ray that the caller has started.

    A worker gets jobs once it is ready; those that no node can hold yet wait and cost nothing. With `workers: auto` the
    pool follows the cluster: nodes that join are used, nodes that are drained get no new jobs.

    Args:
        factory: Makes the `Work` of each worker.
        config: The section `runtime`.
        modules: The user's modules, sent to the workers by value, so that a cluster need not have them.
        remotes: The targets that are not measured on the worker.
        on_wait: Is told once a second what the wait for the first worker and for targets has cost, and may end it.

    Raises:
        UserError: There is no cluster at the address, none that can hold a single worker or, within half an hour, has
            the resource of a target, or workers refuse the config or have not the memory to be one.
        Halted: The Ray of this run's own was ended while it started.
    """

    def __init__(
        self,
        factory: Factory,
        config: RuntimeConfig,
        modules: Sequence[ModuleType] = (),
        remotes: Remotes = NO_REMOTES,
        on_wait: OnWait = at_any_cost,
    ) -> None:
        self._config, self._on_wait = config, on_wait
        self._checked_at = 0.0
        self._retries = Retries(config)
        with ExitStack() as opened:
            joins = not ray.is_initialized()
            self._own_ray = connect(config) if joins else None
            if joins:
                opened.callback(self._own_ray.close if self._own_ray else ray.shutdown)
            self._device_servers = DeviceServers(remotes, hires=not self._own_ray)
            opened.callback(self._device_servers.close)
            self._metrics = ClusterMetrics()
            alive = look()[0]
            self._cost = CostClock(Prices(config.own_prices))
            self._cost.hold(node.names for node in alive)
            check_memory(config, alive)
            self._device_servers.open(alive)
            launcher = Launcher(config, send(pack(factory, modules), alive), self._check_ray)
            self.fleet = Fleet(config, launcher, lambda: self._retries.pending)
            opened.callback(self.fleet.close)
            if remark := self.fleet.demand.remark:
                log.warning(remark)
            servers = self._device_servers
            self.dispatcher = Dispatcher(self.fleet, self._retries, servers.endpoints, config.lease_s, servers.unlike)
            self._health_check()
            self._check_capacity()
            if bound := self.fleet.demand.bound:
                log.warning(bound)
            self._device_servers.check(startable())
            begin = time.monotonic()
            self._await_first_worker(START_S if self._own_ray else CLUSTER_START_S)
            self._await_targets(begin)
            self._opened = opened.pop_all()

    @property
    def workers(self) -> int:
        return self.fleet.size

    @property
    def late_results(self) -> int:
        return self.dispatcher.late_results

    @property
    def gpu_s(self) -> float:
        return self.fleet.gpu_s

    @property
    def spent(self) -> Spending:
        return self._cost.spent

    @property
    def notes(self) -> Sequence[str]:
        late = [f"{self.late_results} late"] if self.late_results else []
        return [*self._retries.notes, *self._device_servers.notes, *self.fleet.notes, *late]

    @property
    def free_slots(self) -> int:
        return max(0, PREFETCH * len(self.fleet.able) - self.pending)

    @property
    def busy(self) -> int:
        return sum(bool(worker.jobs) for worker in self.fleet.workers)

    @property
    def pending(self) -> int:
        return self._retries.pending

    def submit(self, job: Job) -> None:
        self._retries.submit(job)
        self.dispatcher.dispatch()

    def wait(self, seconds: float) -> Sequence[Message]:
        self._check_ray()
        self._retries.check()
        ended = self._health_check() if time.monotonic() - self._checked_at >= HEALTH_CHECK_S else []
        if ended:
            return ended
        self.dispatcher.dispatch()
        self.dispatcher.steal_work()
        seconds = min(seconds, self._retries.rest)
        streams = {worker.source: worker for worker in self.fleet.workers if worker.jobs}
        sources = [*streams, *(start.call for start in self.fleet.starting)]
        if not sources:
            time.sleep(min(seconds, HEALTH_CHECK_S) if self.pending or not self.fleet.able else 0)
            return ()
        ready, _ = ray.wait(sources, num_returns=1, timeout=seconds, fetch_local=False)
        if ready and len(sources) > 1:
            ready, _ = ray.wait(sources, num_returns=len(sources), timeout=0, fetch_local=False)
        self.fleet.admit(0)
        heard = [
            message for source in ready if source in streams for message in self.dispatcher.receive(streams[source])
        ]
        for message in heard:
            if isinstance(message, Evaluation):
                self._device_servers.heard(message.conditions)
        return heard

    def publish(self, run: str, values: Mapping[str, float]) -> None:
        self._metrics.set(run, values)

    def drain(self) -> None:
        self.fleet.draining = True

    def close(self) -> None:
        self._opened.close()

    def _check_ray(self) -> None:
        """
        Raises:
            Halted: The Ray of this run's own has ended.
        """
        if self._own_ray:
            self._own_ray.check()

    def _health_check(self) -> list[Message]:
        """Looks after nodes and leases: what no report of a job tells. Returns the jobs that end by that."""
        paused = time.monotonic() - self._checked_at
        self._checked_at = time.monotonic()
        alive, draining = look()
        self.fleet.nodes.update(alive, draining)
        self._cost.hold(node.names for node in alive)
        self._device_servers.health_check(alive)
        if paused > HEALTH_CHECK_S + max(1.0, self._config.lease_s / 2):  # it was this process that stood still
            self.fleet.renew_leases()
        ended = self.dispatcher.give_up(self.fleet.overdue)
        for worker in self.fleet.leaving:
            self.dispatcher.drain(worker)
        for worker in self.fleet.idled:
            self.dispatcher.unload(worker)
        self.fleet.scale()
        _ = self.gpu_s  # it is added up at each look: workers come and go
        self.dispatcher.count_late_results()
        return ended

    def _await_first_worker(self, patience_s: float) -> None:
        """Waits until a worker is ready.

        Raises:
            RuntimeNotStarted: None is, after so long.
        """
        self._await_worker(NEWS_S)
        if not self.fleet.workers:
            free = ray.available_resources()  # type: ignore[no-untyped-call]
            log.warning(
                "no worker has started yet: each needs %s, %g and %g are free in the cluster; "
                "waiting for it up to %g minutes",
                self.fleet.demand.text,
                free.get("CPU", 0),
                free.get("GPU", 0),
                patience_s / 60,
            )
            self._await_worker(patience_s - NEWS_S)
        if not self.fleet.workers:
            raise RuntimeNotStarted(
                f"runtime: no worker of {self.fleet.demand.text} started in {patience_s:g} s; "
                "is the cluster that large?"
            )

    def _await_worker(self, seconds: float) -> None:
        """Waits for the first worker a second at a time: its nodes cost meanwhile, and more of them may come."""
        end = time.monotonic() + seconds
        self._on_wait(self.spent)
        while not self.fleet.workers and (rest := end - time.monotonic()) > 0:
            if not self.fleet.starting:
                time.sleep(min(rest, HEALTH_CHECK_S))
            self.fleet.admit(min(rest, HEALTH_CHECK_S))
            self._health_check()
            self._on_wait(self.spent)

    def _await_targets(self, begin: float) -> None:
        """Waits until a node has the resource of each target, while workers come, and then a moment for what their
        servers say, whose resource may be in use. What was asked for is on its way.

        Args:
            begin: When it was asked for.

        Raises:
            RuntimeNotStarted: A resource is missing after so long.
            UserError: It cannot come, or cannot measure.
        """
        told = False
        while missing := self._device_servers.missing:
            waited = time.monotonic() - begin
            if waited >= CLUSTER_START_S:
                raise RuntimeNotStarted(
                    f"{missing[0]}; none came in {CLUSTER_START_S:g} s, is it spelt as the cluster does?"
                )
            if waited >= NEWS_S and not told:
                told = True
                log.warning("%s; waiting for it up to %g minutes", "; ".join(missing), CLUSTER_START_S / 60)
            self._wait_on()
            self._device_servers.check(startable())
        answered_by = time.monotonic() + NEWS_S
        while self._device_servers.starting and time.monotonic() < answered_by:
            self._wait_on()

    def _wait_on(self) -> None:
        time.sleep(HEALTH_CHECK_S)
        self._health_check()
        self._on_wait(self.spent)
        self.fleet.admit(0)

    def _check_capacity(self) -> None:
        """
        Raises:
            UserError: `workers: auto` asks for as many as the cluster can hold, and that is none.
        """
        if self._config.workers == "auto" and not self.fleet.demand.capacity:
            have = ray.cluster_resources()  # type: ignore[no-untyped-call]
            there = f"Ray has {have.get('CPU', 0):g} and {have.get('GPU', 0):g}"
            raise UserError(
                f"runtime: a worker needs {self.fleet.demand.text}, but {there}; "
                "where an autoscaler can start machines, say how many workers: runtime.max_workers"
            )
