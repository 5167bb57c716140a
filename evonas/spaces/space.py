"""The contract of a space: named genes <-> genome <-> readable architecture -> network.

Knows nothing of populations; needs torch only where a network is built.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from evonas.records import Genome, TaskSpec
from evonas.spaces.genes import Arch, Choice, Group, Node, Scalar
from evonas.spaces.genes.arch import listing

if TYPE_CHECKING:  # a space can be sampled, encoded and read without torch
    from torch import nn


@dataclass(frozen=True, slots=True)
class Gene:
    """One position of a genome: an index below `size`. `ordered`: neighbouring indices are similar values."""

    name: str
    size: int
    ordered: bool


class Space(ABC):
    """A space of networks: its genes are its attributes that are genes, in the order of their definition.

    They may stand in the class, or `__init__` may set them on the instance where they depend on options; an
    instance attribute takes the place of a class attribute of the same name. They are fixed at first use.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_names(vars(cls))
        cls._gene_order = tuple(name for name, value in vars(cls).items() if isinstance(value, Node))

    _gene_order: tuple[str, ...] = ()
    """Names of the genes in the class, in the order of their definition. A class that travels to a worker by value
    arrives with its attributes sorted by name; the order of its genes must not change with that."""

    @abstractmethod
    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        """The untrained network: float tensors (N, *task.input_shape), normalised -> (N, task.outputs)."""

    def check_task(self, task: TaskSpec) -> None:  # noqa: B027
        """Refuse a task that no network of the space can take, before a search of it starts.

        A space need not say anything. Searches that build no networks do not ask.

        Args:
            task: what networks take in and give out.

        Raises:
            ValueError: what the space takes, and what the task gives.
        """

    def task_notes(self, task: TaskSpec) -> Sequence[str]:
        """What people should know of the space and a task before a search of it starts; a space need not say anything.

        Args:
            task: what networks take in and give out.

        Returns:
            Sentences, such as of choices that are larger than an input, and so no choices.
        """
        return ()

    @cached_property
    def tree(self) -> Group:
        """All genes of the space as one group."""
        found: dict[str, Any] = {}
        for cls in reversed(type(self).__mro__):
            attributes = vars(cls)
            order = attributes.get("_gene_order", ())
            found.update({name: attributes[name] for name in order if name in attributes})
            found.update(attributes)
        found.update(vars(self))
        fields = {name: node for name, node in found.items() if isinstance(node, Node)}
        _check_names(vars(self))
        return Group(**fields)

    @cached_property
    def leaves(self) -> tuple[tuple[str, Choice], ...]:
        """Names and genes in genome order."""
        leaves = tuple(self.tree.leaves(""))
        names = [name for name, _ in leaves]
        if not leaves:
            raise ValueError(f"{type(self).__name__} has no genes: set attributes such as width = Choice(16, 32)")
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two genes are called {', '.join(sorted(twice))}: rename a field")
        return leaves

    @cached_property
    def genes(self) -> tuple[Gene, ...]:
        """One a position of the genome, in order."""
        return tuple(Gene(name, len(leaf.values), leaf.ordered) for name, leaf in self.leaves)

    def sample(self, rng: np.random.Generator) -> Genome:
        """A genome uniform in each gene, inactive ones included: they are there to be inherited."""
        return tuple(rng.integers([gene.size for gene in self.genes]).tolist())

    def active(self, genome: Genome) -> tuple[bool, ...]:
        """Which genes matter for this genome. Raises ValueError where it is none of this space."""
        return self.tree.active(self._checked(genome))

    def canonical(self, genome: Genome) -> Genome:
        """The genome with its inactive genes set to 0. Raises ValueError where it is none of this space."""
        own = self._checked(genome)
        return tuple(index if on else 0 for index, on in zip(own, self.tree.active(own), strict=True))

    def identity(self, genome: Genome) -> str:
        """Equal for two genomes exactly when they count as the same network; a space may see more symmetries."""
        return "-".join(map(str, self.canonical(genome)))

    def decode(self, genome: Genome) -> Arch:
        """The architecture to read and build: `arch.stages[0].depth`; inactive genes have no place in it."""
        return self.tree.decode(self._checked(genome))

    def encode(self, arch: Arch | Mapping[str, Any]) -> Genome:
        """The canonical genome of an architecture (nested mappings and sequences); ValueError says what is wrong."""
        return self.tree.encode(arch)

    def describe(self, genome: Genome) -> dict[str, Scalar]:
        """The active genes by name with their values, e.g. {"stem": 16, "stages.0.depth": 2}."""
        on = self.active(genome)
        return {name: leaf.values[genome[i]] for i, (name, leaf) in enumerate(self.leaves) if on[i]}

    def size(self) -> int:
        """Number of canonical genomes, exact; an upper bound on the number of distinct networks."""
        return self.tree.size()

    def genomes(self) -> Iterator[Genome]:
        """All canonical genomes, lazily and in a fixed order."""
        return self.tree.genomes()

    def signature(self) -> str:
        """The genes as text: equal for two spaces exactly when a genome means the same in both."""
        return f"{type(self).__name__}({listing(self.tree.fields)})"

    def _checked(self, genome: Genome) -> Genome:
        if len(genome) != len(self.genes):
            raise ValueError(f"a genome of {type(self).__name__} has {len(self.genes)} genes, not {len(genome)}")
        for gene, index in zip(self.genes, genome, strict=True):
            if not 0 <= index < gene.size:
                raise ValueError(f"{gene.name}: index {index} is not in 0..{gene.size - 1}")
        return tuple(map(operator.index, genome))


def _check_names(attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        if isinstance(value, Node) and name != "tree" and (hasattr(Space, name) or name.startswith("_")):
            raise ValueError(f"a gene cannot be called {name!r}: Space needs that name; choose another")
