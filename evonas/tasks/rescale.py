"""From the numbers that networks are trained to give to those of the user's file."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Rescale(nn.Module):
    """Standardised outputs (N, columns x steps) -> (N, columns, steps) in the units of the data.

    Args:
        mean: (columns,) of the training examples.
        deviation: as many.
        steps: outputs of a column.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.register_buffer("mean", torch.tensor(list(mean), dtype=torch.float32)[:, None])
        self.register_buffer("deviation", torch.tensor(list(deviation), dtype=torch.float32)[:, None])

    def forward(self, output: Tensor) -> Tensor:
        return output.reshape(-1, len(self.mean), self.steps) * self.deviation + self.mean

    def undone(self, values: Tensor) -> Tensor:
        """The reverse of `forward`: what a task's loss and metrics take."""
        return ((values - self.mean) / self.deviation).flatten(1)
