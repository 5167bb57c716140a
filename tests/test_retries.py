"""Whatever happens to the tries of jobs: each job ends once, and what happened is counted right."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from evonas.config import RuntimeConfig
from evonas.errors import Halted
from evonas.records import Candidate, Evaluation, Job, RungReport, Status
from evonas.runtime.retries import CRASHES, FIRST_DELAY_S, LONGEST_DELAY_S, LOSSES, Attempt, Place, Retries
from evonas.runtime.runtime import Message, WorkerExit

CONFIG = RuntimeConfig(deadline_minutes=10, lease_s=30, unavailable_minutes=2)
PLACES = st.sampled_from([Place("a", "GPU-0"), Place("a", "GPU-1"), Place("b"), Place("c")])
SPENT = st.integers(0, 500).map(float)


def job(index: int) -> Job:
    return Job(Candidate(index, (index,), (), "random", 0, 0))


@dataclass
class Worker:
    place: Place
    jobs: Sequence[Attempt] = ()


@dataclass
class Known:
    """A job as it should be. due: when it may be begun; None while it is in work, or has ended."""

    due: float | None
    tries: int = 1
    crashes: list[Place] = field(default_factory=list)
    losses: list[Place] = field(default_factory=list)
    spent_s: float = 0.0
    reached: int = 0
    postponed: list[float] = field(default_factory=list)
    ended: bool = False


OPEN = precondition(lambda self: self.retries.pending)


class AnyEvents(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.retries = Retries(CONFIG, lambda: self.now)
        self.known: list[Known] = []
        self.begun: dict[int, Attempt] = {}
        self.dead: set[str] = set()
        self.over = False

    @initialize()
    def first(self) -> None:
        self.submit()

    @precondition(lambda self: self.retries.pending < 3)
    @rule()
    def submit(self) -> None:
        self.retries.submit(job(len(self.known)))
        self.known.append(Known(due=self.now))

    @rule(seconds=st.integers(0, 40))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(workers=st.lists(PLACES.map(Worker), max_size=3), others=st.booleans())
    def begin(self, workers: list[Worker], others: bool) -> None:
        due = {attempt.job.candidate.index: attempt for attempt in self.retries.due()}
        assert set(due) == {i for i, known in enumerate(self.known) if known.due is not None and known.due <= self.now}
        for index, attempt in due.items():
            worker = self.retries.choose(attempt, workers, others)
            if worker is None:
                assert not workers or (others and {worker.place for worker in workers} <= set(attempt.crashes))
                self.retries.give_back(attempt)
                self.known[index].due = self.now
                continue
            shun = {*attempt.crashes, *attempt.losses}
            assert worker.place not in shun or {worker.place for worker in workers} <= shun
            assert self.retries.seconds(attempt) == max(1.0, 600 - self.known[index].spent_s)
            self.known[index].due = None
            self.begun[index] = attempt

    @OPEN
    @rule(data=st.data())
    def is_handed_back(self, data: st.DataObject) -> None:
        index, attempt = self.take(data)
        self.retries.give_back(attempt)
        self.known[index].due = self.now

    @OPEN
    @rule(data=st.data())
    def reports(self, data: st.DataObject) -> None:
        index, attempt = self.take(data)
        self.begun[index] = attempt
        known = self.known[index]
        report = RungReport(index, known.reached, {"error": float(known.reached)})
        assert self.retries.heard(attempt, report) is report
        known.reached += 1
        known.postponed = []

    @OPEN
    @rule(data=st.data())
    def is_done(self, data: st.DataObject) -> None:
        index, attempt = self.take(data)
        answer = self.retries.heard(attempt, Evaluation(attempt.job.candidate, Status.OK, rungs=attempt.job.reached))
        self.ends(index, [answer], Status.OK)

    @OPEN
    @rule(data=st.data(), place=PLACES, spent_s=SPENT)
    def crashes(self, data: st.DataObject, place: Place, spent_s: float) -> None:
        index, attempt = self.take(data)
        answer = self.retries.crashed(attempt, spent_s, place, WorkerExit(Status.FAILED_CRASH, "segfault"))
        known = self.known[index]
        known.crashes.append(place)
        known.spent_s += spent_s
        self.again_or_ends(index, answer, len(known.crashes) >= CRASHES, "segfault (crashed 2 times)")

    @OPEN
    @rule(data=st.data(), spent_s=SPENT, status=st.sampled_from([Status.FAILED_TIMEOUT, Status.FAILED_ERROR]))
    def fails(self, data: st.DataObject, spent_s: float, status: Status) -> None:
        index, attempt = self.take(data)
        self.known[index].spent_s += spent_s
        if status is Status.FAILED_ERROR:
            self.ends(index, self.retries.broke(attempt, spent_s, "no answer"), status, "no answer")
        else:
            self.ends(
                index,
                self.retries.crashed(attempt, spent_s, Place("a"), WorkerExit(status, "killed")),
                status,
                "killed",
            )

    @OPEN
    @rule(data=st.data(), place=PLACES, dies=st.booleans())
    def loses_its_worker(self, data: st.DataObject, place: Place, dies: bool) -> None:
        index, attempt = self.take(data)
        if dies:
            self.dead.add(place.node)
        answer = self.retries.lost(attempt, place, lambda place: place.node not in self.dead, "silent")
        known = self.known[index]
        known.losses.append(place)
        living = sum(place.node not in self.dead for place in known.losses)
        self.again_or_ends(index, answer, living >= LOSSES, "lost 5 workers on nodes that live; the last: silent")

    @OPEN
    @rule(data=st.data(), place=PLACES, works=st.booleans())
    def loses_its_gpu(self, data: st.DataObject, place: Place, works: bool) -> None:
        index, attempt = self.take(data)
        answer = self.retries.lost_gpu(attempt, place, lambda _: works, "a GPU is away")
        known = self.known[index]
        known.losses.append(place)
        if works and len(known.losses) >= LOSSES:
            self.ends(index, answer, Status.FAILED_CRASH, "lost 5 GPUs that work for others; the last: a GPU is away")
        else:
            self.waits(known)

    @rule()
    def all_nodes_are_back(self) -> None:
        self.dead.clear()

    @OPEN
    @rule(data=st.data())
    def is_postponed(self, data: st.DataObject) -> None:
        index, attempt = self.take(data)
        self.retries.postponed(attempt, f"phone {index} is away")
        self.waits(self.known[index])
        assert self.retries.notes[0].endswith(f": phone {index} is away")

    def waits(self, known: Known) -> None:
        known.postponed.append(self.now)
        delay = min(FIRST_DELAY_S * 2 ** (len(known.postponed) - 1), LONGEST_DELAY_S)
        until = known.postponed[0] + 120
        known.due = min(self.now + delay, until)
        self.over |= self.now >= until

    @invariant()
    def open_ones_are_counted(self) -> None:
        assert self.retries.pending == sum(not known.ended for known in self.known)

    @invariant()
    def it_is_over_where_one_waited_too_long(self) -> None:
        if not self.over:
            self.retries.check()
            return
        with pytest.raises(
            Halted, match=r"is away, for 2 minutes \(runtime\.unavailable_minutes\); what was evaluated"
        ):
            self.retries.check()

    def teardown(self) -> None:
        """All that is not ended can be ended, after the longest delay."""
        self.now += LONGEST_DELAY_S
        self.begin([Worker(Place("z"))], False)
        assert set(self.begun) == {index for index, known in enumerate(self.known) if not known.ended}
        for index, attempt in self.begun.items():
            answer = self.retries.heard(
                attempt, Evaluation(attempt.job.candidate, Status.OK, rungs=attempt.job.reached)
            )
            self.ends(index, [answer], Status.OK)
        assert self.retries.pending == 0
        assert not self.retries.due()
        assert not self.retries.notes

    def take(self, data: st.DataObject) -> tuple[int, Attempt]:
        """One that is begun; where none is, one that will be next."""
        if not self.begun:
            self.now = max(self.now, min(known.due for known in self.known if known.due is not None))
            self.begin([Worker(Place("z"))], False)
        index = data.draw(st.sampled_from(sorted(self.begun)))
        return index, self.begun.pop(index)

    def again_or_ends(self, index: int, answer: Sequence[Message], at_its_end: bool, message: str) -> None:
        known = self.known[index]
        if at_its_end:
            self.ends(index, answer, Status.FAILED_CRASH, message)
        else:
            assert not answer
            known.tries, known.due, known.postponed = known.tries + 1, self.now, []

    def ends(self, index: int, answer: Sequence[Message], status: Status, message: str = "") -> None:
        (last,) = answer
        known = self.known[index]
        assert isinstance(last, Evaluation)
        assert not known.ended
        assert (last.candidate.index, last.status) == (index, status)
        assert last.message.startswith(message)
        assert last.attempts == known.tries
        assert len(last.rungs) == known.reached
        if status is not Status.OK:
            assert last.train_s == known.spent_s
            assert last.metrics == ({"error": known.reached - 1.0} if known.reached else {})
        known.ended = True


TestAnyEvents = AnyEvents.TestCase
TestAnyEvents.settings = settings(max_examples=100, stateful_step_count=60, deadline=None, derandomize=True)


def test_what_waits_for_other_workers_does_not_wait_for_ever() -> None:
    now = 0.0
    retries = Retries(CONFIG, lambda: now)
    retries.submit(job(0))
    (attempt,) = retries.due()
    retries.crashed(attempt, 1.0, Place("a"), WorkerExit(Status.FAILED_CRASH, "segfault"))
    crowded, same = Worker(Place("b"), [attempt]), Worker(Place("a"))
    assert retries.choose(attempt, [same, crowded], True) is crowded
    assert retries.choose(attempt, [same], True) is None
    assert retries.choose(attempt, [same], False) is same
    now = CONFIG.lease_s
    assert retries.choose(attempt, [same], True) is same


def test_a_job_that_is_postponed_again_and_again_halts_the_search_after_a_last_try() -> None:
    now = 0.0
    retries = Retries(RuntimeConfig(unavailable_minutes=1.75), lambda: now)
    retries.submit(job(0))
    tried = []
    while not tried or tried[-1] < 105:
        (attempt,) = retries.due()
        retries.check()
        tried.append(now)
        retries.postponed(attempt, "phone is away")
        now += retries.rest
    assert tried == [0, 2, 6, 14, 30, 60, 90, 105]
    with pytest.raises(Halted, match=r"^phone is away, for 1\.75 minutes"):
        retries.check()


def test_a_report_shows_that_nothing_is_away() -> None:
    now = 0.0
    retries = Retries(CONFIG, lambda: now)
    retries.submit(job(0))
    for moment in (0.0, 100.0, 200.0, 300.0):
        now = moment
        (attempt,) = retries.due()
        retries.heard(attempt, RungReport(0, 0, {}))
        retries.postponed(attempt, "phone is away")
        assert retries.rest == FIRST_DELAY_S
        retries.check()


def test_a_job_that_loses_many_workers_on_nodes_that_live_is_to_blame() -> None:
    retries = Retries(CONFIG, lambda: 0.0)
    retries.submit(job(0))
    for node in "d" + "a" * (LOSSES - 1):
        (attempt,) = retries.due()
        assert not retries.lost(attempt, Place(node), {Place("a")}.__contains__, "silent")
    (attempt,) = retries.due()
    (last,) = retries.lost(attempt, Place("a"), {Place("a")}.__contains__, "silent")
    assert isinstance(last, Evaluation)
    assert (last.status, last.attempts) == (Status.FAILED_CRASH, LOSSES + 1)
    assert last.message == "lost 5 workers on nodes that live; the last: silent"


def test_the_rest_is_that_of_the_first_that_is_due() -> None:
    now = 0.0
    retries = Retries(CONFIG, lambda: now)
    assert retries.rest == float("inf")
    for index in range(2):
        retries.submit(job(index))
    first, second = retries.due()
    retries.postponed(first, "phone is away")
    now = 0.5
    retries.postponed(second, "tablet is away")
    assert retries.rest == FIRST_DELAY_S - 0.5
    assert retries.notes == ["2 candidates wait: tablet is away"]
    now = 10.0
    assert retries.rest == 0.0
    assert list(retries.due()) == [first, second]


def test_time_in_the_queue_is_known() -> None:
    now = 0.0
    retries = Retries(CONFIG, lambda: now)
    retries.submit(job(0))
    (attempt,) = retries.due()
    now = 60.0
    answer = retries.heard(attempt, Evaluation(attempt.job.candidate, Status.OK, measure_s=5.0, train_s=15.0))
    assert isinstance(answer, Evaluation)
    assert answer.queued_s == 40.0
