"""A search without networks: a small space and a work that computes what training would have reached.

Everything but the evaluation is real: breeding, runtimes, record, resume. Its workers do not import torch, so that
they start in a fraction of the time.
"""

import os
import signal
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evonas.config import Config
from evonas.config.messages import validated
from evonas.ipc.gpu_share import own_share
from evonas.objectives.objectives import Objectives, dominates
from evonas.records import Epoch, Evaluation, Genome, InputSpec, Job, RungReport, Status, TaskSpec
from evonas.runtime import Message
from evonas.scores import encoded
from evonas.spaces.genes import Arch, Choice, Integer, Repeat
from evonas.spaces.space import Space
from evonas.tabular import Tabular

if TYPE_CHECKING:
    from torch import nn

    from evonas.driver.breeding import Breeder
    from evonas.start import PreparedSearch

CURVE = [Epoch(epoch, 1.0, 1.0, 0.5) for epoch in range(1, 100)]
SPEC = TaskSpec("synthetic", InputSpec((1, 8, 8)), (10,))
CURVES = Tabular(
    lambda genome, epochs: {"error": (1 + sum(genome[1:])) / (2 + genome[0]) / (30 + epochs)},
    lambda genome: {"params": 10.0 + 5 * genome[0] + sum(genome)},
)
"""Errors that fall with the epochs, of any genome, and params that a small error costs."""
OF_CURVES: dict[str, Any] = {
    "space": {"kind": "Toy"},
    "task": {"kind": "synthetic"},
    "objectives": [{"metric": "params"}, {"metric": "error"}],
    "strategy": {"kind": "nsga2", "population": 8},
    "runtime": {"kind": "serial"},
}
"""A config of such a search but for its training and budget."""


class Toy(Space):
    stem = Choice(8, 16, 32)
    blocks = Repeat(Integer(1, 4), width=Choice(8, 16, 32, 64), op=Choice("conv", "pool", "skip"))

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        from torch import nn

        return nn.Sequential(nn.Flatten(), nn.Linear(64, arch.stem), nn.ReLU(), nn.Linear(arch.stem, task.outputs))


@dataclass
class Work:
    """Objectives error and params as a smooth function of the genome; more blocks learn more slowly.

    delay: seconds a rung takes, by a hash of the candidate. failing: candidates whose training fails. killing:
    candidates that kill their process, the first `kills` times. unbuildable: candidates that fail at once. log: a
    file that gets a line for each job begun. gate: a file without which candidates from `gated` on do not get beyond
    their first rung. broken: a variable of the environment that makes a machine on which every job crashes. bad_gpu:
    the number of a GPU on which every job crashes, as Ray counts them. scored: validation examples that have scores;
    the easier ones are right.
    """

    space: Space
    config: Config
    objectives: Objectives
    delay: float = 0.0
    failing: tuple[int, ...] = ()
    killing: tuple[int, ...] = ()
    unbuildable: Container[int] = ()
    marks: str = ""
    kills: int = 1
    weights_kb: float = 0
    log: str = ""
    gate: str = ""
    gated: int = 0
    broken: str = ""
    bad_gpu: str = ""
    scored: int = 0
    _done: dict[int, int] = field(default_factory=dict)

    @property
    def card(self) -> str:
        return f"GPU-{os.environ['CUDA_VISIBLE_DEVICES']}" if self.bad_gpu else ""

    def __call__(self, job: Job) -> Iterator[Message]:
        index = job.candidate.index
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{index}\n")
        self._maybe_die(index)
        if self.broken in os.environ or (self.bad_gpu and self.card == f"GPU-{self.bad_gpu}"):
            os.abort()
        if index in self.unbuildable:
            yield Evaluation(job.candidate, Status.FAILED_BUILD, message=f"layer {index} does not fit")
            return
        arch = self.space.decode(job.candidate.genome)
        params = float(
            10 * (arch.stem if isinstance(arch.stem, int) else 8)
            + sum(b.width * {"conv": 9, "pool": 1, "skip": 2}[b.op] for b in arch.blocks)
        )
        costs = {"params": params, "macs": 64 * params, "train_memory_mb": params / 1000}
        if self.objectives.violation(costs) > 0:
            yield Evaluation(job.candidate, Status.INFEASIBLE, costs, message="over a limit")
            return
        rungs: list[RungReport] = []
        for rung, epoch in enumerate(self.config.training.milestones):
            time.sleep(self.delay * (1 + (index * 7919 + rung) % 5))
            while rung and self.gate and index >= self.gated and not os.path.exists(self.gate):
                time.sleep(0.02)
            error = 1 / (1 + params**0.5 / 40) / (1 + epoch / (1 + len(arch.blocks)))
            report = RungReport(index, rung, {**costs, "error": error})
            rungs.append(report)
            if index in self.failing and rung == index % 2:
                yield Evaluation(job.candidate, Status.FAILED_DIVERGED, costs, rungs=rungs[:-1], message="loss is nan")
                return
            if rung == len(job.cutoffs):
                weights = bytes(int(self.weights_kb * 1000)) or None
                bits = [place / self.scored < error for place in range(self.scored)]
                scores = {"error": encoded(bits)} if bits else {}
                told = {"share": f"{own_share():g}"}
                if job.clocked:
                    told["slowdown"] = "1"  # it sleeps: no other is in its way
                curve, last = CURVE[:epoch], report.metrics
                yield Evaluation(
                    job.candidate, Status.OK, last, curve, rungs, conditions=told, weights=weights, scores=scores
                )
            elif any(dominates(member, self.objectives.fitness(report)) for member in job.cutoffs[rung]):
                yield Evaluation(job.candidate, Status.STOPPED, report.metrics, CURVE[:epoch], rungs)
                return
            elif rung >= len(job.reached):
                yield report

    def _maybe_die(self, index: int) -> None:
        for attempt in range(self.kills if index in self.killing else 0):
            mark = Path(self.marks) / f"{index}-{attempt}"
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)


def config(**changes: Any) -> Config:
    data: dict[str, Any] = {
        "seed": 3,
        "space": {"kind": "Toy"},
        "task": {"kind": "synthetic"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "strategy": {"kind": "nsga2", "population": 8},
        "training": {"epochs": 9, "rungs": [1, 3], "promote": 0.5},
        "budget": {"evaluations": 40},
        "runtime": {"kind": "serial"},
    }
    for key, value in changes.items():
        section = data.get(key)
        merged = isinstance(section, dict) and value.get("kind", section.get("kind")) == section.get("kind")
        data[key] = {**section, **value} if merged else value  # another kind has other options
    return validated(Config, data, "config")


def prepared(folder: str | Path, settings: Config, space: Space | None = None, **work: Any) -> "PreparedSearch":
    """A search that can start, whose candidates are evaluated by a `Work`."""
    from evonas.start import prepare

    return prepare(
        settings.model_dump(mode="json", by_alias=True, exclude_unset=True),
        space=space or Toy(),
        task=SPEC,
        evaluator=partial(Work, **work),
        run=folder,
    )


def bred(breeder: "Breeder", evaluate: Callable[[Job], Iterable[object]], in_flight: int, count: int) -> list[Genome]:
    """Genomes that a breeder gives, in index order, where the youngest of `in_flight` candidates ends first."""
    waiting: list[Job] = []
    genomes = []
    while len(genomes) < count:
        if len(waiting) < in_flight and breeder.ready():
            waiting.append(breeder.breed())
            genomes.append(waiting[-1].candidate.genome)
            continue
        for message in evaluate(waiting.pop()):
            if isinstance(message, RungReport):
                breeder.buffer.add_report(message)
            elif isinstance(message, Evaluation):
                breeder.buffer.add_evaluation(message)
    return genomes
