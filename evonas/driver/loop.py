"""The loop: breed what may be bred, hear what was reached, record what is complete."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

from evonas.config import Config
from evonas.driver.acceptance import accepted
from evonas.driver.account import Account, check_prices
from evonas.driver.breeding import Breeder
from evonas.driver.circuit_breaker import CircuitBreaker
from evonas.driver.founders import Founder, is_reused, taken_over
from evonas.driver.own_parts import calling
from evonas.driver.paused import Paused
from evonas.objectives.objectives import Objectives
from evonas.records import Evaluation, Job, RungReport, Status
from evonas.runtime import Message, Runtime
from evonas.spaces.space import Space
from evonas.store import Recovered, Store, screened_targets, to_row
from evonas.strategies import Exhausted

PATIENCE_S = 0.5  # how long to wait for news before the watcher is asked again
Watch = Callable[["Search", Evaluation | None], None]
"""Called with each evaluated candidate, and with None while nothing happens."""


class Search:
    def __init__(
        self,
        config: Config,
        space: Space,
        objectives: Objectives,
        store: Store,
        runtime: Runtime,
        watch: Watch,
        founders: Sequence[Founder] | None = None,
    ) -> None:
        self.config, self.objectives, self.runtime = config, objectives, runtime
        self.breeder = Breeder(config, space, objectives, founders)
        self.circuit_breaker = CircuitBreaker(config)
        self.statuses: Counter[str] = Counter()
        self.reused = 0
        """Evaluations that were taken over from another run; no budget is used up by them."""
        self.ended = ""
        """Why nothing more is bred; empty while something may be."""
        self.doing = ""
        """What is done after the last candidate, for people; empty until then."""
        self.owner = ""
        """Of its measurements, as the device lock has it."""
        self._space, self._store, self._watch = space, store, watch
        self._paused = Paused(store.checkpoints, config.training.checkpoints_mb)
        self._waiting: list[Job] = []  # bred before a restart and not evaluated
        self._committed = self._reused_trained = 0
        self.screened: dict[int, Mapping[str, str]] = {}
        """Conditions of candidates that some target has not measured to the end."""
        self._earlier_s, self._started = 0.0, time.monotonic()
        self._account = Account(runtime)

    @property
    def elapsed_s(self) -> float:
        """Running time over all starts."""
        return self._earlier_s + time.monotonic() - self._started

    @property
    def gpu_s(self) -> float:
        """GPU seconds for which GPUs were held over all starts; of those before, up to their last evaluation."""
        return self._account.all_gpu_s

    @property
    def usd(self) -> float | None:
        """US dollars that nodes cost over all starts, of those before up to their last evaluation or their end; None
        where no node has had a price."""
        return self._account.all_usd

    @property
    def rest_usd(self) -> float:
        """US dollars of this start since its last evaluation."""
        return self._account.rest_usd

    @property
    def evaluated(self) -> int:
        return sum(self.statuses.values())

    @property
    def evaluated_here(self) -> int:
        """Of these, those that were not taken over from another run; a budget counts them."""
        return self.evaluated - self.reused

    @property
    def trained_here(self) -> int | None:
        """Networks that have passed rung 0, but for those that were taken over; None in a search without one."""
        trained = self.breeder.buffer.trained
        return None if trained is None else trained - self._reused_trained

    @property
    def order(self) -> list[int]:
        """Decided candidates in the order that counts."""
        return self.breeder.buffer.order

    def restore(self, record: Recovered) -> None:
        """Replay what was recorded; candidates that were bred and not evaluated are submitted again."""
        for evaluation in record.evaluated:
            self.breeder.buffer.add_evaluation(evaluation)
            self._count(evaluation)
        for report in record.reached:
            self.breeder.buffer.add_report(report)
        for candidate, reached in record.births():
            job = self.breeder.recall(candidate, reached or (), decided=reached is None)
            if reached is not None:
                self._waiting.append(job)
        self._paused.restore(record.evaluated)
        self._store.restore(record)
        self._account.restore(record.rest_usd)
        self._committed, self._earlier_s = record.committed, record.elapsed_s

    def run(self) -> None:
        """Until the budget is used up or the space holds nothing new; then nothing is left pending, but for what was
        stopped because the time was used up.

        Raises:
            Halted: most candidates fail in the same way, a part of the user's own raises, or the record cannot be
                written any more.
        """
        while not self._stopped():
            self._submit()
            if self.ended and not self._waiting:
                if not self.runtime.pending:
                    break
                self.runtime.drain()
            messages = self.runtime.wait(PATIENCE_S)
            for message in messages:
                self._hear(message)
            self._commit(self.config.generation)
            self.circuit_breaker.check()
            if not messages:
                self._watch(self, None)
        self._commit(1)

    @property
    def unfinished(self) -> int:
        """Candidates that were bred and are not evaluated."""
        return self.runtime.pending + len(self._waiting)

    def _stopped(self) -> bool:
        """Whether the time or the money is used up by which what trains is stopped. It is pending in the record, as
        after a crash, and the search takes it up when it goes on."""
        budget = self.config.budget
        check_prices(budget.usd, self.runtime.spent, begun=True)
        if self.elapsed_s < budget.seconds and (self.usd or 0.0) < budget.hard_usd:
            return False
        self._look_at_budget()
        return True

    def _look_at_budget(self) -> None:
        evaluated = self.breeder.next - self.reused
        trained = evaluated if self.trained_here is None else self.trained_here
        spent = self.config.budget.spent(evaluated, self.elapsed_s, self.gpu_s, self.usd or 0.0, trained)
        self.ended = self.ended or spent

    def _room_to_train(self) -> bool:
        """Whether the next candidate is within the budget of trained ones, however rung 0 decides of those in work. So
        who is bred last hangs on no timing."""
        budget, trained = self.config.budget.trained, self.trained_here
        if not budget or trained is None:
            return True
        return trained + self.breeder.next - self.breeder.buffer.decided < budget

    def _submit(self) -> None:
        self._look_at_budget()
        jobs: list[Job] = []
        room = self.runtime.free_slots
        while len(jobs) < room and (job := self._next()):
            if left := self._left_of(job):
                jobs.append(left)
            self._look_at_budget()
        self._store.flush()
        self._paused.tidy()
        until = time.time() + self.config.budget.seconds - self.elapsed_s
        for job in jobs:
            self.runtime.submit(replace(self._paused.job(job), until=until))

    def _next(self) -> Job | None:
        if self._waiting:
            return self._waiting.pop(0)
        if self.ended or not (self.breeder.ready() and self._room_to_train()):
            return None
        try:
            job = self.breeder.breed()
        except Exhausted as reason:
            self.ended = str(reason)
            return None
        self._store.record_candidate(job.candidate)
        return job

    def _left_of(self, job: Job) -> Job | None:
        """What is left to do of a job when all has been heard that another run knows of its candidate."""
        founder = self.breeder.founder(job.candidate.index)
        if founder is None:
            return job
        known, left = taken_over(job, founder, self.objectives)
        for message in known:
            self._hear(message)
        self._commit(self.config.generation)
        return left

    def _hear(self, said: Message) -> None:
        message = self._with_spending(accepted(said, self.objectives))
        if message is None:
            return
        if isinstance(message, RungReport):
            self._store.reached(message)
            self.breeder.buffer.add_report(message)
            return
        genome = message.candidate.genome
        with calling(f"space {type(self._space).__name__}", f"decode of candidate {message.candidate.index}"):
            arch = json.dumps(self._space.decode(genome).to_dict())
        violation = self.objectives.violation(message.metrics)
        self.breeder.buffer.add_evaluation(message)
        if message.weights and message.candidate.index in self.front():  # before the decision can become durable
            self._store.weights.save(message.candidate.index, message.weights)
        self._paused.hear(message, lambda: self.breeder.paused)
        self._store.logs.save(message.candidate.index, message.log, message.status.failed)
        identity = self.breeder.identities[message.candidate.index]
        self._store.record_evaluation(to_row(message, arch, identity, violation), self.elapsed_s)
        self._count(message)
        self.circuit_breaker.record(message)
        self._watch(self, message)

    def _commit(self, least: int) -> None:
        """Record complete generations; with least = 1, also the last one that is not."""
        size = self.config.generation
        while len(self.order) - self._committed >= least:
            block = self.order[self._committed : self._committed + size]
            end = self._committed + len(block)
            population = ((s.index, s.rank, s.crowding) for s in self.breeder.population(end))
            self._store.commit(block, self._committed, population, self.elapsed_s)
            self._committed = end
            self._store.weights.keep(self.front())

    def tell(self, doing: str) -> None:
        """Say what is done after the last candidate."""
        self.doing = doing
        self._watch(self, None)

    def front(self) -> set[int]:
        """Who is on the front, by what the rows say."""
        return {fitness.index for fitness in self.breeder.buffer.front}

    @property
    def unmeasured(self) -> Set[int]:
        """Candidates that some target has not measured to the end; where latencies come from a table, all of them."""
        return set(self.order) if self.objectives.tables else self.screened.keys()

    def _count(self, evaluation: Evaluation) -> None:
        self.statuses[evaluation.status.value] += 1
        if screened_targets(evaluation.conditions):
            self.screened[evaluation.candidate.index] = evaluation.conditions
        if is_reused(evaluation, self.breeder.founder(evaluation.candidate.index)):
            self.reused += 1
            self._reused_trained += len(evaluation.rungs) > (evaluation.status is Status.STOPPED)
        else:
            self._account.count(evaluation, self.config.runtime.gpus_at_first)

    def _with_spending(self, message: Message | None) -> Message | None:
        """An evaluation says what was spent since the one before, so that a search that goes on knows."""
        if not isinstance(message, Evaluation) or is_reused(message, self.breeder.founder(message.candidate.index)):
            return message
        return self._account.told(message)
