"""A part of a space, and the genes that are its leaves: `Choice` and `Integer`."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from evonas.records import Genome

Scalar = str | int | float | bool | None


class Node(ABC):
    """A part of a space. `indices` and `genome` are the node's own run of the genome, `length` genes long."""

    length: int

    @abstractmethod
    def leaves(self, name: str) -> Iterator[tuple[str, "Choice"]]:
        """Every gene below with its full name, in genome order."""

    @abstractmethod
    def active(self, indices: Genome) -> tuple[bool, ...]:
        """Which genes matter."""

    @abstractmethod
    def decode(self, indices: Genome) -> Any:
        """What the run stands for in an architecture: a value, an `Arch`, a tuple of these, or None."""

    @abstractmethod
    def encode(self, value: Any) -> Genome:
        """The canonical run for a decoded value; ValueError where it is none."""

    @abstractmethod
    def size(self) -> int:
        """Number of canonical runs."""

    @abstractmethod
    def genomes(self) -> Iterator[Genome]:
        """All canonical runs, lazily."""


class Choice(Node):
    """One of several JSON-able scalars. Numbers in ascending or descending order are an ordered gene by themselves."""

    length = 1

    def __init__(self, *values: Scalar, ordered: bool | None = None) -> None:
        if not values:
            raise ValueError("a Choice needs at least one value, e.g. Choice(16, 32)")
        self._index = {_key(value): index for index, value in enumerate(values)}
        if len(self._index) < len(values):
            raise ValueError(f"the values of a Choice must differ: {values}")
        self.values = values
        self.ordered = monotonic(values) if ordered is None else ordered

    def __repr__(self) -> str:
        extra = "" if self.ordered == monotonic(self.values) else f", ordered={self.ordered}"
        return f"Choice({', '.join(map(repr, self.values))}{extra})"

    def leaves(self, name: str) -> Iterator[tuple[str, "Choice"]]:
        yield name, self

    def active(self, indices: Genome) -> tuple[bool, ...]:
        return (True,)

    def decode(self, indices: Genome) -> Any:
        return self.values[indices[0]]

    def encode(self, value: Any) -> Genome:
        if not isinstance(value, Scalar) or _key(value) not in self._index:
            raise ValueError(f"{value!r} is not one of {', '.join(map(repr, self.values))}")
        return (self._index[_key(value)],)

    def size(self) -> int:
        return len(self.values)

    def genomes(self) -> Iterator[Genome]:
        return ((index,) for index in range(len(self.values)))


class Integer(Choice):
    """An ordered whole number from `low` to `high`, both included, in steps of `step`."""

    def __init__(self, low: int, high: int, step: int = 1) -> None:
        if step < 1 or high < low:
            raise ValueError(f"Integer({low}, {high}, step={step}) is empty: it takes low <= high and step >= 1")
        super().__init__(*range(low, high + 1, step), ordered=True)

    def __repr__(self) -> str:
        return f"Integer({', '.join(map(repr, self.values))})"


def monotonic(values: Sequence[Scalar]) -> bool:
    """Whether all are numbers, in ascending or descending order."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(values) and numbers in (sorted(numbers), sorted(numbers, reverse=True))


def padded(indices: Genome, length: int) -> Genome:
    """A run filled up with the inactive genes that follow."""
    return indices + (0,) * (length - len(indices))


def _key(value: Scalar) -> str:
    return json.dumps(value)  # tells True from 1 and 1 from 1.0
