"""A pool of persistent Ray actors. Ray is transport: attempts and their outcomes are ours.

Actors neither restart nor retry by themselves. A worker that dies is replaced; its job in work is tried once more
elsewhere, a job that only waited behind it is submitted again and not blamed.
"""

import math
import os
import socket
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from evonas.config import RuntimeConfig
from evonas.records import Evaluation, Job, UserError
from evonas.runtime.pool import Attempt, Factory, Message, Work

CONNECT_S = 5.0
USER_ERROR = f"{UserError.__module__}.{UserError.__qualname__}: "
TRIES = 2
START_S = 300.0  # until the first worker must be there; a cluster may have to start a machine
AHEAD = 2  # jobs handed to a worker: one in work, one waiting


class _Worker:
    def __init__(self, factory: Factory) -> None:
        self._work: Work = factory()

    def ready(self) -> None:
        """Answers once the worker can work."""

    def run(self, job: Job) -> Iterator[Message]:
        yield from self._work(job)


class _Slot:
    """One worker and the jobs handed to it, oldest first; each with the stream of its reports."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.jobs: deque[tuple[Attempt, Any]] = deque()

    def start(self, attempt: Attempt) -> None:
        self.jobs.append((attempt, self.actor.run.options(num_returns="streaming").remote(attempt.job)))


class RayPool:
    """Workers on a Ray of this run's own (`address: local`), on a cluster, or on the Ray that the caller has started.

    A worker gets jobs once it has answered; those that find no room in the cluster wait for it and cost nothing.

    modules: the user's modules, sent to the workers by value, so that a cluster need not have them.

    Raises:
        UserError: no cluster at the address, one with no room for a single worker, or a config that workers refuse.
    """

    def __init__(self, factory: Factory, config: RuntimeConfig, modules: Sequence[ModuleType] = ()) -> None:
        self._slots: list[_Slot] = []
        self._starting: dict[Any, _Slot] = {}  # its answer to come -> worker
        self._homeless: deque[Attempt] = deque()  # jobs of dead workers while there is no other
        self._own = not ray.is_initialized()
        if self._own:
            _connect(config)
        for module in modules:
            ray.cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
        self._actor: Any = ray.remote(
            num_cpus=config.cpus_per_worker, num_gpus=config.gpus_per_worker, max_restarts=0, max_task_retries=0
        )(_Worker)
        try:
            self.workers = _fitting(config) if config.workers == "auto" else config.workers
            self._factory = ray.put(factory)
            for _ in range(self.workers):
                self._hire()
            self._welcome(START_S)
            if not self._slots:
                needs = f"{config.cpus_per_worker:g} CPUs and {config.gpus_per_worker:g} GPUs"
                raise UserError(f"runtime: no worker of {needs} started in {START_S:g} s; is the cluster that large?")
        except BaseException:
            self.close()
            raise

    @property
    def room(self) -> int:
        return max(0, AHEAD * len(self._slots) - self.open)

    @property
    def busy(self) -> int:
        return sum(bool(slot.jobs) for slot in self._slots)

    @property
    def open(self) -> int:
        return sum(len(slot.jobs) for slot in self._slots) + len(self._homeless)

    def submit(self, job: Job) -> None:
        self._start(Attempt(job))

    def wait(self, seconds: float) -> Sequence[Message]:
        streams = {slot.jobs[0][1]: slot for slot in self._slots if slot.jobs}
        sources = [*streams, *self._starting]
        if not sources:
            return ()
        ready, _ = ray.wait(sources, num_returns=1, timeout=seconds, fetch_local=False)
        if ready and len(sources) > 1:
            ready, _ = ray.wait(sources, num_returns=len(sources), timeout=0, fetch_local=False)
        self._welcome(0)
        return [message for source in ready if source in streams for message in self._hear(streams[source])]

    def close(self) -> None:
        for slot in (*self._slots, *self._starting.values()):
            ray.kill(slot.actor)
        self._slots, self._starting = [], {}
        if self._own:
            ray.shutdown()

    def _hear(self, slot: _Slot) -> list[Message]:
        """The next report of a worker's oldest job; of its end, whatever that was."""
        attempt, stream = slot.jobs[0]
        try:
            message = attempt.hear(ray.get(next(stream)))
        except StopIteration:
            message = attempt.broke("its work ended without a result")
        except RayTaskError as error:  # what the work itself raised
            message = attempt.broke(_last_line(error))
        except RayError as error:  # its process or node is gone, or what it reported is
            return self._bury(slot, _last_line(error).partition(". ")[0])
        if isinstance(message, Evaluation):
            slot.jobs.popleft()
        return [message]

    def _bury(self, slot: _Slot, why: str) -> list[Message]:
        """Replace a dead worker; its job in work gets another try, or is at its end."""
        ray.kill(slot.actor)
        self._slots.remove(slot)
        self._hire()
        attempts = [attempt for attempt, _ in slot.jobs]
        ended: list[Message] = []
        if attempts[0].tries == TRIES:
            ended.append(attempts.pop(0).crashed(why))
        else:
            attempts[0].tries += 1
        for attempt in attempts:
            self._start(attempt)
        return ended

    def _start(self, attempt: Attempt) -> None:
        if self._slots:
            min(self._slots, key=lambda slot: len(slot.jobs)).start(attempt)
        else:
            self._homeless.append(attempt)

    def _hire(self) -> None:
        actor = self._actor.remote(self._factory)
        self._starting[actor.ready.remote()] = _Slot(actor)

    def _welcome(self, seconds: float) -> None:
        """Take up the workers that have answered; wait so long for the first.

        Raises:
            UserError: a worker could not start, and no other is there or to come.
        """
        if not self._starting:
            return
        calls = list(self._starting)
        answered, _ = ray.wait(calls, num_returns=1, timeout=seconds)
        if answered and len(calls) > 1:
            answered, _ = ray.wait(calls, num_returns=len(calls), timeout=0)
        for call in answered:
            slot = self._starting.pop(call)
            try:
                ray.get(call)
            except RayError as error:
                if not self._slots and not self._starting:
                    raise UserError(f"runtime: a worker could not start: {_last_line(error)}") from None
                continue
            self._slots.append(slot)
        while self._slots and self._homeless:
            self._start(self._homeless.popleft())


def _connect(config: RuntimeConfig) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": True}
    if config.address == "local":
        # As many workers as asked for run on this machine, even where they share its cores.
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        asked = 0 if config.workers == "auto" else math.ceil(config.workers * config.cpus_per_worker)
        options |= {"num_cpus": max(cores, asked), "include_dashboard": False}
    elif config.address != "auto":
        _check_reachable(config.address)
    try:
        ray.init(address=config.address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"runtime.address: no Ray cluster at {config.address!r}: {reason}") from None


def _check_reachable(address: str) -> None:
    """Ray itself tries an address for minutes before it gives up."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise UserError(f"runtime.address: no Ray cluster at {address!r} (HOST:PORT of its head): {error}") from None


def _fitting(config: RuntimeConfig) -> int:
    have = ray.cluster_resources()  # type: ignore[no-untyped-call]
    rooms = [
        have.get(name, 0) / need
        for name, need in (("CPU", config.cpus_per_worker), ("GPU", config.gpus_per_worker))
        if need
    ]
    workers = int(min(rooms, default=1))
    if workers < 1:
        raise UserError(
            f"runtime: a worker needs {config.cpus_per_worker:g} CPUs and {config.gpus_per_worker:g} GPUs, "
            f"but Ray has {have.get('CPU', 0):g} and {have.get('GPU', 0):g}"
        )
    return workers


def _last_line(error: RayError) -> str:
    """Ray ends its reports with the exception that was raised there."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].removeprefix(USER_ERROR)
