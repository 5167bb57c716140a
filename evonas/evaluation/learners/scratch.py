"""Learner `scratch`: every candidate is trained from its random initial weights."""

from collections.abc import Iterator

from torch import nn

from evonas.evaluation.learners.learner import TrainingSetup
from evonas.evaluation.training.loop import Trainer
from evonas.evaluation.training.saved_state import batch_of
from evonas.records import Candidate, Epoch


class FromScratch:
    """Trains for the config's number of epochs, as its `training` section says."""

    trains = True

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        """Train, and say after each epoch how it went; see `Learner`."""
        trainer = Trainer(network, setup.data, setup.task, setup.training, candidate.seed, setup.checkpoint)
        if setup.start and batch_of(setup.start) == setup.training.batch_size:  # memory may have halved it since
            trainer.load(setup.start)
        setup.offer(trainer.state)
        for epoch in trainer.epochs():
            if how := trainer.graph_note:
                setup.note("train_step", how)
            if off := trainer.depth_note:
                setup.note("stochastic_depth", off)
            yield epoch
