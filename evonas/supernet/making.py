"""A supernet is made: trained, examined, and put into a file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from evonas.config import Config, TrainingConfig
from evonas.config.recipe import with_recipe
from evonas.errors import UserError
from evonas.evaluation.batches.device_data import DeviceData, to_device
from evonas.evaluation.task_inputs import check_inputs
from evonas.evaluation.task_loss import check_loss
from evonas.evaluation.training import augment
from evonas.evaluation.training.saved_state import copied
from evonas.evaluation.untrained.costs import TRAIN_MEMORY, computed, resolve
from evonas.measuring.backends.pytorch import available, lock_name
from evonas.measuring.device_lock import DeviceLock
from evonas.objectives.objectives import Objectives
from evonas.spaces.space import Space
from evonas.supernet.audit import Examined, Within, Worth, audited
from evonas.supernet.bank import Bank
from evonas.supernet.file import ALONE, Supernet, check_free, fingerprint, trained_alone, write
from evonas.supernet.sampling import SamplingName, sampling_for
from evonas.supernet.training import SupernetTrainer
from evonas.tasks.task import Task
from evonas.text import counted

TIMES = 5
"""By default a supernet is trained for so many times the epochs of a network."""
RECIPE = (
    "batch_size",
    "optimizer",
    "learning_rate",
    "momentum",
    "weight_decay",
    "schedule",
    "warm_up",
    "label_smoothing",
    "grad_clip",
    "augment",
)
"""Keys of `training` that shape a supernet."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a supernet is made.

    Args:
        epochs: passes over the training examples; None: five times those of a network.
        sampling: which networks are trained in a step; None: what suits the genes.
        audit: networks that are trained alone to compare with; 0: none.
    """

    epochs: int | None = None
    sampling: SamplingName | None = None
    audit: int = 20


def make(
    config: Config,
    space: Space,
    task: Task,
    path: str | Path,
    wanted: Wanted,
    say: Callable[[str], None],
    kept: Callable[[Supernet], None] = lambda made: None,
) -> Supernet:
    """Train a supernet and write it to a file, before it is examined and again after it.

    Args:
        config: of a search.
        space: the networks.
        task: what they learn.
        path: of the file.
        wanted: how.
        say: takes lines for people.
        kept: called with what has been written.

    Raises:
        UserError: the path is taken, the learner is another, the space does not take the task, there is no such device,
            or nothing of the space can be trained.
    """
    config = with_recipe(config, task.recipe)
    _check(config, space, task)
    if before := check_free(path, space, task):
        say(f"{path} will be replaced; a search that began with it cannot go on without it (SHA-256 {before.sha256})")
    device = available("cuda" if config.runtime.gpus_per_worker else "cpu", "runtime")
    lock = DeviceLock(["cpu", lock_name(device)], lambda: _synchronize(device))
    with lock.shared():
        data = to_device(task, device)
        sampling = wanted.sampling or sampling_for(space)
        training = config.training.model_copy(update={"epochs": wanted.epochs or TIMES * config.training.epochs})
        trainer = SupernetTrainer(space, task, data, training, config.seed, sampling, say, lock.checkpoint)
        say(f"{sampling}: {counted(training.epochs, 'epoch')} of {counted(trainer.steps, 'step')}")
        bank = trainer.train()
        numbers = sum(tensor.numel() for tensor in bank.tensors.values())
        say(f"{numbers:,} weights in {len(bank.tensors):,} places; {trainer.trained:,} times a network was trained")
        made = Supernet(
            signature=space.signature(),
            task=fingerprint(task),
            recipe={"sampling": sampling, **_recipe(training)},
            seed=config.seed,
            trained=trainer.trained,
            versions={"torch": str(torch.__version__), "evonas": version("evonas")},
            worth=None,
            tensors={key: tensor.numpy() for key, tensor in copied(bank.tensors).items()},
        )
        write(made, path)
        kept(made)
        if worth := _worth(bank, config, space, task, data, wanted.audit, say, lock.checkpoint):
            made = replace(made, worth=worth, recipe={**made.recipe, ALONE: trained_alone(config.training)})
            write(made, path)
            kept(made)
    return made


def _recipe(training: TrainingConfig) -> dict[str, Any]:
    return {"epochs": training.epochs, **training.model_dump(mode="json", include=set(RECIPE))}


def _check(config: Config, space: Space, task: Task) -> None:
    if config.learner.kind != "scratch":
        raise UserError(
            f"learner: a supernet is trained by evonas's own loop, not by {config.learner.kind}; "
            "--set learner.kind=scratch"
        )
    try:
        space.check_task(task.spec)
    except ValueError as error:
        raise UserError(f"space: {error}") from None
    check_inputs(task)
    check_loss(task, config.training.label_smoothing)
    augment.check(config.training.augment, task)


def _worth(
    bank: Bank,
    config: Config,
    space: Space,
    task: Task,
    data: DeviceData,
    count: int,
    say: Callable[[str], None],
    checkpoint: Callable[[], None],
) -> Worth | None:
    """Of the first objective that is a metric of the task, or of its main metric."""
    if not count:
        return None
    named = [objective.metric for objective in config.objectives if objective.metric in task.metrics]
    metric = (named or list(task.metrics))[0]
    within = within_limits(config, task, data, say)
    examined = Examined(space, task, data, config.training, config.seed, metric, within, checkpoint)
    return audited(bank, examined, count, say)


def within_limits(config: Config, task: Task, data: DeviceData, say: Callable[[str], None]) -> Within:
    """Whether a network is within the limits on what is known without measuring and training, e.g. params."""
    objectives = Objectives(config, task.spec)
    keys = dict.fromkeys(limit.key for limit in objectives.limits if not limit.trained)
    names = [key for key in keys if key in objectives.network_metrics and key != TRAIN_MEMORY]
    if others := [key for key in keys if key not in names]:
        say(f"audit: networks are not measured, and limits on {', '.join(others)} are left aside")
    metrics = resolve(names)
    return lambda network: not objectives.over_limits(dict(computed(metrics, network, task, data, config.training)))


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
