"""The fleet: which workers there are, which are to come, and which must go.

It decides from what nodes and workers say, and has a launcher do it; it knows nothing of Ray and nothing of what a job
means.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from evonas.config import RuntimeConfig
from evonas.errors import Halted, UserError
from evonas.prices import Prices
from evonas.records import Evaluation
from evonas.runtime.cost_clock import HOUR_S
from evonas.runtime.kind import Agreed
from evonas.runtime.ray_pool.cards import Cards
from evonas.runtime.ray_pool.demand import Demand
from evonas.runtime.ray_pool.gpu_clock import GpuClock
from evonas.runtime.ray_pool.launcher import Fault, Launcher, Start, StartError
from evonas.runtime.ray_pool.worker import WorkerHandle
from evonas.runtime.retries import Place

log = logging.getLogger("evonas")
LOST_STARTS = 5
"""So many workers in a row whose processes were ended while they started: then it is no accident."""
LOST_ACTORS = 15
"""So many actors in a row that were lost while they started, before any worker was there: then none can start."""
LACKING_S = 15.0
"""A lack of workers that lasts so long at the end of a search is worth a start: a few measurements of its front are
done before a worker is ready, which would disturb them meanwhile."""


class Fleet:
    """The workers of a pool.

    With `workers: auto` the fleet follows the cluster. Workers that no node can hold yet stay with Ray, which is what
    an autoscaler sees.

    Args:
        config: The pool's.
        launcher: Starts workers and ends them.
        pending: Returns how many jobs have not ended.

    Attributes:
        workers: Those that are ready.
        nodes: The nodes of the cluster, and which of them get jobs.
        demand: How many workers there should be, and what each needs.
        draining: Few jobs will follow, or none: workers without one are let go.
        agreed: What all workers have alike.
    """

    def __init__(self, config: RuntimeConfig, launcher: Launcher, pending: Callable[[], int]) -> None:
        self.workers: list[WorkerHandle] = []
        self.draining = False
        self.agreed = Agreed()
        self._config, self._launcher, self._pending = config, launcher, pending
        self._starting: list[Start] = []
        self._avoided: list[str] = []  # nodes that workers which are starting must not come to
        self._was_up = False
        self._lost_starts = 0  # in a row
        self._refused_because, self._tried_again = "", False
        self._enough_at = time.monotonic()  # when there were last as many workers as there should be
        self.demand = Demand(config)
        self.nodes = self.demand.nodes
        self._prices = Prices(config.own_prices)
        self._cards = Cards()
        self._gpu_clock = GpuClock()

    @property
    def size(self) -> int:
        """How many workers there should be now."""
        return min(self.demand.workers, max(1, self._pending())) if self.draining else self.demand.workers

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know of the workers, a line each."""
        missing = max(0, self.size - len(self.workers))
        cards = sorted(
            {f"{place.card} on {self.nodes.host(place.node)}" for place in self._cards.aside if self.lives(place)}
        )
        aside = [f"{what} set aside, jobs keep crashing there" for what in (*self.nodes.aside, *cards)]
        to_come = [f"{missing} workers to come"] if missing else []
        refused = self.demand.refused or self.nodes.unfit
        again = ", which is tried again" if self._tried_again else ""
        why = [f"a worker could not start{again}: {self._refused_because}"] if refused else []
        return [*aside, *self.demand.notes, *to_come, *why]

    @property
    def able(self) -> list[WorkerHandle]:
        """The workers that may get jobs. Where only cards that were set aside are left, the fault may be ours."""
        usable, aside = self._usable, self._cards.aside
        return [worker for worker in usable if worker.place not in aside] or usable

    @property
    def idled(self) -> list[WorkerHandle]:
        """The workers that are kept and get no jobs, because their cards were set aside."""
        able = self.able
        return [worker for worker in self._usable if worker not in able]

    @property
    def gpu_s(self) -> float:
        """GPU seconds for which workers have held GPUs."""
        placed = sum(bool(start.node) for start in self._starting)
        return self._gpu_clock.hold(sum(worker.gpus for worker in self.workers) + placed * self.demand.gpus)

    @property
    def starting(self) -> Sequence[Start]:
        """The workers that are starting."""
        return self._starting

    @property
    def overdue(self) -> list[WorkerHandle]:
        """The workers that have jobs and are silent beyond their lease."""
        return [worker for worker in self.workers if worker.jobs and worker.overdue(self._config.lease_s)]

    @property
    def leaving(self) -> list[WorkerHandle]:
        """The workers that get no more jobs, though those in work may end: their nodes go, or their share of a GPU."""
        return [worker for worker in self.workers if self._leaves(worker)]

    def renew_leases(self) -> None:
        """Lets all leases begin anew: this process stood still itself, and could hear nobody."""
        for worker in self.workers:
            worker.heard = time.monotonic()

    def scale(self) -> None:
        """Makes the fleet as large as it should be."""
        if self.draining:
            self._scale_down()
        if self.nodes.avoided != self._avoided:  # starts that wait for a node must not wait for the wrong ones
            self._avoided = self.nodes.avoided
            self._cancel_starting([""])
        self._scale_up()

    def admit(self, seconds: float) -> None:
        """Takes up the workers that have answered, and waits for the first where there is none.

        Args:
            seconds: How long to wait at most.

        Raises:
            UserError: A worker could not start, and no other is there or to come.
            Halted: Likewise, once there had been workers.
        """
        end = time.monotonic() + seconds
        while self._starting:
            answered = self._launcher.answered(self._starting, max(0.0, end - time.monotonic()))
            for start in answered:
                self._on_answer(start)
            if self.workers or not answered:
                break
            if not self._starting:  # all were lost
                self._scale_up()

    def kill(self, worker: WorkerHandle) -> None:
        """Ends a worker."""
        self.workers.remove(worker)
        self._launcher.kill(worker.actor)

    def give_up(self, workers: Sequence[WorkerHandle]) -> None:
        """Ends silent workers, and avoids their nodes for a while."""
        for worker in workers:
            self.nodes.silent(worker.node)
            self.kill(worker)
        self._cancel_starting([worker.node for worker in workers])

    def lives(self, place: Place) -> bool:
        """Whether the node of a place is alive."""
        return self.nodes.lives(place.node)

    def works(self, place: Place) -> bool:
        """Whether nothing bad is known of a place."""
        return self.nodes.lives(place.node) and self._cards.works(place)

    def strike(self, place: Place) -> None:
        """Notes that a place has failed a job: its card, or its node where the worker has none."""
        if place.card:
            self._cards.crashed(place, any(worker.place != place for worker in self.able))
        else:
            self.nodes.crashed(place.node)

    def fell_with_neighbour(self, worker: WorkerHandle) -> bool:
        """Notes a crash of a worker; returns whether it is that of a card of which a neighbour has told already."""
        return bool(worker.place.card) and self._cards.fell_with(worker.place, worker)

    def completed(self, worker: WorkerHandle, crashes: Collection[Place], evaluation: Evaluation) -> Evaluation:
        """Learns from a job that a worker has completed.

        Args:
            worker: The worker.
            crashes: Where the job crashed before.
            evaluation: How it ended.

        Returns:
            The evaluation; with the worker's share of a GPU among its conditions, where it has one.
        """
        for place in {*crashes} - {worker.place}:
            self.strike(place)
        self.nodes.worked(worker.node)
        self._cards.worked(worker.place)
        if not worker.gpus:
            return evaluation
        first, worker.is_new = worker.is_new, False
        if self.demand.learn(evaluation, worker.gpus, len(self.able), first):
            self._cancel_all()
        return replace(evaluation, conditions={**evaluation.conditions, "gpus": f"{worker.gpus:g}"})

    def close(self) -> None:
        """Ends all workers, and those that are starting."""
        for actor in [worker.actor for worker in self.workers] + [start.actor for start in self._starting]:
            self._launcher.kill(actor)
        self.workers, self._starting = [], []

    @property
    def _usable(self) -> list[WorkerHandle]:
        """The workers on nodes that get jobs, with the share of a GPU that is asked for."""
        usable = {node.id for node in self.nodes.usable}
        return [worker for worker in self.workers if worker.node in usable and worker.gpus == self.demand.gpus]

    def _leaves(self, worker: WorkerHandle) -> bool:
        if self.nodes.leaves(worker.node) or worker.gpus != self.demand.gpus:
            return True
        return not (worker.jobs or self.nodes.lives(worker.node))

    def _scale_up(self) -> None:
        lacking = self.size - len(self._usable) - len(self._starting)
        if lacking <= 0 or not (self.draining and self._usable):
            self._enough_at = time.monotonic()
        elif time.monotonic() - self._enough_at < LACKING_S:
            return
        for _ in range(lacking):
            self._starting.append(self._launcher.start(self.demand.gpus, self.nodes.avoided))

    def _scale_down(self) -> None:
        """Lets workers go that nothing is left for, so that an autoscaler can take their machines down."""
        if len(self.workers) >= self.size:
            self._cancel_all()
        idle = sorted((worker for worker in self.workers if not worker.jobs), key=lambda one: one not in self.idled)
        for worker in idle[: max(0, len(self.workers) - self.size)]:
            self.kill(worker)

    def _cancel_starting(self, nodes: Collection[str]) -> None:
        """Gives up workers that are starting, by the ids of their nodes; "": those that are not placed yet."""
        for start in [start for start in self._starting if start.node in nodes]:
            self._starting.remove(start)
            self._launcher.kill(start.actor)

    def _cancel_all(self) -> None:
        self._cancel_starting({start.node for start in self._starting})

    def _on_answer(self, start: Start) -> None:
        """Takes the answer of a start: it is placed, ready, or has failed."""
        self._starting.remove(start)
        try:
            answer = self._launcher.answer(start)
        except StartError as error:
            self._on_failed(start, error)
        else:
            if start.node:
                self._on_ready(start)
            else:
                self._on_placed(start, answer)

    def _on_placed(self, start: Start, node: str) -> None:
        if not self.nodes.lives(node):  # it may have joined a moment ago
            self.nodes.update(*self._launcher.nodes())
        if node in self.nodes.avoided or not self.nodes.lives(node):
            self._launcher.kill(start.actor)
        else:
            self._launcher.settle(start, node, self.nodes.share(node))
            self._starting.append(start)

    def _on_ready(self, start: Start) -> None:
        if why := self.agreed.take(start.kind, self.nodes.host(start.node), self.nodes.resources):
            log.warning("a worker was refused: %s", why)
            self._launcher.kill(start.actor)
            self._refuse(start.node, why, for_good=True)
            return
        self._lost_starts = 0
        self._was_up = True
        worker = WorkerHandle(start.actor, Place(start.node, start.kind.card), self.demand.gpus)
        worker.usd_per_s = self._usd_per_s(start.node)
        self.workers.append(worker)

    def _usd_per_s(self, node: str) -> float | None:
        """What a worker's part of a node costs, US dollars a second; None where that is not known."""
        usd_per_hour = self._prices.of(self.nodes.names(node)) if self.nodes.lives(node) else None
        return None if usd_per_hour is None else usd_per_hour / HOUR_S * self.nodes.share(node)

    def _on_failed(self, start: Start, error: StartError) -> None:
        self._lost_starts += 1
        if (
            error.fault is Fault.LOST
        ):  # its node is gone, and the next health check starts another; or it lacks something
            if self._lost_starts >= LOST_ACTORS and not self._was_up:
                raise UserError(f"runtime: {LOST_ACTORS} workers in a row could not start: {error}") from None
            return
        self._launcher.kill(start.actor)
        if error.fault is Fault.REFUSED or self._lost_starts >= LOST_STARTS:
            self._refuse(start.node, str(error))

    def _refuse(self, node: str, why: str, for_good: bool = False) -> None:
        """Notes that no worker can start on a node now or, for good, ever, or no more than are there.

        Raises:
            UserError: That was the last node.
            Halted: Likewise, once there had been workers.
        """
        self._refused_because, self._tried_again = why, not for_good
        if any(worker.node == node for worker in self.workers):
            self.demand.refuse()
        else:
            self.nodes.refused(node, for_good)
        if not (self.workers or self._starting or self.nodes.usable):
            kind = Halted if self._was_up else UserError
            raise kind(f"runtime: a worker could not start: {why}") from None
