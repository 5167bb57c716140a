"""A parameter of a trial as genes. One with many levels is the digits of its level, of which each is a gene.

Strategies change an ordered gene by one step, and of 64 levels in one gene that would be a 64th of the range each time.
Of three digits of four one is changed to any other value, so that a child is near or far: measured with other bases and
numbers of levels, benchmarks/RESULTS.md.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from evonas.records import Genome
from evonas.spaces.genes import Choice, Node

ALONE = 16
"""Up to so many levels are one gene, whose neighbouring values are similar."""
BASE = 4
"""Values of a digit at most, where there are more levels."""


class Parameter(Node):
    """Levels of a parameter, and the value that a trial gets at each.

    A value may stand at several levels, because some values of a distribution are likelier than others. It is still
    one to a search, and tried once.

    Args:
        values: by level; of numbers to be rounded to, in ascending order.
        label: what the user called it, for messages and to tell one space from another.
        ordered: whether neighbouring levels are similar.
        exact: whether a value given must be one of them; else the nearest is taken.
    """

    def __init__(self, values: Sequence[Any], label: str, ordered: bool, exact: bool) -> None:
        self.values, self.label = tuple(values), label
        self._exact = exact
        bases = _bases(len(values)) if ordered and len(values) > ALONE else (len(values),)
        self._digits = tuple(Choice(*range(base), ordered=ordered and len(bases) == 1) for base in bases)
        self._raw = math.prod(digit.size() for digit in self._digits)
        self.length = len(self._digits)

    def __repr__(self) -> str:
        return self.label

    def leaves(self, name: str) -> Iterator[tuple[str, Choice]]:
        for place, digit in enumerate(self._digits):
            yield (name if self.length == 1 else f"{name}.{place}"), digit

    def active(self, indices: Genome) -> tuple[bool, ...]:
        return (True,) * self.length

    def decode(self, indices: Genome) -> Any:
        number = 0
        for digit, index in zip(self._digits, indices, strict=True):
            number = number * digit.size() + index
        return self.values[number * len(self.values) // self._raw]

    def encode(self, value: Any) -> Genome:
        """The first level with the value, or that of the nearest value; ValueError where it is not in the domain."""
        number = -(-self._level(value) * self._raw // len(self.values))
        indices: list[int] = []
        for digit in reversed(self._digits):
            number, index = divmod(number, digit.size())
            indices.append(index)
        return tuple(reversed(indices))

    def size(self) -> int:
        return len(self._distinct())

    def genomes(self) -> Iterator[Genome]:
        yield from self._distinct()

    def _distinct(self) -> dict[Genome, None]:
        return dict.fromkeys(map(self.encode, self.values))

    def _level(self, value: Any) -> int:
        if self._exact:
            found = next((level for level, own in enumerate(self.values) if same(own, value)), None)
        else:
            found = _nearest(self.values, value)
        if found is None:
            raise ValueError(f"{value!r} is not in {self.label}")
        return found


def same(a: Any, b: Any) -> bool:
    """Whether two values are one to a trainable; True is not 1, and of two arrays nothing is assumed."""
    if a is b:
        return True
    try:
        return type(a) is type(b) and bool(a == b)
    except Exception:  # the class is the user's
        return False


def _bases(count: int) -> tuple[int, ...]:
    """How many values each digit has, of as few digits as can be, as alike as can be, for `count` numbers or more."""
    digits = 1
    while BASE**digits < count:
        digits += 1
    bases = [round(count ** (1 / digits))] * digits
    while math.prod(bases) < count:
        bases[bases.index(min(bases))] += 1
    return tuple(sorted(bases, reverse=True))


def _nearest(values: Sequence[float], value: Any) -> int | None:
    if isinstance(value, bool | str) or not isinstance(value, int | float) or not values[0] <= value <= values[-1]:
        return None
    above = bisect_left(values, value)
    if values[above] == value or above == 0:
        return above
    below = bisect_left(values, values[above - 1])
    return below if value - values[below] <= values[above] - value else above
