"""The first stage: a candidate's network, on the training device, which gives what the task wants."""

import torch
from torch import Tensor, nn

from evonas.evaluation.failures import BuildError
from evonas.evaluation.looking_ahead import IN_WORDS, looks_ahead
from evonas.evaluation.untrained.costs import parameters
from evonas.inputs import called, example, in_words, mapped
from evonas.measuring.torch_state import cpu_threads, seeded
from evonas.records import Candidate, Genome, TaskSpec
from evonas.seeding import seed_for
from evonas.spaces.space import Space
from evonas.spaces.units import built


class Builder:
    """Builds networks of a space for a task.

    Args:
        space: whose `build` is called.
        spec: of the task.
        device: where the networks go.
        threads: CPU threads of building.
        looks_back: whether networks must not see tokens behind a place.
    """

    def __init__(
        self, space: Space, spec: TaskSpec, device: torch.device, threads: int, looks_back: bool = False
    ) -> None:
        self._space, self._spec, self._device, self._threads = space, spec, device, threads
        self._looks_back = looks_back

    def build(self, candidate: Candidate) -> nn.Module:
        """The network, initialised from the candidate's seed and checked.

        Built on the CPU, so that a seed means the same weights on every device.

        Raises:
            BuildError: it is no network, has nothing to train, gives an output of another shape, or sees the token that
                it is to predict.
        """
        name = type(self._space).__name__
        with cpu_threads(self._threads), seeded(seed_for(candidate.seed, "build"), self._device):
            network = built(self._space, candidate.genome, self._spec)
            if not isinstance(network, nn.Module):
                raise BuildError(f"{name}.build returned {network!r}, not an nn.Module")
            network.to(self._device)
            self._check_output(network)
            if self._looks_back and looks_ahead(network, self._spec):
                raise BuildError(f"{name} {IN_WORDS}")
        if not parameters(network):
            raise BuildError(f"{name}.build returned a network without trainable parameters")
        return network

    def untrained(self, genome: Genome) -> nn.Module:
        """A network as it is first measured: training changes how its weights lie in memory."""
        with cpu_threads(self._threads), seeded(0, self._device):
            return built(self._space, genome, self._spec).to(self._device)

    def _check_output(self, network: nn.Module) -> None:
        spec = self._spec
        mode = {module: module.training for module in network.modules()}
        x = mapped(lambda array: torch.from_numpy(array).to(self._device), example(spec.input, batch=2))
        with torch.no_grad():
            output = called(network.eval(), x)
        for module, training in mode.items():
            module.training = training
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        if shape != (2, *spec.output_shape):
            wanted = (2, *spec.output_shape)
            raise BuildError(
                f"{type(self._space).__name__}: two examples ({in_words(spec.input)}) gave {shape}, not {wanted}"
            )
