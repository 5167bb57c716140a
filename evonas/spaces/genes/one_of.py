"""One of several groups, which a gene chooses."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from evonas.records import Genome
from evonas.spaces.genes.arch import Arch, fields_of, listing
from evonas.spaces.genes.group import Group
from evonas.spaces.genes.node import Choice, Node, padded


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
        fields = fields_of(branch.decode(indices[start : start + branch.length]))
        return Arch({"kind": self.kinds.decode(indices), **fields})

    def encode(self, value: Any) -> Genome:
        given = dict(fields_of(value))
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
        return padded((index, *(0,) * (self._taken(index)[0] - 1), *own), self.length)
