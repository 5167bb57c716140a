"""The same named parts, several times: so many as a gene says, or always as many."""

from collections.abc import Iterator, Sequence
from typing import Any

from evonas.records import Genome
from evonas.spaces.genes.arch import Arch, listing
from evonas.spaces.genes.group import Group, product, within
from evonas.spaces.genes.node import Choice, Integer, Node, padded


class Repeat(Node):
    """`count` times the same fields; decodes to a tuple of `Arch`.

    Where `count` is an `Integer`, it is a gene `NAME.count` of its own; the repeats beyond it are inactive.
    """

    def __init__(self, count: int | Integer, /, **fields: Node) -> None:
        self.counts = count if isinstance(count, Integer) else Integer(count, count)
        self.variable = isinstance(count, Integer)
        self._numbers = tuple(int(value or 0) for value in self.counts.values)
        if min(self._numbers) < 0 or max(self._numbers) < 1:
            raise ValueError(f"Repeat({count!r}, ...): the count must not be negative and must reach 1")
        self.body = Group(**fields)
        self.length = self.variable + max(self._numbers) * self.body.length

    def __repr__(self) -> str:
        count = self.counts if self.variable else self._numbers[0]
        return f"Repeat({count!r}, {listing(self.body.fields)})"

    def leaves(self, name: str) -> Iterator[tuple[str, Choice]]:
        if self.variable:
            yield f"{name}.count", self.counts
        for index in range(max(self._numbers)):
            yield from self.body.leaves(f"{name}.{index}")

    def active(self, indices: Genome) -> tuple[bool, ...]:
        flags = [True] * self.variable
        for own in self._runs(indices):
            flags += self.body.active(own)
        return (*flags, *(False,) * (self.length - len(flags)))

    def decode(self, indices: Genome) -> tuple[Arch, ...]:
        return tuple(self.body.decode(own) for own in self._runs(indices))

    def encode(self, value: Any) -> Genome:
        if not isinstance(value, Sequence) or len(value) not in self._numbers:
            raise ValueError(f"needs a sequence of {' or '.join(map(str, self._numbers))} items")
        head = self.counts.encode(len(value)) if self.variable else ()
        items = tuple(i for at, item in enumerate(value) for i in within(str(at), self.body.encode, item))
        return padded(head + items, self.length)

    def size(self) -> int:
        return sum(self.body.size() ** count for count in self._numbers)

    def genomes(self) -> Iterator[Genome]:
        for index, count in enumerate(self._numbers):
            head = (index,) if self.variable else ()
            for items in product((self.body,) * count):
                yield padded(head + items, self.length)

    def _runs(self, indices: Genome) -> Iterator[Genome]:
        count = self._numbers[indices[0]] if self.variable else self._numbers[0]
        for index in range(count):
            start = self.variable + index * self.body.length
            yield indices[start : start + self.body.length]
