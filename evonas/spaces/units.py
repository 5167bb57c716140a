"""Networks that predict values: they are built for numbers around 0, and give them as the data have them."""

from typing import TYPE_CHECKING

from evonas.records import Genome, TaskSpec
from evonas.spaces.space import Space

if TYPE_CHECKING:
    from torch import nn


def built(space: Space, genome: Genome, task: TaskSpec) -> "nn.Module":
    """The network of a genome, as it trains, is measured and leaves.

    Args:
        space: whose `build` is called.
        genome: of the network.
        task: where its outputs have units, what `build` returns gives them in deviations from the mean; where they have
            starts, differences from these.

    Raises:
        Exception: whatever `build` raises.
    """
    network = space.build(space.decode(genome), task)
    if not task.units and not task.starts:
        return network
    from evonas.spaces.unit_network import from_starts, in_units  # a driver samples and breeds without torch

    return in_units(network, task.units) if task.units else from_starts(network, task.starts)
