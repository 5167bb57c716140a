"""Starting workers on Ray, and hearing how their starts go.

A start has two answers: the actor says on which node it is, and then that its worker process is ready. Actors neither
restart nor retry by themselves.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from evonas.config import RuntimeConfig
from evonas.records import RunKind
from evonas.runtime.kind import unpacked
from evonas.runtime.ray_pool.cluster import last_line, look, reason
from evonas.runtime.ray_pool.nodes import ClusterNode
from evonas.runtime.ray_pool.worker import WorkerActor
from evonas.runtime.sandbox.worker_process import WorkerProcessLost

CHECK_S = 1.0


@dataclass(slots=True, eq=False)
class Start:
    """A worker that is starting.

    Attributes:
        actor: Ray's handle of its actor.
        call: Its next answer, which Ray can wait for.
        node: The id of its node, "" until it is placed.
        kind: Of its work, once it is ready.
    """

    actor: Any
    call: Any
    node: str = ""
    kind: RunKind = field(default_factory=RunKind)


class Fault(Enum):
    """Why a start failed."""

    REFUSED = "the worker itself says that it cannot start"
    KILLED = "its process was ended from outside"
    LOST = "its actor or node is gone, or lacks what a worker needs"


class StartError(Exception):
    """A start has failed; the text says why."""

    def __init__(self, fault: Fault, why: str) -> None:
        super().__init__(why)
        self.fault = fault


class Launcher:
    """Starts the workers of a pool.

    Args:
        config: The pool's.
        payload: The packed factory, as a reference into Ray's object store.
        check: Called again and again while it is waited for answers; raises where none can come any more.
    """

    def __init__(self, config: RuntimeConfig, payload: Any, check: Callable[[], None] = lambda: None) -> None:
        self._payload, self._pass_env, self._check = payload, config.pass_env, check
        self._memory_mb = config.own_memory_mb or None
        self._actor: Any = ray.remote(num_cpus=config.cpus_per_worker, max_restarts=0, max_task_retries=0)(WorkerActor)

    def start(self, gpus: float, avoided: Collection[str]) -> Start:
        """Starts a worker as soon as Ray finds a place for it.

        Args:
            gpus: Its share of a GPU, 0 for none.
            avoided: The ids of nodes that it must not come to.
        """
        where: dict[str, Any] = {"num_gpus": gpus}
        if avoided:
            where["label_selector"] = {"ray.io/node-id": f"!in({','.join(avoided)})"}
        actor = self._actor.options(**where).remote(self._payload, self._memory_mb, self._pass_env, gpus)
        return Start(actor, actor.node.remote())

    def settle(self, start: Start, node: str, share: float) -> None:
        """Lets a worker that was placed start its process.

        Args:
            start: The start.
            node: The id of its node.
            share: The part of the node's memory that is its own, from 0 to 1.
        """
        start.node, start.call = node, start.actor.ready.remote(share)

    def answered(self, starts: Collection[Start], seconds: float) -> Sequence[Start]:
        """Waits for the first answer, and returns the starts that have one.

        Args:
            starts: Those to wait for, at least one.
            seconds: How long to wait at most.
        """
        by_call = {start.call: start for start in starts}
        end = time.monotonic() + seconds
        ready: list[Any] = []
        while not ready:
            self._check()
            left = max(0.0, end - time.monotonic())
            ready, _ = ray.wait(list(by_call), num_returns=1, timeout=min(left, CHECK_S))
            if left <= CHECK_S:
                break
        if ready and len(by_call) > 1:
            ready, _ = ray.wait(list(by_call), num_returns=len(by_call), timeout=0)
        return [by_call[call] for call in ready]

    def answer(self, start: Start) -> str:
        """Returns the answer of a start that has one: the id of its node, then, once the worker is ready, nothing; its
        kind is known by then.

        Raises:
            StartError: It has failed.
        """
        try:
            found = ray.get(start.call)
            if not start.node:
                return str(found)
            start.kind = unpacked(found)
            return ""
        except RayTaskError as error:
            fault = Fault.KILLED if isinstance(error, WorkerProcessLost) else Fault.REFUSED
            raise StartError(fault, last_line(error)) from None
        except RayError as error:
            raise StartError(Fault.LOST, reason(error)) from None

    def kill(self, actor: Any) -> None:
        """Ends an actor, and with it all that it started."""
        ray.kill(actor)

    def nodes(self) -> tuple[list[ClusterNode], list[str]]:
        """Returns the living nodes, and the ids of those that are being drained."""
        return look()
