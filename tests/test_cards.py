"""A GPU that crashes what comes to it: decided from what workers say, without Ray and without a GPU."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evonas.config import RuntimeConfig
from evonas.records import Candidate, Deferred, Evaluation, Job, Status
from evonas.runtime.ray_pool.cards import STRIKES, TOGETHER_S, Cards
from evonas.runtime.ray_pool.dispatcher import Dispatcher
from evonas.runtime.ray_pool.fleet import Fleet
from evonas.runtime.ray_pool.launcher import Start
from evonas.runtime.retries import Attempt, Place, Retries
from evonas.runtime.runtime import Message, WorkerExit, WorkerMessage
from tests.test_fleet import A, Launcher, fleet

BROKEN = WorkerExit(Status.FAILED_CRASH, "CUDA error")
GONE = Deferred(0, "the GPU of a worker is gone", lost_gpu=True)


@dataclass(eq=False)
class Worker:
    """One that says the same of each job, or does it."""

    place: Place
    fault: WorkerMessage | None = None
    jobs: deque[tuple[Attempt, Any]] = field(default_factory=deque)
    done_jobs: int = 0
    gpus: float = 1.0
    actor: str = ""
    began: float = 0.0
    is_new: bool = True

    @property
    def node(self) -> str:
        return self.place.node

    def start(self, attempt: Attempt, job: Job, seconds: float, beat: float) -> None:
        self.jobs.append((attempt, None))

    def fetch(self) -> WorkerMessage:
        return self.fault or Evaluation(self.jobs[0][0].job.candidate, Status.OK)

    def done(self) -> tuple[Attempt, float]:
        self.done_jobs += 1
        return self.jobs.popleft()[0], 0.1


@dataclass
class Pool:
    """A pool of such workers, with a clock of its own."""

    workers: Sequence[Worker]
    now: float = 0.0

    def __post_init__(self) -> None:
        self.retries = Retries(RuntimeConfig(), lambda: self.now)
        self.fleet: Fleet = fleet(Launcher([A]), workers=len(self.workers), gpus_per_worker=1)
        self.fleet.workers, self.fleet._starting = list(self.workers), []  # type: ignore[assignment]
        self.fleet._cards = Cards(lambda: self.now)
        self.dispatcher = Dispatcher(self.fleet, self.retries, dict, 30.0, lambda url, why: None)

    def search(self, jobs: int, step_s: float = 1.0) -> list[Message]:
        """All jobs to their ends; a step in which each worker answers takes so long."""
        ended: list[Message] = []
        for index in range(jobs):
            self.retries.submit(Job(Candidate(index, (0,), (), "random", 0, 0)))
        while self.retries.pending:
            self.retries.check()
            self.dispatcher.dispatch()
            self.now += step_s
            for worker in self.workers:
                if worker.jobs:
                    ended += self.dispatcher.receive(worker)  # type: ignore[arg-type]
        return ended


def places(*cards: str) -> list[Place]:
    return [Place("a", card) for card in cards]


def statuses(messages: Sequence[Message]) -> set[Status]:
    return {message.status for message in messages if isinstance(message, Evaluation)}


def test_a_card_that_crashes_everything_gets_no_more_and_no_candidate_is_blamed() -> None:
    for fault in (BROKEN, GONE):
        good, bad, other = (Worker(place) for place in places("GPU-0", "GPU-1", "GPU-2"))
        bad.fault = fault
        pool = Pool([good, bad, other])
        assert statuses(pool.search(30)) == {Status.OK}
        assert pool.fleet.idled == [bad]
        assert pool.fleet.able == [good, other]
        assert pool.fleet.notes == ["GPU-1 on host-a set aside, jobs keep crashing there"]
        tried = bad.done_jobs
        assert statuses(pool.search(30)) == {Status.OK}
        assert bad.done_jobs == tried
        pool.fleet.scale()
        assert not pool.fleet.starting, "Ray would give the card to the new worker"


def test_a_job_that_crashed_waits_for_another_card_that_is_to_come() -> None:
    first = Worker(Place("a", "GPU-0"), BROKEN)
    pool = Pool([first])
    pool.fleet._starting = [Start("to come", None)]
    pool.retries.submit(Job(Candidate(0, (0,), (), "random", 0, 0)))
    pool.dispatcher.dispatch()
    assert not pool.dispatcher.receive(first)  # type: ignore[arg-type]
    pool.dispatcher.dispatch()
    assert not first.jobs
    pool.fleet._starting = []
    pool.dispatcher.dispatch()
    assert first.jobs


def test_the_last_card_is_tried_on() -> None:
    good, bad = (Worker(place) for place in places("GPU-0", "GPU-1"))
    bad.fault = BROKEN
    pool = Pool([good, bad])
    pool.search(20)
    assert pool.fleet.able == [good]
    pool.fleet.workers = [bad]  # type: ignore[list-item]
    assert (pool.fleet.able, pool.fleet.idled) == ([bad], [])


def test_a_fault_that_ends_all_workers_of_a_card_is_that_of_one_of_them() -> None:
    shared = [Worker(place, BROKEN) for place in places("GPU-0", "GPU-0", "GPU-0")]
    pool = Pool([*shared, Worker(Place("a", "GPU-1"))])
    for index in range(3):
        pool.retries.submit(Job(Candidate(index, (0,), (), "random", 0, 0)))
    attempts = list(pool.retries.due())
    for worker, attempt in zip(shared, attempts, strict=True):
        worker.jobs.append((attempt, None))
        assert not pool.dispatcher.receive(worker)  # type: ignore[arg-type]
    assert [len(attempt.crashes) for attempt in attempts] == [1, 0, 0]
    assert [len(attempt.losses) for attempt in attempts] == [0, 1, 1]


def test_crashes_of_one_worker_or_far_apart_have_causes_of_their_own() -> None:
    now = 0.0
    cards, place = Cards(lambda: now), Place("a", "GPU-0")
    assert not cards.fell_with(place, "one")
    assert not cards.fell_with(place, "one")
    assert cards.fell_with(place, "other")
    now = 2 * TOGETHER_S
    assert not cards.fell_with(place, "other")


def test_a_job_that_a_card_completes_clears_it() -> None:
    cards, place = Cards(), Place("a", "GPU-0")
    for _ in range(STRIKES - 1):
        cards.crashed(place, others=True)
    assert not cards.works(place)
    cards.worked(place)
    assert cards.works(place)
    for _ in range(STRIKES):
        assert not cards.aside
        cards.crashed(place, others=True)
    assert cards.aside == {place}
