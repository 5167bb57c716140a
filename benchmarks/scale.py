"""How busy are simulated workers, and what does the driver take for it?

    python benchmarks/scale.py [--workers 8 64 512 4096] [--modes window async generation] [--candidates 40]

All is that of a search, on a disk, but the runtime and the workers' work, which are simulated, with a clock of their
own: each candidate takes a random time and has random results. As on Ray, a worker has one job in work and one waiting,
and each job is pickled. Two kinds of durations, both of variation 0.5 and of a mean of 10 minutes a candidate (1 minute
with more than 1,000 workers: 70 decisions a second with 4,096):

- full: lognormal
- stopped: rungs at 1, 3, 9, 27 of 81 epochs, each passed by a third of those that reach it

Printed: the share of the time that workers are busy until the last candidate starts (the tail is left out); the
driver's CPU time per candidate, over the whole search and over its last quarter, and how many cores that is at the
simulated pace; what it grew by in memory. Modes are those of `schedule.mode`, whose window grows where it does by
default; growing and fixed are windows that do and that do not. With --stuck, jobs that wait for a worker stay with it,
as they do not on Ray.
"""

import argparse
import heapq
import itertools
import pickle
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from _common import parse, resident_mb

from evonas.config import Config
from evonas.objectives.objectives import Objectives
from evonas.records import Epoch, Evaluation, InputSpec, Job, RungReport, Status, TaskSpec
from evonas.runtime import RUNTIMES, Factory, Message, Work
from evonas.runtime.cost_clock import Spending
from evonas.spaces.space import Space
from evonas.start import execute, prepare

SPEC = TaskSpec("nothing", InputSpec((3, 32, 32)), (10,))
VARIATION, KEEP = 0.5, 1 / 3
AHEAD = 2


class Simulated:
    """A runtime of which the clock jumps from report to report.

    Args:
        factory: makes what says what a candidate reaches.
        workers: how many are simulated.
        milestones: epochs at which a candidate reports.
        pace_s: mean seconds of an epoch.
        steal: an idle worker takes over a job that waits for another one.
    """

    late_results = 0
    notes: Sequence[str] = ()

    def __init__(
        self, factory: Factory, workers: int, milestones: Sequence[int], pace_s: float, steal: bool = True
    ) -> None:
        self.workers, self.pending, self.busy, self.now = workers, 0, 0, 0.0
        self.cpu_s, self.evaluated_s = 0.0, list[float]()
        self.gpu_s, self.spent = 0.0, Spending()
        """CPU time of the driver, at the end and as each candidate was heard of, without that of this class."""
        self._own_s = 0.0
        self._work, self._milestones, self._pace_s = factory(), milestones, pace_s
        self._rng = np.random.default_rng(0)
        self._reports: list[tuple[float, int, int, Message]] = []
        self._count = itertools.count()
        self._waiting = [deque[Job]() for _ in range(workers)]
        self._free, self._full = deque(range(workers)), deque[int]()
        self._steal = steal
        self._spans: list[tuple[float, float]] = []
        self._opened = time.process_time()

    @property
    def free_slots(self) -> int:
        return AHEAD * self.workers - self.pending

    def submit(self, job: Job) -> None:
        pickle.dumps(job)
        start = time.process_time()
        self.pending += 1
        if self._free:
            self._begin(self._free.popleft(), job)
        elif self._steal:
            self._waiting[0].append(job)
        else:
            self._waiting[self._full.popleft()].append(job)
        self._own_s += time.process_time() - start

    def wait(self, seconds: float) -> Sequence[Message]:
        start = time.process_time()
        self.now, _, worker, message = heapq.heappop(self._reports)
        if isinstance(message, Evaluation):
            self.pending -= 1
            self.busy -= 1
            queue = self._waiting[0 if self._steal else worker]
            if queue:
                self._begin(worker, queue.popleft())
            else:
                self._free.append(worker)
                if not self._steal:
                    self._full.remove(worker)
            self.evaluated_s.append(self._driver_s() - (time.process_time() - start))
        self._own_s += time.process_time() - start
        return [message]

    def publish(self, run: str, values: Mapping[str, float]) -> None: ...

    def drain(self) -> None: ...

    def close(self) -> None:
        self.cpu_s = self._driver_s()

    def _driver_s(self) -> float:
        return time.process_time() - self._opened - self._own_s

    @property
    def utilisation(self) -> float:
        """Share of the workers' time until the last candidate starts."""
        end = self._spans[-1][0]
        return sum(min(last, end) - first for first, last in self._spans) / (self.workers * end)

    def _begin(self, worker: int, job: Job) -> None:
        """Plan all that a job will report."""
        self.busy += 1
        if not self._steal:
            self._full.append(worker)
        sigma2 = np.log(1 + VARIATION**2)
        pace_s = self._pace_s * self._rng.lognormal(-sigma2 / 2, np.sqrt(sigma2))
        end = self.now
        for message in self._work(job):
            rung = len(message.rungs) - 1 if isinstance(message, Evaluation) else message.rung
            end = self.now + pace_s * self._milestones[rung]
            heapq.heappush(self._reports, (end, next(self._count), worker, message))
        self._spans.append((self.now, end))


def by_chance(space: Space, config: Config, objectives: Objectives) -> Work:
    """An evaluator by which a share of candidates passes each rung, whoever is on the front."""
    milestones, rng = config.training.milestones, np.random.default_rng(0)

    def evaluate(job: Job) -> Iterator[Message]:
        passed = 1 if len(milestones) == 1 else int(rng.geometric(1 - KEEP))
        reached = list(results(job, milestones[:passed], rng.random()))
        yield from reached[:-1]
        status = Status.OK if len(reached) == len(milestones) else Status.STOPPED
        curve = [Epoch(e, 1.0, 1.0, 0.5) for e in range(1, milestones[len(reached) - 1] + 1)]
        yield Evaluation(job.candidate, status, reached[-1].metrics, curve, reached)

    return evaluate


def results(job: Job, milestones: Sequence[int], luck: float) -> Iterator[RungReport]:
    """Larger networks tend to be better, so that there is a front to sort."""
    index, params = job.candidate.index, 1000.0 * (1 + sum(job.candidate.genome))
    for rung, epoch in enumerate(milestones):
        error = 0.5 * (0.5 + luck) / params**0.25 / epoch**0.2
        yield RungReport(index, rung, {"error": error, "params": params, "macs": 9 * params, "train_memory_mb": 1.0})


def run(mode: str, workers: int, minutes: float, stopped: bool, candidates: int, steal: bool = True) -> str:
    """What was seen of one search, as a line."""
    before_mb = resident_mb()
    with tempfile.TemporaryDirectory() as folder:
        config = settings(mode, workers, stopped, candidates)
        prepared = prepare(config, task=SPEC, evaluator=by_chance, run=Path(folder) / "run")
        training = prepared.components.config.training
        pace_s = 60 * minutes / training.mean_epochs
        runtime = Simulated(prepared.components.factory, workers, training.milestones, pace_s, steal)
        with patch.dict(RUNTIMES, ray=lambda *given: runtime):
            execute(prepared, watch=lambda search, evaluation: None)
    what = f"{mode:10} {workers:5} workers {'stopped' if stopped else 'full':7}"
    evaluated = len(runtime.evaluated_s)
    if evaluated <= workers or evaluated < 4:
        return f"{what} too few candidates to say anything, n = {evaluated:,}"
    last = evaluated - evaluated * 3 // 4
    late = (runtime.cpu_s - runtime.evaluated_s[-last - 1]) / last
    pace = evaluated / runtime.now
    return (
        f"{what} busy {runtime.utilisation:6.1%}  "
        f"driver {1e3 * runtime.cpu_s / evaluated:5.2f} ms a candidate, {1e3 * late:5.2f} in the last quarter: "
        f"{late * pace:6.3f} cores at {pace:6.2f} a second, +{resident_mb() - before_mb:.0f} MB, n = {evaluated:,}"
    )


def settings(mode: str, workers: int, stopped: bool, candidates: int) -> dict[str, Any]:
    """A config, as a mapping."""
    window = {"lookahead": 4 * workers, **({} if mode == "window" else {"grows": mode == "growing"})}
    schedule = {"mode": mode} if mode in ("async", "generation") else {"mode": "window", **window}
    return {
        "space": {"kind": "mobile"},
        "task": {"kind": SPEC.name},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "strategy": {"population": min(512, max(24, workers))},
        "schedule": schedule,
        "training": {"epochs": 81, "rungs": [1, 3, 9, 27], "promote": KEEP} if stopped else {"epochs": 8},
        "budget": {"evaluations": candidates},
        "runtime": {"kind": "ray"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--workers", type=int, nargs="*", default=[8, 64, 512, 4096])
    parser.add_argument("--modes", nargs="*", default=["window", "async", "generation"])
    parser.add_argument("--candidates", type=int, default=40, help="per worker; no more than 30,000")
    parser.add_argument("--stuck", action="store_true")
    options = parse(parser, workers=[2], candidates=6)
    for workers in options.workers:
        for stopped in (False, True):
            for mode in options.modes:
                candidates = min(30_000, options.candidates * workers)
                minutes = 1 if workers > 1000 else 10
                print(run(mode, workers, minutes, stopped, candidates, not options.stuck), flush=True)


if __name__ == "__main__":
    main()
