"""Two towers, one of users and one of items, whose vectors are multiplied: how wide and deep each is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from evonas.inputs import in_words
from evonas.records import InputSpec, TaskSpec
from evonas.spaces.genes import Arch, Choice, Integer, Repeat
from evonas.spaces.options import first_and_last, listed, shares, some
from evonas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn

Activation = Literal["relu", "hardswish", "silu"]
Similarity = Literal["dot", "cosine"]


class TwoTower(Space):
    """Networks for recommendation: the number of a user -> a score for each item.

    Each tower is an embedding and layers behind it, and gives a vector as long as the embedding (Covington et al.
    2016, Yi et al. 2019); without layers it is matrix factorisation (Koren et al. 2009). A score is the product of the
    two vectors, or of their directions times a number that is learned, and a bias of the item. All items are scored at
    once, and what their tower gives does not depend on the user: runtimes that fold constants compute it once.

    Args:
        embeddings: numbers of a vector.
        layers: the least and the largest number of hidden layers of a tower; each tower has its own.
        widths: of a hidden layer; each layer has its own.
        activations: of both towers.
        similarities: how two vectors are compared.
        dropout: shares of an embedding's numbers that are dropped in training.
    """

    def __init__(
        self,
        *,
        embeddings: int | Sequence[int] = (8, 16, 32, 64),
        layers: tuple[int, int] = (0, 2),
        widths: int | Sequence[int] = (16, 32, 64, 128),
        activations: Sequence[Activation] = ("relu", "silu"),
        similarities: Sequence[Similarity] = get_args(Similarity),
        dropout: Sequence[float] = (0.0, 0.2),
    ) -> None:
        first_and_last("layers", layers, least=0)
        self.embedding = Choice(*listed("embeddings", embeddings))
        self._has_layers = layers[1] > 0
        if self._has_layers:
            self.user = Repeat(Integer(*layers), width=Choice(*listed("widths", widths)))
            self.item = Repeat(Integer(*layers), width=Choice(*listed("widths", widths)))
        self.activation = Choice(*some("activations", activations, get_args(Activation)))
        self.similarity = Choice(*some("similarities", similarities, get_args(Similarity)))
        self.dropout = Choice(*shares("dropout", dropout))

    def check_task(self, task: TaskSpec) -> None:
        """Raises ValueError where the input is no single whole number, or the output is not a score for each item."""
        if not (isinstance(task.input, InputSpec) and task.input.is_integer and task.input.shape == ()):
            raise ValueError(
                "two_tower builds networks for the number of a user, as task: {kind: recommendation} gives it, not for "
                f"inputs of {in_words(task.input)}"
            )
        if len(task.output_shape) != 1:
            raise ValueError(f"two_tower gives a score for each item (items,), not outputs of {task.output_shape}")

    def build(self, arch: Arch, task: TaskSpec) -> "nn.Module":
        """Raises ValueError where `check_task` does."""
        from evonas.spaces.two_tower_network import TwoTowers  # a driver samples and breeds without torch

        self.check_task(task)
        assert isinstance(task.input, InputSpec)
        assert task.input.high is not None
        towers = (arch.user, arch.item) if self._has_layers else ((), ())
        return TwoTowers(arch, towers, task.input.high, task.outputs)
