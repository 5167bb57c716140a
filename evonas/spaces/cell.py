"""Cell search: one small graph of operations, stacked in stages."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from evonas.records import Genome, TaskSpec
from evonas.spaces import dag
from evonas.spaces.genes import Arch, Choice, Group, Repeat
from evonas.spaces.options import at_least, beyond_halving, image_shape, listed
from evonas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

OPS = (
    "none",
    "skip",
    "conv1x1",
    "conv3x3",
    "conv5x5",
    "sepconv3x3",
    "sepconv5x5",
    "dilconv3x3",
    "dilconv5x5",
    "avgpool3x3",
    "maxpool3x3",
)
"""All operations an edge may have."""

NB201_OPS = ("none", "skip", "conv1x1", "conv3x3", "avgpool3x3")
MOST_NODES = 8  # 28 edges


class Cell(Space):
    """A cell searched as a graph, and stacked (NASNet, Zoph et al. 2018; DARTS, Liu et al. 2019).

    The defaults are the cell of NAS-Bench-201 (Dong & Yang 2020), 15,625 genomes, in a network for small images on
    a CPU. Their own network is `Cell(channels=16, cells=5)`.

    Args:
        nodes: nodes of a cell, input and output included; an edge joins each pair.
        ops: what an edge may do, out of `OPS`.
        stages: each has twice the channels and half the height and width of the one before.
        cells: cells in a stage; several values make it a gene of each stage.
        channels: of the first stage; several values make it a gene.
        reduction: what stands between stages. "resnet": a fixed residual block, as in NAS-Bench-201. "cell": a
            second searched cell, as in NASNet; it gets its input pooled and projected, so that all its edges keep
            the size.
        isomorphism: which cells count as the same network. "nb201": those of one class of NAS-Bench-201, 6,466 in
            all. "exact": those that build the same network, 5,260 in all; the published classes hold apart many
            that differ in dead edges alone, and join some that have different numbers of parameters.
    """

    def __init__(
        self,
        *,
        nodes: int = 4,
        ops: Sequence[str] = NB201_OPS,
        stages: int = 3,
        cells: int | Sequence[int] = 1,
        channels: int | Sequence[int] = 8,
        reduction: Literal["resnet", "cell"] = "resnet",
        isomorphism: Literal["nb201", "exact"] = "nb201",
    ) -> None:
        self._ops = _checked_ops(ops)
        self._nodes = at_least("nodes", nodes, 2)
        if nodes > MOST_NODES:
            raise ValueError(f"nodes: a cell has at most {MOST_NODES} nodes, not {nodes}")
        self._stages = at_least("stages", stages, 1)
        if reduction == "cell" and stages < 2:
            raise ValueError("reduction: cell stands between stages, so it takes stages >= 2")
        self._reduction, self._isomorphism = reduction, isomorphism
        self._cells, self._channels = listed("cells", cells), listed("channels", channels)
        self.cell = self._edge_genes()
        if reduction == "cell":
            self.reduction = self._edge_genes()
        if len(self._channels) > 1:
            self.channels = Choice(*self._channels)
        if len(self._cells) > 1:
            self.stages = Repeat(stages, cells=Choice(*self._cells))

    def _edge_genes(self) -> Group:
        return Group(**{f"edge_{a}_{b}": Choice(*self._ops, ordered=False) for a, b in dag.edges(self._nodes)})

    def identity(self, genome: Genome) -> str:
        """The genome with the form of its cells in place of their genes; see `isomorphism`.

        The number of cells does not count where a cell is an identity or zero: any number of them is one.
        """
        own = self.canonical(genome)
        form = dag.published_form if self._isomorphism == "nb201" else dag.exact_form
        edges = len(dag.edges(self._nodes))
        searched = 2 * edges if self._reduction == "cell" else edges
        wirings = [tuple(self._ops[i] for i in own[at : at + edges]) for at in range(0, searched, edges)]
        rest = own[searched:]
        if len(self._cells) > 1 and dag.stacks_alike(wirings[0], self._nodes):
            rest = rest[: len(rest) - self._stages]
        return " ".join([*(form(wiring, self._nodes) for wiring in wirings), *map(str, rest)])

    def signature(self) -> str:
        fixed = f"nodes={self._nodes}, stages={self._stages}, cells={self._cells}, channels={self._channels}"
        kind = f"reduction={self._reduction!r}, isomorphism={self._isomorphism!r}"
        return f"{super().signature()[:-1]}; {fixed}, {kind})"

    def check_task(self, task: TaskSpec) -> None:
        """Raises ValueError where the task's inputs are no images."""
        image_shape("cell", task)

    def task_notes(self, task: TaskSpec) -> list[str]:
        """Stages that find nothing to halve."""
        return beyond_halving(self._stages, image_shape("cell", task)[1:])

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        """Dead edges get no parameters; a cell without a path from input to output gives zero.

        Raises:
            ValueError: the task's inputs are no images.
        """
        from evonas.spaces.cell_network import cell_network  # a driver samples and breeds without torch

        several = len(self._cells) > 1
        return cell_network(
            image_shape("cell", task),
            task.outputs,
            self._nodes,
            _wiring(arch.cell),
            _wiring(arch.reduction) if self._reduction == "cell" else None,
            arch.channels if len(self._channels) > 1 else self._channels[0],
            [stage.cells for stage in arch.stages] if several else [self._cells[0]] * self._stages,
        )


def _wiring(edges: Arch) -> dag.Ops:
    return tuple(edges.to_dict().values())


def _checked_ops(ops: Sequence[str]) -> dag.Ops:
    if wrong := [op for op in ops if op not in OPS]:
        raise ValueError(f"ops: no operation {wrong[0]!r}; there are {', '.join(OPS)}")
    if len(set(ops)) < len(ops) or len(ops) < 2:
        raise ValueError(f"ops: takes two or more different operations, not {', '.join(ops) or 'none at all'}")
    return tuple(ops)
