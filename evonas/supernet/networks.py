"""Networks of a space as a search builds them, for the weights of a bank."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from evonas.inputs import called, example, mapped
from evonas.measuring.torch_state import seeded
from evonas.records import Genome, InputSpec, TaskSpec
from evonas.seeding import seed_for
from evonas.spaces.space import Space
from evonas.spaces.units import built

KEPT = 16
"""Networks that are not built again, those of the last steps: the largest and the smallest come again each time."""


class Networks:
    """Builds networks, each the same every time.

    Args:
        space: whose `build` is called.
        spec: of the task.
        device: where they go.
        seed: of their weights.
    """

    def __init__(self, space: Space, spec: TaskSpec, device: torch.device, seed: int) -> None:
        self._space, self._spec, self._device = space, spec, device
        self._seed = seed_for(seed, "supernet")
        self._kept: OrderedDict[Genome, nn.Module] = OrderedDict()

    def __call__(self, genome: Genome) -> nn.Module:
        """The network of a genome.

        Raises:
            Exception: whatever `build` raises.
        """
        genome = self._space.canonical(genome)
        network = self._kept.pop(genome, None)
        network = self._built(genome) if network is None else network
        self._kept[genome] = network
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return network

    def _built(self, genome: Genome) -> nn.Module:
        with seeded(self._seed, self._device):
            network = built(self._space, genome, self._spec).to(self._device)
            if any(map(is_lazy, network.parameters())):
                inputs = mapped(lambda part: torch.from_numpy(part).to(self._device), example(self._spec.input, 2))
                with torch.no_grad():
                    called(network.eval(), inputs)
        if isinstance(self._spec.input, InputSpec) and len(self._spec.input.shape) == 3:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network
