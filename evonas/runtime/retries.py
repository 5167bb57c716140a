"""What follows when a try of a job ends: the job's end, another try, or a wait before it.

Decides from what it is told and by its clock; knows nothing of Ray, of processes or of what a job means.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, TypeVar

from evonas.config import RuntimeConfig
from evonas.errors import Halted
from evonas.records import Evaluation, Job, RungReport, Status
from evonas.runtime.runtime import Message, WorkerExit

CRASHES = 2  # a job that crashes so often is at its end
LOSSES = 5  # so many workers on nodes that live on: then it was the job after all
FIRST_DELAY_S = 2.0  # before a postponed job is tried again; twice as long each time
LONGEST_DELAY_S = 30.0
SHORTEST_S = 1.0  # what is left of a deadline at least


class Place(NamedTuple):
    """Where a worker is: its node, and its GPU there, "" for none."""

    node: str
    card: str = ""


class WorkerLoad(Protocol):
    """place: where it is. jobs: handed to it and not ended."""

    @property
    def place(self) -> Place: ...
    @property
    def jobs(self) -> Sized: ...


W = TypeVar("W", bound=WorkerLoad)


@dataclass(slots=True, eq=False)
class Attempt:
    """A job as it is followed: what it reported, how its tries ended. Times are seconds on the clock of its `Retries`.

    tries: times it was begun, but for those that were postponed. crashes: where it crashed, which may be its
    own fault. losses: what took it along when it vanished, or its workers there, which is not. spent_s: time that
    the tries took which ended by themselves. patient_until: how long it waits for a place that it has not crashed on.
    delay_s: how long it waited for this try, or waits for the next, because the one before was postponed; else 0.
    away_since: when the first of those in a row was postponed. due: when it is tried again. reason: why not now.
    usd: what its tries have cost by now, US dollars; None where a price is not known.
    """

    job: Job
    submitted: float
    tries: int = 1
    crashes: list[Place] = field(default_factory=list)
    losses: list[Place] = field(default_factory=list)
    spent_s: float = 0.0
    patient_until: float = 0.0
    delay_s: float = 0.0
    away_since: float = 0.0
    due: float = 0.0
    reason: str = ""
    usd: float | None = 0.0

    def pay(self, usd_per_s: float | None, seconds: float) -> None:
        """Adds what a try has cost: a worker's part of its node, at the node's price, None where that is not known."""
        self.usd = None if usd_per_s is None or self.usd is None else self.usd + usd_per_s * seconds


class Retries:
    """The jobs that were submitted and have not ended.

    Each is either with the caller, from `due` until the caller says how its try ended, or here: in the queue for a
    worker, or postponed. `heard`, `crashed`, ... take an attempt that is with the caller; where that ends its job, they
    give the `Evaluation`, else it is here again.

    open: how many there are. clock: seconds; never goes back.
    """

    def __init__(self, config: RuntimeConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self.pending = 0
        self._config, self._clock = config, clock
        self._queue: deque[Attempt] = deque()
        self._postponed: list[Attempt] = []  # the newest is the last
        self._over = ""

    @property
    def notes(self) -> Sequence[str]:
        count = len(self._postponed)
        who = "1 candidate waits" if count == 1 else f"{count} candidates wait"
        return [f"{who}: {self._postponed[-1].reason}"] if count else []

    @property
    def rest(self) -> float:
        """Seconds until the first of the postponed jobs is due."""
        return max(0.0, min((attempt.due for attempt in self._postponed), default=float("inf")) - self._clock())

    def check(self) -> None:
        """See whether to go on.

        Raises:
            Halted: a job was postponed again and again, for longer than `runtime.unavailable_minutes`.
        """
        if self._over:
            raise Halted(self._over)

    def submit(self, job: Job) -> None:
        self.pending += 1
        self._queue.append(Attempt(job, self._clock()))

    def due(self) -> Sequence[Attempt]:
        """Those to be begun now. The caller begins them, or gives them back."""
        now = self._clock()
        due = [*self._queue, *(attempt for attempt in self._postponed if attempt.due <= now)]
        self._queue.clear()
        self._postponed = [attempt for attempt in self._postponed if attempt.due > now]
        return due

    def give_back(self, attempt: Attempt) -> None:
        """It could not be begun yet: it waits for a worker, as it was."""
        self._queue.append(attempt)

    def choose(self, attempt: Attempt, workers: Iterable[W], others: bool) -> W | None:
        """Where to begin it: not on a card, nor on a node, where it crashed or was lost, if that can be; then where
        fewest wait.

        others: workers on nodes that it has not crashed on are still to come; it waits for them, but not for long.
        """
        shun = {*attempt.crashes, *attempt.losses}
        nodes = {place.node for place in shun}
        patient = others and self._clock() < attempt.patient_until
        free = [worker for worker in workers if not (patient and worker.place in attempt.crashes)]

        def cost(worker: W) -> tuple[bool, bool, int]:
            return worker.place in shun, worker.place.node in nodes, len(worker.jobs)

        return min(free, key=cost, default=None)

    def seconds(self, attempt: Attempt) -> float:
        """What is left of its deadline."""
        return max(SHORTEST_S, self._config.deadline_minutes * 60 - attempt.spent_s)

    def heard(self, attempt: Attempt, message: Message) -> Message:
        """Remember a report, so that another try goes on from there; complete a final word."""
        attempt.delay_s = 0.0
        if isinstance(message, RungReport):
            attempt.job = replace(attempt.job, reached=(*attempt.job.reached, message))
            return message
        self.pending -= 1
        waited = self._clock() - attempt.submitted - message.measure_s - message.train_s
        return replace(message, attempts=attempt.tries, queued_s=max(0.0, waited), usd=attempt.usd)

    def crashed(self, attempt: Attempt, spent_s: float, place: Place, death: WorkerExit) -> Sequence[Message]:
        """It killed its process, or had to be killed: it is at its end, or gets another try, at another place."""
        attempt.spent_s += spent_s
        if death.status is Status.FAILED_CRASH:
            attempt.crashes.append(place)
            if len(attempt.crashes) < CRASHES:
                attempt.patient_until = self._clock() + self._config.lease_s
                return self._again(attempt)
        times = f" (crashed {len(attempt.crashes)} times)" if len(attempt.crashes) > 1 else ""
        return self._failed(attempt, death.status, death.message + times, death.log)

    def lost(self, attempt: Attempt, place: Place, lives: Callable[[Place], bool], why: str) -> Sequence[Message]:
        """Its worker was lost: not its fault, unless it loses many on nodes that live on. Its deadline begins anew."""
        attempt.losses.append(place)
        if sum(map(lives, attempt.losses)) < LOSSES:
            return self._again(attempt)
        message = f"lost {LOSSES} workers on nodes that live; the last: {why}"
        return self._failed(attempt, Status.FAILED_CRASH, message)

    def lost_gpu(self, attempt: Attempt, place: Place, works: Callable[[Place], bool], why: str) -> Sequence[Message]:
        """The GPU under it was lost: not its fault, unless it loses many that work for others. Tried again elsewhere,
        or there when it may be back."""
        attempt.losses.append(place)
        if sum(map(works, attempt.losses)) < LOSSES:
            self.postponed(attempt, why)
            return ()
        message = f"lost {LOSSES} GPUs that work for others; the last: {why}"
        return self._failed(attempt, Status.FAILED_CRASH, message)

    def broke(self, attempt: Attempt, spent_s: float, why: str) -> Sequence[Message]:
        """Its try ended without an answer."""
        attempt.spent_s += spent_s
        return self._failed(attempt, Status.FAILED_ERROR, why)

    def postponed(self, attempt: Attempt, reason: str) -> None:
        """Something that it needs is away: that try counts for nothing, the next one comes after a delay."""
        now, minutes = self._clock(), self._config.unavailable_minutes
        if not attempt.delay_s:
            attempt.away_since = now
        until = attempt.away_since + minutes * 60
        if now >= until:
            self._over = (
                f"{reason}, for {minutes:g} minutes (runtime.unavailable_minutes); what was evaluated is recorded"
            )
        attempt.delay_s = min(2 * attempt.delay_s or FIRST_DELAY_S, LONGEST_DELAY_S)
        attempt.due, attempt.reason = min(now + attempt.delay_s, until), reason
        self._postponed.append(attempt)

    def _again(self, attempt: Attempt) -> Sequence[Message]:
        attempt.tries += 1
        attempt.delay_s = 0.0
        self._queue.append(attempt)
        return ()

    def _failed(self, attempt: Attempt, status: Status, message: str, log: str = "") -> Sequence[Message]:
        self.pending -= 1
        return (
            Evaluation(
                attempt.job.candidate,
                status,
                attempt.job.reached[-1].metrics if attempt.job.reached else {},
                rungs=attempt.job.reached,
                message=message,
                attempts=attempt.tries,
                train_s=attempt.spent_s,
                usd=attempt.usd,
                finished_at=time.time(),
                log=log,
            ),
        )
