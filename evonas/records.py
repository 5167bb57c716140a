"""What travels between the parts of evonas: frozen, typed, units in the docstrings.

Knows nothing of how a record is made, moved, stored or ranked, and imports nothing of evonas.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Literal, TypeVar

Genome = tuple[int, ...]
"""One small int a gene, in the order of the space's genes: the index of the chosen value."""
T = TypeVar("T")


def _pickled_as_a_call(record: type[T]) -> type[T]:
    """Pickles a record as a call with its fields; by itself, a frozen dataclass with slots does it ten times as slowly.

    Jobs carry hundreds of fitnesses, and all of a candidate goes through four processes.
    """
    values = attrgetter(*(each.name for each in fields(record)))  # type: ignore[arg-type]
    record.__reduce__ = lambda self: (record, values(self))  # type: ignore[method-assign]
    return record


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


DTYPES = ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
"""What inputs can be of: numpy, torch and ONNX all have these."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One tensor that a network takes in.

    Args:
        shape: of one example, without the batch axis, e.g. (channels, height, width) or (tokens,).
        dtype: one of `DTYPES`, e.g. "float32", "int64".
        high: of whole numbers, such as tokens: they lie in 0 .. high - 1.

    Raises:
        ValueError: a length that is not positive, an unknown dtype, whole numbers without `high` or with one that their
            dtype cannot hold, or `high` of other numbers.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    high: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(map(int, self.shape)))
        if any(length < 1 for length in self.shape):
            raise ValueError(f"the lengths of a shape are 1 or more, not {self.shape}")
        if self.dtype not in DTYPES:
            raise ValueError(f"an input is of {', '.join(DTYPES)}, not of {self.dtype}")
        if self.is_integer and (self.high is None or not 1 <= self.high <= self._values):
            raise ValueError(
                f"an input of {self.dtype} needs `high`, the number of values that it can have: 1 to {self._values}"
            )
        if not self.is_integer and self.high is not None:
            raise ValueError(f"`high` is for whole numbers, not for {self.dtype}")

    @property
    def is_integer(self) -> bool:
        """Whether the tensor holds whole numbers, such as tokens."""
        return self.dtype.startswith(("int", "uint"))

    @property
    def _values(self) -> int:
        """How many whole numbers from 0 its dtype holds."""
        kind, _, bits = self.dtype.partition("int")
        return int(2 ** (int(bits) - (kind == "")))


DIRECTIONS = ("minimize", "maximize")
"""What can be done with a metric."""


def check_direction(direction: object) -> None:
    """
    Raises:
        ValueError: it is none of `DIRECTIONS`.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"the direction of a metric is {' or '.join(DIRECTIONS)}, not {direction!r}")


def check_metric_name(name: object) -> None:
    """
    Raises:
        ValueError: it cannot name a metric, because brackets name targets and spaces part words.
    """
    if not isinstance(name, str) or not name or set(name) & set("[]") or name.split() != [name]:
        raise ValueError(f"the name of a metric is a text without spaces and brackets, not {name!r}")


Inputs = InputSpec | Mapping[str, InputSpec]
"""What a network takes in: one tensor, or several by the names of the arguments of its `forward`."""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What a network must take in and give out, and how it is scored.

    Args:
        name: of the task, for people.
        input: one tensor, or several by name, which the network gets as keyword arguments.
        output_shape: of one example's output, e.g. (classes,), (1,) for a scalar, (tokens, vocabulary).
        metrics: of the validation examples, each with "minimize" or "maximize"; the first is the task's main one.
        units: of values to predict, mean and deviation of each output: what a space builds gives deviations from the
            mean, and what is trained, measured and exported gives values. Empty where outputs are taken as they are.
        starts: likewise, the place in the flattened input from which each output starts: what a space builds gives
            the difference, such as from the value of a season ago.

    Raises:
        ValueError: the name is no text, a metric has a name that none can have, or another direction, or there are not
            as many units or starts as outputs.
    """

    name: str
    input: Inputs
    output_shape: tuple[int, ...]
    metrics: Mapping[str, str] = field(default_factory=lambda: {"error": "minimize"})
    units: tuple[tuple[float, float], ...] = ()
    starts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.starts and (self.units or self.output_shape != (len(self.starts),)):
            raise ValueError(f"starts are a place for each output {self.output_shape}, without units: {self.starts}")
        if self.units and self.output_shape != (len(self.units),):
            raise ValueError(f"units are a mean and a deviation for each output {self.output_shape}, not {self.units}")
        if not isinstance(self.name, str):
            raise ValueError(f"the name of a task is a text, not {self.name!r}")
        for name, direction in self.metrics.items():
            check_metric_name(name)
            check_direction(direction)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one example of a task with a single input; ValueError where there are several."""
        if not isinstance(self.input, InputSpec):
            raise ValueError(f"the task {self.name} has several inputs: {', '.join(self.input)}; see `input`")
        return self.input.shape

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for one example."""
        return math.prod(self.output_shape)

    @property
    def metric(self) -> str:
        """The main metric."""
        return next(iter(self.metrics))

    @property
    def direction(self) -> str:
        """ "minimize" or "maximize", of the main metric."""
        return self.metrics[self.metric]


@_pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Candidate:
    """A genome that was bred.

    visible: how many candidates it could see when it was bred. predicted: what its strategy expected, by objective
        column; informational, recorded and never compared.
    """

    index: int
    genome: Genome
    parents: tuple[int, ...]
    operator: str
    visible: int
    seed: int
    predicted: Mapping[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a network costs on a target. Times are milliseconds of one forward pass of the target's batch.

    Args:
        ms: the median, corrected: the ratio to the reference network, times what that takes on the quiet device.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        p90: the ninth decile, corrected by the same factor.
        raw: the median as it was clocked.
        reference: median of the reference network during this measurement.
        drift: how much slower that was than on the quiet device, as a share; 0.1 is 10 %.
        samples: single passes as they were clocked, in order.
        settled: the interval came within the bound in time.
        memory_mb: peak of a pass, weights included, MB of 10^6 bytes; None where it was not asked for.
        size_mb: file of the network, MB of 10^6 bytes; None where nobody asked and nothing was measured through a file.
        energy_mj: of a pass; None where it was not asked for.
        conditions: what the numbers depend on, as text: device, driver, clocks, threads, dtype, batch, versions,
            ...
    """

    ms: float
    low: float
    high: float
    p90: float
    raw: float
    reference: float
    drift: float
    samples: tuple[float, ...]
    settled: bool
    memory_mb: float | None = None
    size_mb: float | None = None
    energy_mj: float | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a target is measured that is not on the worker itself: a measuring server.

    Args:
        url: http://HOST:PORT.
        token: what it asks for.
        kind: what of the device the run has measured on so far, as `RunKind.devices` has it; empty: not known.
    """

    url: str
    token: str = field(repr=False, default="")
    kind: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class RunKind:
    """What all rows of a run have alike, so that their numbers may stand in one column: of a run, or of a worker.

    Args:
        devices: target -> what `measuring.identity` compares of the conditions of its measurements; without targets
            that may be any device.
        precision: what `training.precision: auto` is, "float32" or "bfloat16"; "" where it is not known or not auto.
        card: of a worker: the GPU that it trains on, by a name that no other has; "" for none.
        float32: "cuda" or "cpu", where it trains -> how products of float32 are computed there (TF32, bfloat16), as far
            as it is known.
    """

    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    precision: str = ""
    card: str = ""
    float32: Mapping[str, str] = field(default_factory=dict)


UNKNOWN = RunKind()
"""The kind of a run that has no rows."""


@_pickled_as_a_call
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


@_pickled_as_a_call
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


@_pickled_as_a_call
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


@_pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Fitness:
    """A candidate as selection and early stopping compare it, at one rung.

    Args:
        values: one number an objective, all minimised and finite; empty where the candidate was decided by its
            costs alone (then `violation` > 0).
        violation: summed relative excess over the limits; 0 is feasible (constrained domination, Deb 2002).
        intervals: of each objective the interval that its value is known within, where some of them are measured.
            Nothing is compared by it; it says what should be measured again.
    """

    index: int
    rung: int
    values: tuple[float, ...]
    violation: float = 0.0
    intervals: tuple[tuple[float, float], ...] = ()


@_pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Before:
    """What a decision before training needs of what was known at a candidate's birth.

    Args:
        rule: "gain" or "cutoff".
        metric: of the untrained network, which stands in for what training would give; "" where values are predicted.
        expected: column -> what training is expected to give, in the column's unit; empty: too little is known.
        hopeful: the same, as good as it may well be; by it a gain is reckoned.
        chance: that the limits hold which are known only after training.
        scales: of each objective, offset and least value of the logarithm in which volume is reckoned; None: in the
            objective's own unit.
        front: values of those fully trained, and of those in training as they are expected, minimised.
        threshold: the worth that is needed.
        always: whether it is trained whatever is expected.
        scores: where ranks of several scores stand in: of each, the values of the networks that were visible at birth,
            ascending; else empty.
    """

    rule: str
    metric: str = ""
    expected: Mapping[str, float] = field(default_factory=dict)
    hopeful: Mapping[str, float] = field(default_factory=dict)
    chance: float = 1.0
    scales: tuple[tuple[float, float] | None, ...] = ()
    front: tuple[tuple[float, ...], ...] = ()
    threshold: float = -math.inf
    always: bool = False
    scores: tuple[tuple[float, ...], ...] = ()


@_pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Job:
    """All that a worker needs for one candidate besides what it holds for the whole run.

    Args:
        cutoffs: a rung before the last -> the fitnesses a candidate must not be dominated by to go on; empty: go
            on.
        front: the fully trained front that was visible at birth; a candidate it dominates returns no weights.
        reached: what an interrupted attempt had already reported; it is taken as measured, not measured again.
        endpoints: target -> where it is measured, of those that are not measured on the worker and can be reached
            now.
        genomes: those of the front, in its order, where something is measured that may have to be measured again
            beside them; else empty.
        until: when its training is to be stopped, in seconds since the epoch.
        kind: "evaluate", or "measure": only on every target, the latency of which may have come from a table;
            nothing is trained, no limit holds.
        clocked: whether some of its training is clocked with the device to itself, so that the rest of it tells how
            much others slow it down.
        precision: what `training.precision: auto` is in this run; "": what it is on the worker's device.
        before: what decides at rung 0, where there is one.
        pause: the rung at which training is paused: it ends there, with a checkpoint; None: it is not.
        start: the checkpoint from which training goes on; empty: from the first epoch.
    """

    candidate: Candidate
    cutoffs: tuple[tuple[Fitness, ...], ...] = ()
    front: tuple[Fitness, ...] = ()
    reached: tuple[RungReport, ...] = ()
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    genomes: tuple[Genome, ...] = ()
    kind: Literal["evaluate", "measure"] = "evaluate"
    until: float = math.inf
    clocked: bool = False
    precision: str = ""
    before: Before | None = None
    pause: int | None = None
    start: bytes = field(default=b"", repr=False)


@_pickled_as_a_call
@dataclass(frozen=True, slots=True)
class Evaluation:
    """A evaluated candidate.

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
