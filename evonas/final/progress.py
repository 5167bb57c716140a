"""How far final trainings are, for people."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from evonas.final.plan import FinalTraining


@dataclass(slots=True)
class FinalProgress:
    """What is known of the trainings of a plan; runners write it, screens read it.

    Args:
        metric: the task's main one.
        maximised: whether more of it is better.
    """

    metric: str
    maximised: bool
    jobs: dict[str, FinalTraining] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    best: dict[int, float] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    doing: str = ""
    began: float = field(default_factory=time.monotonic)

    def expect(self, jobs: Sequence[FinalTraining]) -> None:
        """More trainings are to come."""
        self.jobs.update({job.name: job for job in jobs})

    def reached(self, job: FinalTraining, epoch: int, value: float | None) -> None:
        """A training is behind an epoch, with so much of the main metric on the validation examples."""
        self.epochs[job.name] = epoch
        if value is None or job.stage != "trial" or value != value:
            return
        before = self.best.get(job.candidate)
        if before is None or (value > before if self.maximised else value < before):
            self.best[job.candidate] = value

    def end(self, job: FinalTraining, status: str) -> None:
        """A training has ended: ok, stopped or failed."""
        self.ended[job.name] = status

    def counts(self, stage: str, candidate: int | None = None) -> tuple[int, int]:
        """Trainings of a stage that have ended, and all of them; of one network or of all."""
        own = [job for job in self.jobs.values() if job.stage == stage and candidate in (None, job.candidate)]
        return sum(job.name in self.ended for job in own), len(own)

    @property
    def running(self) -> list[FinalTraining]:
        """Those that are at work."""
        return [job for name, job in self.jobs.items() if name in self.epochs and name not in self.ended]

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.began


Watch = Callable[[FinalProgress], None]
