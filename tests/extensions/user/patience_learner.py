"""A learner of one's own: training ends where the validation loss has not fallen for some epochs."""

from collections.abc import Iterator

from torch import nn

from evonas.evaluation.learners import LEARNERS, TrainingSetup
from evonas.evaluation.training.loop import Trainer
from evonas.records import Candidate, Epoch


class Patience:
    """Trains from scratch, as long as it helps and at most for the config's number of epochs.

    Args:
        patience: epochs in a row without a lower validation loss after which training ends.
    """

    trains = True

    def __init__(self, *, patience: int = 2) -> None:
        self.patience = patience

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        lowest, since = float("inf"), 0
        trainer = Trainer(network, setup.data, setup.task, setup.training, candidate.seed, setup.checkpoint)
        for epoch in trainer.epochs():
            yield epoch
            since = 0 if epoch.valid_loss < lowest else since + 1
            lowest = min(lowest, epoch.valid_loss)
            if since >= self.patience:
                return


LEARNERS["patience"] = Patience
