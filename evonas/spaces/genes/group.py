"""Named parts of a space that are all present."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from evonas.records import Genome
from evonas.spaces.genes.arch import Arch, fields_of, listing
from evonas.spaces.genes.node import Choice, Node


class Group(Node):
    """Named parts, all of them present; decodes to an `Arch`."""

    def __init__(self, **fields: Node) -> None:
        for name, node in fields.items():
            _check_field(name, node)
        self.fields = fields
        ends = list(accumulate(node.length for node in fields.values()))
        self.length = ends[-1] if ends else 0
        self._places = [
            (*field, slice(end - field[1].length, end)) for field, end in zip(fields.items(), ends, strict=True)
        ]

    def __repr__(self) -> str:
        return f"Group({listing(self.fields)})"

    def leaves(self, name: str) -> Iterator[tuple[str, Choice]]:
        for field, node in self.fields.items():
            yield from node.leaves(f"{name}.{field}" if name else field)

    def active(self, indices: Genome) -> tuple[bool, ...]:
        flags: list[bool] = []
        for _, node, place in self._places:
            flags += node.active(indices[place])
        return tuple(flags)

    def decode(self, indices: Genome) -> Arch:
        return Arch({name: node.decode(own) for name, node, own in self._runs(indices)})

    def encode(self, value: Any) -> Genome:
        given = fields_of(value)
        if set(given) != set(self.fields):
            raise ValueError(f"needs exactly {', '.join(self.fields) or 'no fields'}, not {', '.join(given) or 'none'}")
        return tuple(i for name, node in self.fields.items() for i in within(name, node.encode, given[name]))

    def size(self) -> int:
        return math.prod(node.size() for node in self.fields.values())

    def genomes(self) -> Iterator[Genome]:
        return product(tuple(self.fields.values()))

    def _runs(self, indices: Genome) -> Iterator[tuple[str, Node, Genome]]:
        return ((name, node, indices[place]) for name, node, place in self._places)


def within(name: str, encode: Callable[[Any], Genome], value: Any) -> Genome:
    """What `encode` makes of a value; an error says in which field it is."""
    try:
        return encode(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def product(nodes: Sequence[Node]) -> Iterator[Genome]:
    """Like itertools.product, but lazy: the first genomes of a huge space cost nothing."""
    if not nodes:
        yield ()
        return
    for head in nodes[0].genomes():
        for tail in product(nodes[1:]):
            yield head + tail


def _check_field(name: str, node: object) -> None:
    if not isinstance(node, Node):
        raise ValueError(f"{name} must be a gene (Choice, Integer, Group, Repeat, Optional, OneOf), not {node!r}")
    if not name.isidentifier() or name.startswith("_") or name == "to_dict":
        raise ValueError(f"{name!r} cannot be the name of a gene: it takes a plain attribute name")
