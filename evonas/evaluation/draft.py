"""An evaluation in the making: what the stages have found out so far."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from evonas.records import Epoch, Evaluation, Job, Measurement, RungReport, Status


@dataclass
class Draft:
    """What becomes the row of a candidate.

    Args:
        reached: the rungs in order, those that an interrupted attempt reported included.
        built: whether the network was there and gave the right output.
        screened: targets whose latency was not measured to the end.
        started: seconds since the epoch.
        epoch_began: when the epoch that is trained now did (`time.perf_counter`).
    """

    reached: list[RungReport]
    metrics: dict[str, float] = field(default_factory=dict)
    curve: list[Epoch] = field(default_factory=list)
    latency_samples: dict[str, tuple[float, ...]] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    screened: set[str] = field(default_factory=set)
    status: Status = Status.OK
    message: str = ""
    built: bool = False
    batch_size: int = 0
    measure_s: float = 0.0
    train_s: float = 0.0
    scores: Mapping[str, bytes] = field(default_factory=dict)
    weights: bytes | None = None
    checkpoint: bytes | None = None
    log: str = ""
    started: float = field(default_factory=time.time)
    epoch_began: float | None = None

    def take(self, target: str, metrics: Mapping[str, float], found: Measurement) -> None:
        """Take a measurement over, in the place of one before.

        Args:
            target: where it was measured.
            metrics: what it says, as columns of the row.
            found: the measurement.
        """
        self.metrics |= metrics
        self.latency_samples[target] = found.samples
        self.conditions.pop(f"until[{target}]", None)
        self.conditions |= {f"{key}[{target}]": text for key, text in found.conditions.items()}
        (self.screened.add if "until" in found.conditions else self.screened.discard)(target)

    @property
    def trained_s(self) -> float:
        """Seconds of training so far; what passes between two epochs, as for a measurement, is none."""
        return self.train_s + (0.0 if self.epoch_began is None else time.perf_counter() - self.epoch_began)

    def begin_again(self, full: int) -> None:
        """For another attempt. What was measured or reported before rung `full` stays; that one comes with the end."""
        self.status, self.message, self.curve, self.built, self.log = Status.OK, "", [], False, ""
        self.scores, self.checkpoint = {}, None
        self.reached = [report for report in self.reached if report.rung < full]

    def finished(self, job: Job, conditions: Mapping[str, str], paused_s: float) -> Evaluation:
        """The evaluation.

        Args:
            job: what it is of.
            conditions: of the worker; those of the draft come on top.
            paused_s: how long its training waited for measurements.
        """
        return Evaluation(
            job.candidate,
            self.status,
            metrics=self.metrics,
            curve=tuple(self.curve),
            rungs=tuple(self.reached),
            latency_samples=self.latency_samples,
            conditions={**conditions, **self.conditions},
            batch_size=self.batch_size,
            message=self.message,
            measure_s=self.measure_s,
            train_s=self.train_s,
            paused_s=paused_s,
            started_at=self.started,
            finished_at=time.time(),
            scores=self.scores,
            weights=self.weights,
            checkpoint=self.checkpoint,
            log=self.log,
        )
