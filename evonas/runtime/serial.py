"""The serial runtime: one job after the other in this process, which a debugger can follow."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import ModuleType

from evonas.code_owner import place_of
from evonas.config import RuntimeConfig
from evonas.errors import UserError
from evonas.excerpt import Excerpt
from evonas.prices import Prices, names_of_this_machine
from evonas.records import Deferred, Job, RungReport
from evonas.runtime.cost_clock import HOUR_S, CostClock, Spending
from evonas.runtime.global_state import GlobalState, with_note
from evonas.runtime.printed import also_kept, with_printed
from evonas.runtime.retries import Attempt, Retries
from evonas.runtime.runtime import NO_REMOTES, Factory, Message, OnWait, Remotes, Work, at_any_cost
from evonas.text import describe_error


class Serial:
    """A runtime whose `wait` runs the job up to its next report, in the calling thread.

    A candidate that hangs or kills its process hangs or kills the search: deadlines and limits would end a debugger's
    pause as well. A killed search resumes. What a candidate changes for all of the process is put back after it.

    Args:
        factory: Makes the `Work`.
        config: The section `runtime`.
        modules: Not used: this process has them.
        remotes: The targets that are not measured here.
        on_wait: Not used: its worker is there at once.

    Raises:
        UserError: A target is to be measured on a node of a cluster, or the factory is the user's own and raises.
    """

    workers = 1
    late_results = 0

    def __init__(
        self,
        factory: Factory,
        config: RuntimeConfig,
        modules: Sequence[ModuleType] = (),
        remotes: Remotes = NO_REMOTES,
        on_wait: OnWait = at_any_cost,
    ) -> None:
        if remotes.resources:
            raise UserError(f"targets.{min(remotes.resources)}.resource needs runtime.kind: ray")
        self._work, self._endpoints = _work(factory), remotes.endpoints
        self._retries = Retries(config)
        self._gpus, self._started = config.gpus_at_first, time.monotonic()
        prices = Prices(config.own_prices)
        usd_per_hour = prices.of(names_of_this_machine())
        self._usd_per_s = None if usd_per_hour is None else usd_per_hour / HOUR_S
        self._cost = CostClock(prices)
        self._cost.hold([names_of_this_machine()])
        self._running: tuple[Attempt, Iterator[Message | Deferred]] | None = None
        self._state = GlobalState(own_process=False)
        self._printed = Excerpt()

    @property
    def gpu_s(self) -> float:
        return self._gpus * (time.monotonic() - self._started)

    @property
    def spent(self) -> Spending:
        return self._cost.spent

    @property
    def notes(self) -> Sequence[str]:
        return self._retries.notes

    @property
    def free_slots(self) -> int:
        return 1 - self.pending

    @property
    def busy(self) -> int:
        return int(self._running is not None)

    @property
    def pending(self) -> int:
        return self._retries.pending

    def submit(self, job: Job) -> None:
        self._retries.submit(job)
        self._begin()

    def wait(self, seconds: float) -> Sequence[Message]:
        self._retries.check()
        if self.pending and self._running is None:
            time.sleep(min(seconds, self._retries.rest))
            self._begin()
        if self._running is None:
            return ()
        attempt, reports = self._running
        began = time.monotonic()
        with also_kept(self._printed):
            message = next(reports)
        attempt.pay(self._usd_per_s, time.monotonic() - began)
        if not isinstance(message, RungReport):
            message = with_printed(with_note(message, self._state.restore()), self._printed.data())
            self._running = None
        if isinstance(message, Deferred):
            self._retries.postponed(attempt, message.reason)
            return ()
        return (self._retries.heard(attempt, message),)

    def publish(self, run: str, values: Mapping[str, float]) -> None: ...

    def drain(self) -> None: ...

    def close(self) -> None:
        self._running = None

    def _begin(self) -> None:
        for attempt in self._retries.due():
            self._printed = Excerpt()
            self._running = attempt, self._work(replace(attempt.job, endpoints=self._endpoints))


def _work(factory: Factory) -> Work:
    try:
        return factory()
    except UserError:
        raise
    except Exception as error:
        if not (place := place_of(error)):
            raise
        raise UserError(f"runtime: a worker could not start: {describe_error(error)}{place}") from error
