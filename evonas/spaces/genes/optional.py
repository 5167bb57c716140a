"""A part that may be absent, as a gene says."""

from collections.abc import Iterator
from typing import Any

from evonas.records import Genome
from evonas.spaces.genes.node import Choice, Node


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
