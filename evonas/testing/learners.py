"""The contract of a learner: see `evonas.evaluation.learners.Learner`."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from evonas.config import TrainingConfig
from evonas.evaluation.batches.device_data import to_device
from evonas.evaluation.learners import Learner, TrainingSetup
from evonas.evaluation.training.optimizers import Optimizer
from evonas.evaluation.training.scoring import score
from evonas.records import Candidate, Epoch
from evonas.tasks.task import Task
from evonas.testing.checks import attempt, check_travels, process_unchanged, require

ONE, OTHER = Candidate(0, (0,), (), "random", 0, seed=1), Candidate(1, (1,), (), "random", 1, seed=2)
CLOSE = 1e-3
"""Largest difference of a metric that is computed twice, as a share of it."""


def check_learner(
    learner: Learner, task: Task, network: nn.Module, training: TrainingConfig | None = None, seed: int = 0
) -> None:
    """Make sure that a learner keeps its contract.

    Args:
        learner: the learner.
        task: what is learnt; a small one, for it is learnt four times.
        network: for the task, untrained, on the CPU. Copies of it are trained.
        training: the config's section; default: two epochs of batches of 32.
        seed: of torch's random state, on which nothing may depend.

    Raises:
        AssertionError: it does not; says where.
    """
    training = training or TrainingConfig(epochs=2, batch_size=32)
    require(isinstance(learner.trains, bool), f"trains is {learner.trains!r}; it is True or False")
    with attempt("epochs"):
        epochs, trained = _learnt(learner, task, network, training, ONE, seed)
        _check_epochs(learner, epochs, task)
        if learner.trains:
            _check_scores(trained, epochs[-1], task, training)
        again, same = _learnt(learner, task, network, training, ONE, seed + 1)
        text = "draw from the candidate's seed alone"
        require(_alike(epochs, again), f"the same candidate learns otherwise the second time; {text}")
        require(_equal(trained, same), f"the same candidate gets other weights the second time; {text}")
        _learnt(learner, task, network, training, OTHER, seed)
        third, _ = _learnt(check_travels(learner, "the learner"), task, network, training, ONE, seed)
        require(_alike(epochs, third), "it keeps something of the candidates before, on which a result depends")


def _learnt(
    learner: Learner, task: Task, network: nn.Module, training: TrainingConfig, candidate: Candidate, seed: int
) -> tuple[list[Epoch], nn.Module]:
    """Its epochs, and the copy of the network that was trained."""
    own, epochs = copy.deepcopy(network), list[Epoch]()
    checkpoints: list[int] = []
    setup = TrainingSetup(task, to_device(task, "cpu"), training, lambda: checkpoints.append(1))
    torch_state = torch.get_rng_state()
    torch.manual_seed(seed)
    try:
        with _counted_steps() as steps, process_unchanged("the learner"):
            for epoch in learner.epochs(own, candidate, setup):
                epochs.append(epoch)
                require(len(epochs) <= 1000 * training.epochs, "epochs does not end")
    finally:
        torch.set_rng_state(torch_state)
    quiet = "it never calls setup.checkpoint() between two steps, so that measurements cannot make it wait"
    require(bool(checkpoints) or len(steps) < 2, quiet)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in own.state_dict().items()}
    require(found == shapes, "it leaves another network than it was given; give that one its weights, in place")
    require(all(bool(t.isfinite().all()) for t in _floating(own)), "it leaves weights that are not finite")
    return epochs, own


@contextmanager
def _counted_steps() -> Iterator[list[int]]:
    """One item for each step of one of torch's optimisers, or of evonas's."""
    steps: list[int] = []
    own = Optimizer.step

    def counted(optimizer: Optimizer) -> None:
        steps.append(1)
        own(optimizer)

    handle = register_optimizer_step_post_hook(lambda *_: steps.append(1))
    try:
        with patch.object(Optimizer, "step", counted):
            yield steps
    finally:
        handle.remove()


def _check_epochs(learner: Learner, epochs: list[Epoch], task: Task) -> None:
    if not learner.trains:
        require(not epochs, "trains is False, but epochs reports one")
        return
    require(bool(epochs), "trains is True, but epochs reports none")
    numbers = [epoch.epoch for epoch in epochs]
    require(numbers == list(range(1, len(epochs) + 1)), f"epochs are numbered {numbers}; they count from 1")
    for epoch in epochs:
        where = f"epoch {epoch.epoch}"
        own, wanted = set(epoch.metrics), set(task.metrics)
        require(own == wanted, f"{where} has the metrics {sorted(own)}, the task has {sorted(wanted)}")
        main = epoch.metrics[task.spec.metric]
        require(epoch.valid_metric == main, f"{where}: valid_metric is not the main metric, {task.spec.metric}")
        values = (epoch.train_loss, epoch.valid_loss, *epoch.metrics.values())
        numbers_alone = all(type(value) is float and math.isfinite(value) for value in values)
        require(numbers_alone, f"{where} has a value that is no finite float; raise Diverged where training fails")


def _check_scores(network: nn.Module, last: Epoch, task: Task, training: TrainingConfig) -> None:
    """The weights that it leaves are those that the last epoch speaks of."""
    data = to_device(task, "cpu")
    found = score(copy.deepcopy(network), data.valid, data, task, training).metrics
    for name, value in found.items():
        told = last.metrics[name]
        close = abs(value - told) <= CLOSE * max(1.0, abs(told))
        require(close, f"{name} of the last epoch is {told:g}, but the network that it leaves has {value:g}")


def _alike(a: list[Epoch], b: list[Epoch]) -> bool:
    return a == b and [dict(epoch.metrics) for epoch in a] == [dict(epoch.metrics) for epoch in b]


def _equal(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def _floating(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
