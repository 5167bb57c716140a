"""Genes by name <-> genome (a tuple of ints) <-> readable architecture. Knows nothing of networks and populations.

A space is a tree: `Choice` and `Integer` are genes, `Group`, `Repeat`, `Optional` and `OneOf` hold them. Every node
owns a fixed run of the genome, as long as its largest form; a gene that another one switches off is inactive: it
stays in the genome, so that offspring inherit it, and `Space.canonical` sets it to 0.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from evonas.records import Genome

Scalar = str | int | float | bool | None


class Arch:
    """A decoded architecture: frozen, attribute access, comparable; a `Repeat` is a tuple of these."""

    __slots__ = ("_fields",)
    _fields: dict[str, Any]

    def __init__(self, fields: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_fields", dict(fields))

    def __getattr__(self, name: str) -> Any:
        fields: dict[str, Any] = object.__getattribute__(self, "_fields")
        if name not in fields:
            raise AttributeError(f"this architecture has no {name!r}; it has {', '.join(fields) or 'no fields'}")
        return fields[name]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an architecture is frozen: encode a changed mapping instead")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Arch) and self._fields == other._fields

    def __hash__(self) -> int:
        return hash(tuple(self._fields.items()))

    def __reduce__(self) -> tuple[type["Arch"], tuple[dict[str, Any]]]:
        return Arch, (self._fields,)

    def __repr__(self) -> str:
        return f"Arch({listing(self._fields)})"

    def to_dict(self) -> dict[str, Any]:
        """Nested dicts, lists and scalars: JSON-able, and what `Space.encode` takes."""
        return {name: _plain(value) for name, value in self._fields.items()}


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
        given = _mapping(value)
        if set(given) != set(self.fields):
            raise ValueError(f"needs exactly {', '.join(self.fields) or 'no fields'}, not {', '.join(given) or 'none'}")
        return tuple(i for name, node in self.fields.items() for i in _within(name, node.encode, given[name]))

    def size(self) -> int:
        return math.prod(node.size() for node in self.fields.values())

    def genomes(self) -> Iterator[Genome]:
        return _product(tuple(self.fields.values()))

    def _runs(self, indices: Genome) -> Iterator[tuple[str, Node, Genome]]:
        return ((name, node, indices[place]) for name, node, place in self._places)


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
        items = tuple(i for at, item in enumerate(value) for i in _within(str(at), self.body.encode, item))
        return _padded(head + items, self.length)

    def size(self) -> int:
        return sum(self.body.size() ** count for count in self._numbers)

    def genomes(self) -> Iterator[Genome]:
        for index, count in enumerate(self._numbers):
            head = (index,) if self.variable else ()
            for items in _product((self.body,) * count):
                yield _padded(head + items, self.length)

    def _runs(self, indices: Genome) -> Iterator[Genome]:
        count = self._numbers[indices[0]] if self.variable else self._numbers[0]
        for index in range(count):
            start = self.variable + index * self.body.length
            yield indices[start : start + self.body.length]


class OneOf(Node):
    """One of several groups, by name: `OneOf(conv=Group(), attention=Group(heads=Choice(2, 4)))`.

    A gene `NAME.kind` chooses, the genes `NAME.BRANCH.FIELD` of the branches not taken are inactive. Decodes to an
    `Arch` of the branch taken, with its name as `kind`.
    """

    def __init__(self, **branches: Group) -> None:
        for name, branch in branches.items():
            if not isinstance(branch, Group) or "kind" in branch.fields:
                raise ValueError(f"OneOf: {name} must be a Group without a field called kind, e.g. Group()")
        self.kinds = Choice(*branches)
        self.branches = tuple(branches.values())
        self._starts = list(accumulate((branch.length for branch in self.branches), initial=1))
        self.length = 1 + sum(branch.length for branch in self.branches)

    def __repr__(self) -> str:
        return f"OneOf({listing(dict(zip(self.kinds.values, self.branches, strict=True)))})"

    def leaves(self, name: str) -> Iterator[tuple[str, Choice]]:
        yield f"{name}.kind", self.kinds
        for kind, branch in zip(self.kinds.values, self.branches, strict=True):
            yield from branch.leaves(f"{name}.{kind}")

    def active(self, indices: Genome) -> tuple[bool, ...]:
        start, branch = self._taken(indices[0])
        on = branch.active(indices[start : start + branch.length])
        return (True, *(False,) * (start - 1), *on, *(False,) * (self.length - start - len(on)))

    def decode(self, indices: Genome) -> Arch:
        start, branch = self._taken(indices[0])
        fields = branch.decode(indices[start : start + branch.length])._fields
        return Arch({"kind": self.kinds.decode(indices), **fields})

    def encode(self, value: Any) -> Genome:
        given = dict(_mapping(value))
        if "kind" not in given:
            raise ValueError(f"needs kind, one of {', '.join(map(str, self.kinds.values))}")
        index = self.kinds.encode(given.pop("kind"))[0]
        return self._placed(index, self._taken(index)[1].encode(given))

    def size(self) -> int:
        return sum(branch.size() for branch in self.branches)

    def genomes(self) -> Iterator[Genome]:
        for index, branch in enumerate(self.branches):
            for own in branch.genomes():
                yield self._placed(index, own)

    def _taken(self, index: int) -> tuple[int, Group]:
        return self._starts[index], self.branches[index]

    def _placed(self, index: int, own: Genome) -> Genome:
        return _padded((index, *(0,) * (self._taken(index)[0] - 1), *own), self.length)


class Optional(Node):
    """A part that may be absent: a gene `NAME.present`, and the content, inactive when absent.

    Absent decodes to None.
    """

    def __init__(self, content: Node) -> None:
        if isinstance(content, Optional) or (isinstance(content, Choice) and None in content.values):
            raise ValueError(f"Optional({content!r}): the content can be None by itself, and None means absent")
        self.present = Choice(False, True)
        self.content = content
        self.length = 1 + content.length

    def __repr__(self) -> str:
        return f"Optional({self.content!r})"

    def leaves(self, name: str) -> Iterator[tuple[str, Choice]]:
        yield f"{name}.present", self.present
        yield from self.content.leaves(name)

    def active(self, indices: Genome) -> tuple[bool, ...]:
        content = self.content.active(indices[1:]) if indices[0] else (False,) * self.content.length
        return (True, *content)

    def decode(self, indices: Genome) -> Any:
        return self.content.decode(indices[1:]) if indices[0] else None

    def encode(self, value: Any) -> Genome:
        return (0,) * self.length if value is None else (1, *self.content.encode(value))

    def size(self) -> int:
        return 1 + self.content.size()

    def genomes(self) -> Iterator[Genome]:
        yield (0,) * self.length
        for own in self.content.genomes():
            yield (1, *own)


def _check_field(name: str, node: object) -> None:
    if not isinstance(node, Node):
        raise ValueError(f"{name} must be a gene (Choice, Integer, Group, Repeat, Optional, OneOf), not {node!r}")
    if not name.isidentifier() or name.startswith("_") or name == "to_dict":
        raise ValueError(f"{name!r} cannot be the name of a gene: it takes a plain attribute name")


def _key(value: Scalar) -> str:
    return json.dumps(value)  # tells True from 1 and 1 from 1.0


def monotonic(values: Sequence[Scalar]) -> bool:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(values) and numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Arch):
        return value._fields
    if not isinstance(value, Mapping):
        raise ValueError(f"needs a mapping of names to values, not {value!r}")
    return value


def _within(name: str, encode: Callable[[Any], Genome], value: Any) -> Genome:
    try:
        return encode(value)
    except ValueError as error:
        text = str(error)
        raise ValueError(f"{name}.{text}" if "\0" in text else f"{name}: {text}") from None


def _padded(indices: Genome, length: int) -> Genome:
    return indices + (0,) * (length - len(indices))


def _product(nodes: Sequence[Node]) -> Iterator[Genome]:
    """Like itertools.product, but lazy: the first genomes of a huge space cost nothing."""
    if not nodes:
        yield ()
        return
    for head in nodes[0].genomes():
        for tail in _product(nodes[1:]):
            yield head + tail


def _plain(value: Any) -> Any:
    if isinstance(value, Arch):
        return value.to_dict()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def listing(fields: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in fields.items())
