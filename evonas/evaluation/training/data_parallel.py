"""One network trained by several processes: each takes its part of every batch, and they average the gradients."""

from collections.abc import Iterable
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn

from evonas.inputs import mapped


class DataParallel:
    """What a process is in a group of `torch.distributed`, which must be there already.

    All begin with the same weights, shuffle alike and keep in step by the averaged gradients. Statistics of batch
    normalisation are each process's own; those of the first are kept.
    """

    def __init__(self) -> None:
        self.rank, self.ranks = dist.get_rank(), dist.get_world_size()

    def share(self, x: Any, y: Tensor) -> tuple[Any, Tensor]:
        """This process's examples of a batch; of one that does not divide, a few are left out."""
        count = len(y) // self.ranks * self.ranks
        own = slice(self.rank, count, self.ranks)
        return mapped(lambda part: part[own], x), y[own]

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Make the gradients those of the whole batch."""
        for parameter in parameters:
            if parameter.grad is not None:
                self.mean(parameter.grad)

    def mean(self, number: Tensor) -> Tensor:
        """The mean of a tensor over the processes, in place."""
        dist.all_reduce(number)
        return number.div_(self.ranks)
