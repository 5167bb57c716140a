"""How busy are simulated workers, and what does the driver take for it?

    python benchmarks/scale.py [--workers 8 64 512 4096] [--modes window async generation] [--candidates 40]

Breeding, schedule, strategy, journal and Parquet are those of a search, on a disk; what runs on the workers is
simulated, with a clock of its own: each candidate takes a random time and has random results. As on Ray, a worker
has one job in work and one waiting, and each job is pickled. Two kinds of durations, both of variation 0.5 and of a
mean of 10 minutes a candidate (1 minute with more than 1,000 workers: 70 decisions a second with 4,096):

- full: lognormal
- stopped: rungs at 1, 3, 9, 27 of 81 epochs, each passed by a third of those that reach it

Printed: the share of the time that workers are busy until the last candidate starts (the tail is left out); the
driver's CPU time per candidate, over the whole search and over its last quarter, and how many cores that is at the
simulated pace; what it grew by in memory. With --stuck, jobs that wait for a worker stay with it, as they do not on
Ray.
"""

import argparse
import heapq
import itertools
import pickle
import resource
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from evonas.config import Config
from evonas.driver.loop import Search
from evonas.loading import construct, validated
from evonas.objectives.objectives import Objectives
from evonas.records import Epoch, Evaluation, InputSpec, Job, RungReport, Status, TaskSpec
from evonas.runtime import Message
from evonas.spaces import SPACES
from evonas.store import Store, create_run, evaluations_schema, open_folder, recover

SPEC = TaskSpec("nothing", InputSpec((3, 32, 32)), (10,))
VARIATION, KEEP = 0.5, 1 / 3
AHEAD = 2


class Simulated:
    """A runtime of which the clock jumps from report to report. minutes: mean duration of a candidate."""

    late = 0
    notes: Sequence[str] = ()

    def __init__(self, config: Config, workers: int, minutes: float, steal: bool = True) -> None:
        self.workers, self.open, self.busy, self.now = workers, 0, 0, 0.0
        self.own_s = 0.0
        """CPU time of this class, which is not the driver's."""
        self._rungs, self._rng = config.training.milestones, np.random.default_rng(0)
        self._pace = 60 * minutes / config.training.mean_epochs
        self._reports: list[tuple[float, int, int, Message]] = []
        self._count = itertools.count()
        self._waiting = [deque[Job]() for _ in range(workers)]
        self._free, self._full = deque(range(workers)), deque[int]()
        self._steal = steal
        self._starts: list[float] = []
        self._spans: list[tuple[float, float]] = []

    @property
    def room(self) -> int:
        return AHEAD * self.workers - self.open

    def submit(self, job: Job) -> None:
        pickle.dumps(job)
        start = time.process_time()
        self.open += 1
        if self._free:
            self._begin(self._free.popleft(), job)
        elif self._steal:
            self._waiting[0].append(job)
        else:
            self._waiting[self._full.popleft()].append(job)
        self.own_s += time.process_time() - start

    def wait(self, seconds: float) -> Sequence[Message]:
        start = time.process_time()
        self.now, _, worker, message = heapq.heappop(self._reports)
        if isinstance(message, Evaluation):
            self.open -= 1
            self.busy -= 1
            queue = self._waiting[0 if self._steal else worker]
            if queue:
                self._begin(worker, queue.popleft())
            else:
                self._free.append(worker)
                if not self._steal:
                    self._full.remove(worker)
        self.own_s += time.process_time() - start
        return [message]

    def publish(self, run: str, values: Mapping[str, float]) -> None: ...

    def drain(self) -> None: ...

    def close(self) -> None: ...

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
        pace = self._pace * self._rng.lognormal(-sigma2 / 2, np.sqrt(sigma2))
        passed = 1 if len(self._rungs) == 1 else self._rng.geometric(1 - KEEP)
        reached = list(results(job, self._rungs[: int(passed)], self._rng.random()))
        for progress, epoch in zip(reached[:-1], self._rungs, strict=False):
            self._plan(self.now + pace * epoch, worker, progress)
        end = self.now + pace * self._rungs[len(reached) - 1]
        status = Status.OK if len(reached) == len(self._rungs) else Status.STOPPED
        curve = [Epoch(e, 1.0, 1.0, 0.5) for e in range(1, self._rungs[len(reached) - 1] + 1)]
        self._plan(end, worker, Evaluation(job.candidate, status, reached[-1].metrics, curve, reached))
        self._spans.append((self.now, end))

    def _plan(self, when: float, worker: int, message: Message) -> None:
        heapq.heappush(self._reports, (when, next(self._count), worker, message))


def results(job: Job, rungs: Sequence[int], luck: float) -> Iterator[RungReport]:
    """Larger networks tend to be better, so that there is a front to sort."""
    index, params = job.candidate.index, 1000.0 * (1 + sum(job.candidate.genome))
    for rung, epoch in enumerate(rungs):
        error = 0.5 * (0.5 + luck) / params**0.25 / epoch**0.2
        yield RungReport(index, rung, {"error": error, "params": params, "macs": 9 * params, "train_memory_mb": 1.0})


def run(mode: str, workers: int, minutes: float, stopped: bool, candidates: int, steal: bool = True) -> str:
    training = {"epochs": 81, "rungs": [1, 3, 9, 27], "keep": KEEP} if stopped else {"epochs": 8}
    sections = {
        "space": {"kind": "mobile"},
        "task": {"kind": "digits"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "strategy": {"population": min(512, max(24, workers))},
        "schedule": {"mode": mode, **({"lookahead": 4 * workers} if mode == "window" else {})},
        "training": training,
        "budget": {"evaluations": candidates},
    }
    config = validated(Config, sections, "config")
    space = construct(SPACES, config.space, "space")
    objectives = Objectives(config, SPEC)
    runtime = Simulated(config, workers, minutes, steal)
    marks: list[tuple[int, float]] = []

    def watch(search: Search, evaluation: Evaluation | None) -> None:
        if evaluation and search.evaluated in (1, candidates * 3 // 4):
            marks.append((search.evaluated, time.process_time() - runtime.own_s))

    before_mb = resident_mb()
    with tempfile.TemporaryDirectory() as name:
        folder = open_folder(name)
        create_run(folder, {})
        store = Store(folder, evaluations_schema(objectives.metrics, objectives.targets))
        start = time.process_time()
        search = Search(config, space, objectives, store, runtime, watch)
        store.started({})
        search.restore(recover(folder, objectives.metrics, objectives.targets))
        search.run()
        total = time.process_time() - start - runtime.own_s
        store.close()
    late = (start + total - marks[-1][1]) / (candidates - marks[-1][0])
    pace = search.evaluated / runtime.now
    return (
        f"{mode:10} {workers:5} workers {'stopped' if stopped else 'full':7} busy {runtime.utilisation:6.1%}  "
        f"driver {1e3 * total / candidates:5.2f} ms a candidate, {1e3 * late:5.2f} in the last quarter: "
        f"{late * pace:6.3f} cores at {pace:6.2f} a second, +{resident_mb() - before_mb:.0f} MB, n = {candidates:,}"
    )


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, nargs="*", default=[8, 64, 512, 4096])
    parser.add_argument("--modes", nargs="*", default=["window", "async", "generation"])
    parser.add_argument("--candidates", type=int, default=40, help="per worker; no more than 30,000")
    parser.add_argument("--stuck", action="store_true")
    options = parser.parse_args()
    for workers in options.workers:
        for stopped in (False, True):
            for mode in options.modes:
                candidates = min(30_000, options.candidates * workers)
                minutes = 1 if workers > 1000 else 10
                print(run(mode, workers, minutes, stopped, candidates, not options.stuck), flush=True)


if __name__ == "__main__":
    main()
