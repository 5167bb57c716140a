"""What is known of a candidate: how it learned, rung by rung, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from evonas.records.candidates import Candidate
from evonas.records.pickling import pickled_as_a_call


class Status(StrEnum):
    """How a candidate was evaluated. A failure is a status, never an exception and never a fake score."""

    OK = "ok"
    STOPPED = "stopped"
    INFEASIBLE = "infeasible"
    FAILED_BUILD = "failed:build"
    FAILED_DIVERGED = "failed:diverged"
    FAILED_OOM = "failed:oom"
    FAILED_TIMEOUT = "failed:timeout"
    FAILED_CRASH = "failed:crash"
    FAILED_ERROR = "failed:error"

    @property
    def failed(self) -> bool:
        """Whether it is one of the failures, `failed:...`."""
        return self.value.startswith("failed:")

    def __reduce_ex__(self, protocol: object) -> tuple[type["Status"], tuple[str]]:
        """By value: Python 3.11.0 to 3.11.3 pickle it as a call of getattr, which the parent does not unpickle."""
        return Status, (self.value,)


@pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Epoch:
    """One point of a learning curve, after `epoch` epochs.

    Args:
        epoch: how many epochs were trained.
        train_loss: mean over the training examples.
        valid_loss: mean over the validation examples.
        valid_metric: the task's main metric.
        metrics: every metric of the task by name; the main one is among them. A row keeps those of its rungs.
        scores: metric -> what it is made of, one number a validation example, in bytes of `evonas.scores`; none of a
            metric that has none, or where the learner does not say. A row keeps those of the last epoch.
    """

    epoch: int
    train_loss: float
    valid_loss: float
    valid_metric: float
    metrics: Mapping[str, float] = field(default_factory=dict, compare=False)
    scores: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)


@pickled_as_a_call
@dataclass(frozen=True, slots=True)
class RungReport:
    """What a candidate has reached at a rung: every metric known by then, costs included.

    Args:
        rung: position in the list of rungs; the last one is full training.
        metrics: name -> value, as in `Evaluation.metrics`.
    """

    index: int
    rung: int
    metrics: Mapping[str, float]


@pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Evaluation:
    """An evaluated candidate.

    Args:
        metrics: name -> value, finite: the task's metric (if it trained), `params`, `macs` (multiply-accumulates of
            one example), `train_memory_mb`, and per target T those of `objectives.MEASURED`.
        curve: one point an epoch.
        rungs: what was reported at each rung reached, in order.
        latency_samples: target -> raw samples, milliseconds.
        batch_size: examples in one training step: the config's, or half of it where memory ran out; 0 where no
            network was built to be trained.
        conditions: host, device, driver, torch, dtype, threads, ... as text; those of a measurement by
            `name[target]`.
        paused_s: how long its training waited while other networks were measured; part of train_s and measure_s.
        scores: of a fully trained candidate: metric -> what it is made of, one number a validation example, in bytes
            of `evonas.scores`. Nothing is decided by them.
        weights: the trained network in safetensors bytes, where it may be on the front; never stored in a table.
        checkpoint: of one that is paused at a rung: all that its training goes on from; never stored in a table.
        log: what it printed, and the traceback of its failure; for people, stored in a file of its own.
        measure_s: seconds that measuring took.
        train_s: seconds that training took.
        queued_s: seconds between its job and its result that were neither.
        started_at: seconds since the epoch, for people; nothing decides by them.
        finished_at: seconds since the epoch, for people; nothing decides by them.
        usd: what its tries cost, US dollars: the worker's part of its node x the node's price; None where the price
            is not known. Nothing decides by it.
    """

    candidate: Candidate
    status: Status
    metrics: Mapping[str, float] = field(default_factory=dict)
    curve: Sequence[Epoch] = ()
    rungs: Sequence[RungReport] = ()
    latency_samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    batch_size: int = 0
    message: str = ""
    attempts: int = 1
    measure_s: float = 0.0
    train_s: float = 0.0
    paused_s: float = 0.0
    queued_s: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    usd: float | None = None
    scores: Mapping[str, bytes] = field(default_factory=dict, compare=False, repr=False)
    weights: bytes | None = None
    checkpoint: bytes | None = field(default=None, compare=False, repr=False)
    log: str = field(default="", compare=False)


@pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Deferred:
    """The last word on an attempt that could not be made now: something that it needs is away. Not an evaluation.

    Args:
        reason: one line for people.
        lost_gpu: what is away is the GPU of the worker, whose process can use it no more.
        unlike: URL of a measuring server whose device is another kind than the run has measured on.
    """

    index: int
    reason: str
    lost_gpu: bool = False
    unlike: str = ""
