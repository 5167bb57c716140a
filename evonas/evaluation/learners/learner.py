"""The contract of a learner: how a network gets its weights, and how good it is then."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import DeviceData
from evonas.records import Candidate, Epoch
from evonas.tasks.task import Task


@dataclass(frozen=True, slots=True)
class TrainingSetup:
    """What a learner works with.

    Args:
        task: whose loss is lowered and whose metrics are reported.
        data: its examples on the training device.
        training: the config's section; the batch may be halved where memory ran out.
        checkpoint: to be called between two steps: measurements on the machine may make it wait.
        note: takes a name and a text for the conditions of the candidate's row.
        start: what an earlier training of this candidate was paused with; the first epoch is then the one behind it.
            Empty: from the beginning.
        offer: takes what gives, between two epochs, all that training can go on from. A learner that offers nothing
            and looks at no `start` trains again from the beginning where a candidate was paused.
    """

    task: Task
    data: DeviceData
    training: TrainingConfig
    checkpoint: Callable[[], None] = lambda: None
    note: Callable[[str, str], None] = lambda name, text: None
    start: bytes = b""
    offer: Callable[[Callable[[], bytes]], None] = lambda state: None


class Learner(Protocol):
    """How a candidate gets its weights. It is made where the search is started and sent to the workers, pickled; it
    keeps nothing from one candidate to the next that a result could depend on.
    """

    @property
    def trains(self) -> bool:
        """Whether it reports the task's metrics. A search with one that does not has only objectives that are known
        without training, and no rungs."""

    def epochs(self, network: nn.Module, candidate: Candidate, setup: TrainingSetup) -> Iterator[Epoch]:
        """Give the network its weights, in place.

        Args:
            network: as the space built it, on `setup.data.device`.
            candidate: whose it is; all randomness comes from its `seed`.
            setup: task, data and config.

        Yields:
            An `Epoch` after each epoch, numbered from 1, with every metric of the task; the last one counts as full
            training. None where nothing is trained.

        Raises:
            Diverged: a loss is not finite. Whatever the network raises.
        """
