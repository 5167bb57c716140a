"""Learner `none`: nothing is trained, for searches by what is known of a network without training."""

from collections.abc import Iterator

from torch import nn

from evonas.evaluation.learners.learner import TrainingSetup
from evonas.records import Candidate, Epoch


class NoTraining:
    """Leaves a network as it was built. Its objectives are costs, latencies, or scores that are computed of the
    network."""

    trains = False

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        """No epoch; see `Learner`."""
        return iter(())
