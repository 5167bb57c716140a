"""What a network must take in and give out, and how it is scored."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

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
