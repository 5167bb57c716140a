"""Fully connected networks: how deep, how wide, of which blocks, and what numbers become before them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from evonas.inputs import in_words
from evonas.records import InputSpec, TaskSpec
from evonas.spaces.columns import are_columns
from evonas.spaces.genes import Arch, Choice, Group, Integer, Node, OneOf, Repeat
from evonas.spaces.options import first_and_last, listed, positive, shares, some
from evonas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

Activation = Literal["relu", "hardswish", "silu"]
Block = Literal["plain", "residual", "gated"]
Embedding = Literal["none", "periodic", "lite"]


class MLP(Space):
    """Fully connected networks for vectors, such as rows of a table, whose categories are embedded.

    What has more axes is flattened.

    Args:
        layers: the least and the largest number of hidden layers, or of blocks.
        widths: of a hidden layer, of what a block has inside, and of the path along which blocks add; each has its own.
        activations: of the whole network.
        dropout: shares of a layer's outputs that are dropped in training (Srivastava et al. 2014), one for all layers;
            of blocks those of the layer inside.
        norm: whether a layer has batch normalisation before its activation; a block has it before its first layer.
        blocks: of the whole network. plain: a layer, and its activation. residual: two layers beside an identity, the
            ResNet of Gorishniy et al. 2021. gated: like it, with two layers inside of which one scales the other
            (Dauphin et al. 2017, Shazeer 2020).
        embeddings: what each number becomes before the first layer. none: itself. periodic: sines and cosines of learnt
            frequencies, a layer of its own and ReLU (PLR, Gorishniy et al. 2022). lite: the same with one layer for
            all numbers (Gorishniy et al. 2024).
        frequencies: of an embedding; each has a sine and a cosine.
        embedding_widths: what a number becomes so many of.
        scales: deviations of the frequencies at the start. Larger ones tell closer numbers apart.
    """

    def __init__(
        self,
        *,
        layers: tuple[int, int] = (1, 3),
        widths: int | Sequence[int] = (8, 16, 32, 64, 128),
        activations: Sequence[Activation] = ("relu", "silu"),
        dropout: Sequence[float] = (0.0, 0.2),
        norm: Sequence[bool] = (False, True),
        blocks: Sequence[Block] = ("plain",),
        embeddings: Sequence[Embedding] = ("none",),
        frequencies: int | Sequence[int] = (8, 16),
        embedding_widths: int | Sequence[int] = (4, 8),
        scales: Sequence[float] = (0.05, 0.2, 1.0),
    ) -> None:
        if not activations or not set(activations) <= set(get_args(Activation)):
            raise ValueError(f"activations: takes some of {', '.join(get_args(Activation))}, not {list(activations)}")
        width = Choice(*listed("widths", widths))
        self.hidden = Repeat(Integer(*first_and_last("layers", layers)), width=width)
        self.activation = Choice(*activations)
        self.dropout = Choice(*shares("dropout", dropout))
        self.norm = Choice(*norm)
        # Where only what was there at first is asked for, genes are what they were.
        path = Group(width=width)
        if node := _of("blocks", blocks, {"plain": Group(), "residual": path, "gated": path}):
            self.block = node
        number = Group(
            frequencies=Choice(*listed("frequencies", frequencies)),
            width=Choice(*listed("embedding_widths", embedding_widths)),
            scale=Choice(*positive("scales", scales)),
        )
        if node := _of("embeddings", embeddings, {"none": Group(), "periodic": number, "lite": number}):
            self.embedding = node

    def check_task(self, task: TaskSpec) -> None:
        """Raises ValueError where the task's input is neither one tensor of floating-point numbers nor a table's."""
        if are_columns(task.input):
            return
        if not isinstance(task.input, InputSpec) or task.input.is_integer or not task.input.shape:
            wanted = "floating-point numbers of any shape and for tables"
            raise ValueError(f"mlp builds networks for {wanted}, not for {in_words(task.input)}")

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        """Raises ValueError where the task's input is neither one tensor of floating-point numbers nor a table's."""
        from evonas.spaces.mlp_network import network  # a driver samples and breeds without torch

        self.check_task(task)
        return network(arch, task)


def _of(name: str, chosen: Sequence[str], known: dict[str, Group]) -> Node | None:
    """The gene of what is chosen; None where that is the first of those known alone."""
    found = some(name, chosen, tuple(known))
    return None if found == (next(iter(known)),) else OneOf(**{kind: known[kind] for kind in found})
